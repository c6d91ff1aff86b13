//! The dashboard in a real browser, over a log that is made for it.

use std::sync::Arc;

use dragoman_logbook::store::{Options, Store};
use dragoman_logbook::web::{AdminToken, Entrance, Web};
use dragoman_system::browse;
use tempfile::TempDir;
use tokio::net::TcpListener;

#[allow(dead_code, reason = "the logbook's own tests use the rest")]
#[path = "../../../../../logbook/tests/it/web/served.rs"]
mod served;

#[tokio::test(flavor = "multi_thread")]
async fn every_page_works_in_a_browser_by_mouse_by_keyboard_and_without_the_script() {
    let folder = TempDir::new().unwrap();
    let address = format!("sqlite:{}", folder.path().join("log.db").display());
    let store = Store::open(&address, &Options::default()).unwrap();
    served::seed(&store, 3000).await;
    let admin = AdminToken::new("s3cret").unwrap();
    let entrance = Entrance::behind(vec![Arc::new(admin)]);
    let web = Web::new(store, Arc::new(served::Endless::default()), entrance);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(served::serve(listener, Arc::new(web)));
    tokio::task::spawn_blocking(move || browse("dashboard", &[&url, "s3cret"]))
        .await
        .unwrap();
}
