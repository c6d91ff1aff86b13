//! The dashboard in a real browser, and its APIs by a fuzzer, over a log that is made for them.

use std::sync::Arc;

use dragoman_logbook::store::{Options, Store};
use dragoman_logbook::web::{AdminToken, Entrance, Web};
use dragoman_system::{browse, fuzz};
use tempfile::TempDir;
use tokio::net::TcpListener;

#[allow(dead_code, reason = "the logbook's own tests use the rest")]
#[path = "../../../../../logbook/tests/it/web/served.rs"]
mod served;

const TOKEN: &str = "s3cret";

/// Where a log of so many rows is served.
async fn served(folder: &TempDir, rows: i64) -> String {
    let address = format!("sqlite:{}", folder.path().join("log.db").display());
    let store = Store::open(&address, &Options::default()).unwrap();
    served::seed(&store, rows).await;
    let admin = AdminToken::new(TOKEN).unwrap();
    let entrance = Entrance::behind(vec![Arc::new(admin)]);
    let web = Web::new(store, Arc::new(served::Endless::default()), entrance);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(served::serve(listener, Arc::new(web)));
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_works_in_a_browser_by_mouse_by_keyboard_and_without_the_script() {
    let folder = TempDir::new().unwrap();
    let url = served(&folder, 3000).await;
    tokio::task::spawn_blocking(move || browse("dashboard", &[&url, TOKEN]))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generic_fuzzer_gets_from_the_apis_what_their_document_says() {
    let folder = TempDir::new().unwrap();
    let document = format!("{}/api/openapi.json", served(&folder, 300).await);
    tokio::task::spawn_blocking(move || fuzz(&document, TOKEN, folder.path()))
        .await
        .unwrap();
}
