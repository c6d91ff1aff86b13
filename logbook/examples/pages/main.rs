//! How long each page takes over a million requests of a day:
//! `cargo run --release -p dragoman-logbook --example pages -- [--rows N] DATABASE`, where DATABASE is `sqlite:PATH` or `postgres://…`. An empty one is filled first.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stdout,
    dead_code,
    reason = "for developers, who read a panic"
)]

mod million;

use bytes::Bytes;
use dragoman_logbook::query::{Columns, Filter};
use dragoman_logbook::store::{Options, Store};
use dragoman_logbook::web::{Entrance, NoneLive, Web};
use http::Request;
use http_body_util::BodyExt as _;
use std::sync::Arc;
use std::time::Instant;

#[tokio::main]
async fn main() {
    let mut arguments: Vec<_> = std::env::args().skip(1).collect();
    let mut rows = 1_000_000;
    if arguments.first().is_some_and(|first| first == "--rows") {
        rows = arguments[1].parse().expect("--rows is a number");
        arguments.drain(..2);
    }
    let address = arguments.first().expect("sqlite:PATH or postgres://…");
    let store = Store::open(address, &Options::default()).expect("an address");
    store.ready().await.expect("a database");
    let all = Filter::default();
    let one = store.page(&all, Columns::Small, 1, None).await;
    if one.expect("a page").records.is_empty() {
        let began = Instant::now();
        million::fill(address, rows).await;
        let took = began.elapsed().as_secs_f64();
        println!("filled with {rows} rows in {took:.1} s");
    }
    let web = Web::new(store, Arc::new(NoneLive), Entrance::open());
    let paths = ["/?", "/requests?", "/api/stats?", "/api/logs?"];
    let paths = paths
        .iter()
        .flat_map(|path| million::FILTERS.map(|filter| format!("{path}{filter}")));
    for path in paths {
        let mut took = Vec::new();
        let mut length = 0;
        for _ in 0..3 {
            let request = Request::get(path.as_str())
                .header("host", "127.0.0.1")
                .body(Bytes::new());
            let began = Instant::now();
            let answer = web.serve(request.unwrap(), false).await;
            let status = answer.status();
            length = answer.into_body().collect().await.unwrap().to_bytes().len();
            took.push(began.elapsed().as_secs_f64());
            assert!(status.is_success(), "{path}: {status}");
        }
        let took: Vec<_> = took.iter().map(|took| format!("{took:.3}")).collect();
        println!("{} s  {length:>7} bytes  {path}", took.join("  "));
    }
}
