//! The dashboard over a day of made-up requests, to look at while working on it:
//! `cargo run -p dragoman-logbook --example dashboard [ROWS [TOKEN]]`.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    dead_code,
    reason = "for developers, who read a panic"
)]

#[path = "../tests/it/web/served.rs"]
mod served;

use dragoman_logbook::store::{Options, Store};
use dragoman_logbook::web::{AdminToken, Entrance, Web};
use std::io::Write as _;
use std::sync::Arc;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let rows = arguments
        .next()
        .map_or(5000, |rows| rows.parse().expect("ROWS is a number"));
    let token = arguments.next().and_then(|token| AdminToken::new(&token));
    let folder = tempfile::TempDir::new().expect("a folder");
    let address = format!("sqlite:{}", folder.path().join("log.db").display());
    let store = Store::open(&address, &Options::default()).expect("a store");
    served::seed(&store, rows).await;
    let entrance = match token {
        Some(token) => Entrance::behind(vec![Arc::new(token)]),
        None => Entrance::open(),
    };
    let web = Web::new(store, Arc::new(served::Endless::default()), entrance);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    writeln!(std::io::stdout(), "http://{address}").expect("somebody who reads");
    served::serve(listener, Arc::new(web)).await;
}
