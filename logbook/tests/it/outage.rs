//! Writer, spool and store together, while the database goes and comes and processes die.

use crate::fixture::{self, at};
use crate::server::Server;
use dragoman_logbook::query::Filter;
use dragoman_logbook::record::Record;
use dragoman_logbook::spool::Spool;
use dragoman_logbook::store::{Options, Store};
use dragoman_logbook::writer::{self, Writer};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const SPOOL: u64 = 1 << 30;

async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_mins(1), "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn rows(store: &Store) -> i64 {
    store.totals(&Filter::default()).await.unwrap().requests
}

#[tokio::test]
async fn nothing_is_lost_or_doubled_while_postgres_is_away_under_load() {
    let mut server = Server::start();
    let address = server.database().await;
    let store = Store::open(&address, &Options::default()).unwrap();
    let folder = TempDir::new().unwrap();
    let spool = Spool::open(folder.path(), SPOOL).unwrap();
    let options = writer::Options {
        batch_rows: 50,
        ..writer::Options::default()
    };
    let (writer, _task) = Writer::start(store.clone(), Some(spool), options);
    let mut offered = 0;
    let mut offer = |many: i64| {
        (0..many).for_each(|i| writer.offer(at(i)).unwrap());
        offered += many as u64;
        offered
    };
    let first = offer(200);
    eventually("the first are committed", || {
        writer.progress().committed == first
    })
    .await;
    server.down();
    for _ in 0..10 {
        offer(100);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    eventually("the others are on disk", || {
        writer.progress().queued_bytes == 0
    })
    .await;
    assert!(writer.progress().away);
    server.up();
    let all = offer(100);
    assert!(writer.flush(Duration::from_secs(30)).await);
    let progress = writer.progress();
    // A batch whose answer was lost when the server went may be known already.
    assert_eq!(
        (
            progress.committed + progress.known,
            progress.dropped,
            progress.refused
        ),
        (all, 0, 0)
    );
    assert_eq!(rows(&store).await, all as i64);
    assert_eq!(progress.spool_bytes, 0);
}

#[tokio::test]
async fn a_program_starts_and_takes_records_before_its_database_is_there() {
    let fixture = fixture::postgres().await;
    let store = Store::open("postgres://log@127.0.0.1:1/log", &Options::default()).unwrap();
    let folder = TempDir::new().unwrap();
    let spool = Spool::open(folder.path(), SPOOL).unwrap();
    let (writer, _task) = Writer::start(store.clone(), Some(spool), writer::Options::default());
    (0..10).for_each(|i| writer.offer(at(i)).unwrap());
    eventually("they are on disk", || writer.progress().queued_bytes == 0).await;
    store.readdress(&fixture.address).unwrap();
    eventually("they are stored", || writer.progress().committed == 10).await;
}

/// What the test below runs as a process of its own, to be killed; nothing when it is run with the others.
#[test]
fn a_process_that_spools_until_it_is_killed() {
    let Ok(folder) = std::env::var("SPOOL_UNTIL_KILLED") else {
        return;
    };
    let mut spool = Spool::open(Path::new(&folder), SPOOL).unwrap();
    for i in 0.. {
        let batch: Vec<_> = (i * 10..i * 10 + 10)
            .map(|i| Record {
                id: i.to_string(),
                request_body: Some("x".repeat(i % 5000)),
                ..Record::default()
            })
            .collect();
        spool.append(&batch).unwrap();
        println!("spooled {}", (i + 1) * 10);
    }
}

#[test]
fn what_was_spooled_survives_kill_9() {
    let folder = TempDir::new().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "outage::a_process_that_spools_until_it_is_killed",
            "--nocapture",
        ])
        .env("SPOOL_UNTIL_KILLED", folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut spooled = 0;
    while spooled < 300 {
        let line = said.next().unwrap().unwrap();
        spooled = line
            .strip_prefix("spooled ")
            .map_or(0, |n| n.parse().unwrap());
    }
    child.kill().unwrap();
    child.wait().unwrap();
    for line in said.map_while(Result::ok) {
        spooled = line
            .strip_prefix("spooled ")
            .and_then(|n| n.parse().ok())
            .unwrap_or(spooled);
    }
    let mut spool = Spool::open(folder.path(), SPOOL).unwrap();
    let mut found = Vec::new();
    loop {
        let batch = spool.next(100, usize::MAX).unwrap();
        if batch.is_empty() {
            break;
        }
        found.extend(
            batch
                .into_iter()
                .map(|record| record.id.parse::<usize>().unwrap()),
        );
        spool.acknowledge().unwrap();
    }
    // All that was told, in order, and at most the batch that was being written.
    assert_eq!(found, (0..found.len()).collect::<Vec<_>>());
    assert!(
        (spooled..=spooled + 10).contains(&found.len()),
        "{spooled} {}",
        found.len()
    );
}
