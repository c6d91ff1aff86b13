//! Many proxies at once, and more than one logbook.

use super::logbook::{Logbook, Operator};
use super::{directed, put, row, rows};
use crate::fixture;
use dragoman_logbook::record::Record;
use dragoman_logbook::ship::receive::Receiver;
use dragoman_logbook::writer::{self, Writer};
use std::sync::Arc;

#[tokio::test]
async fn three_hundred_proxies_share_a_few_connections_of_postgres() {
    const PROXIES: usize = 300;
    const ROWS: u64 = 10;
    let fixture = fixture::postgres().await;
    let operator = Operator::new();
    let receiver = Arc::new(Receiver::new(fixture.store.clone(), operator.keys()));
    let logbook = Logbook::start(&operator, &receiver).await;
    let mut writers = Vec::new();
    for proxy in 0..PROXIES {
        let sub = format!("team/proxy-{proxy}");
        let ticket = operator.ticket("p", |claims| claims.sub = sub);
        let remote = directed(&operator, &logbook, &ticket);
        let (writer, _task) = Writer::start(remote, None, writer::Options::default());
        (0..ROWS).for_each(|i| writer.offer(row(i as i64)).unwrap());
        writers.push(writer);
    }
    let counting = "SELECT count(*)::text FROM pg_stat_activity \
        WHERE datname = current_database() AND application_name = 'dragoman-logbook'";
    let mut most = 0;
    while writers
        .iter()
        .any(|writer| writer.progress().committed < ROWS)
    {
        let open: usize = fixture.texts(counting).await[0].parse().unwrap();
        most = most.max(open);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    // One writes, up to two make days.
    assert!(most <= 3, "{most} connections");
    assert_eq!(rows(&fixture.store).await, PROXIES as i64 * ROWS as i64);
    let proxies = fixture
        .texts("SELECT count(DISTINCT proxy)::text FROM requests")
        .await;
    assert_eq!(proxies, [PROXIES.to_string()]);
    let progress: Vec<_> = writers.iter().map(Writer::progress).collect();
    assert!(
        progress
            .iter()
            .all(|progress| progress.dropped + progress.refused == 0)
    );
}

/// A figure for people, and no bound: machines differ. `cargo test --release -p dragoman-logbook --test it -- rows_a_second --nocapture`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_a_second_from_many_proxies_are_measured() {
    const PROXIES: usize = 50;
    let rows = if cfg!(debug_assertions) { 100 } else { 2000 };
    let fixture = fixture::postgres().await;
    fixture.store.ready().await.unwrap();
    let operator = Operator::new();
    let receiver = Arc::new(Receiver::new(fixture.store.clone(), operator.keys()));
    let logbook = Logbook::start(&operator, &receiver).await;
    let began = std::time::Instant::now();
    let mut writers = Vec::new();
    for proxy in 0..PROXIES {
        let sub = format!("team/proxy-{proxy}");
        let ticket = operator.ticket("p", |claims| claims.sub = sub);
        let remote = directed(&operator, &logbook, &ticket);
        let (writer, _task) = Writer::start(remote, None, writer::Options::default());
        for i in 0..rows {
            let body = format!("{{\"role\":\"user\",\"content\":\"question {i}\"}},");
            let record = Record {
                request_body: Some(body.repeat(25)),
                response_content: Some("an answer of some words ".repeat(10)),
                ..row(i)
            };
            writer.offer(record).unwrap();
        }
        writers.push(writer);
    }
    let all = PROXIES as u64 * rows as u64;
    while writers
        .iter()
        .map(|writer| writer.progress().committed)
        .sum::<u64>()
        < all
    {
        assert!(began.elapsed() < std::time::Duration::from_mins(5));
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let rate = all as f64 / began.elapsed().as_secs_f64();
    println!("{PROXIES} senders: {rate:.0} rows a second into Postgres, 1.5 kB of bodies each");
    assert_eq!(super::rows(&fixture.store).await, all as i64);
}

#[tokio::test]
async fn two_logbooks_of_one_database_store_each_row_once() {
    let fixture = fixture::postgres().await;
    let operator = Operator::new();
    let mut sending = Vec::new();
    let batches: Vec<Vec<_>> = (0..10).map(|_| (0..50).map(row).collect()).collect();
    for store in [fixture.store.clone(), fixture.again()] {
        let receiver = Arc::new(Receiver::new(store, operator.keys()));
        let logbook = Logbook::start(&operator, &receiver).await;
        let remote = directed(&operator, &logbook, &operator.ticket("p", |_| {}));
        let batches = batches.clone();
        sending.push(tokio::spawn(async move {
            let _logbook = logbook;
            let mut stored = 0;
            for batch in &batches {
                stored += put(&remote, batch).await.stored;
            }
            stored
        }));
    }
    let mut stored = 0;
    for sender in sending {
        stored += sender.await.unwrap();
    }
    assert_eq!(stored, 500);
    assert_eq!(rows(&fixture.store).await, 500);
}
