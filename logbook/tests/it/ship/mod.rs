//! Proxies and logbooks with real TLS between them, and a real database behind.

mod logbook;
mod many;
mod replies;

use crate::fixture::{self, Fixture, at, on_both};
use bytes::Bytes;
use dragoman_logbook::fault::Fault;
use dragoman_logbook::query::Filter;
use dragoman_logbook::record::Record;
use dragoman_logbook::ship::receive::Receiver;
use dragoman_logbook::ship::remote::Remote;
use dragoman_logbook::spool::Spool;
use dragoman_logbook::store::{Inserted, Store};
use dragoman_logbook::writer::{self, Sink, Writer};
use http::{Response, StatusCode};
use http_body_util::{BodyExt, Full};
use logbook::{Logbook, Operator};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub(super) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_mins(2), "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub(super) async fn rows(store: &Store) -> i64 {
    store.totals(&Filter::default()).await.unwrap().requests
}

/// A request as a proxy ships it, which the logbook stamps.
fn row(seconds: i64) -> Record {
    Record {
        proxy: String::new(),
        ..at(seconds)
    }
}

fn directed(operator: &Operator, logbook: &Logbook, ticket: &str) -> Remote {
    let remote = Remote::new();
    let directed = remote.direct(&logbook.url(), &operator.authorities, ticket);
    directed.unwrap();
    remote
}

/// Puts a batch as the writer does: again, as long as the logbook is away.
pub(super) async fn put(remote: &Remote, records: &[Record]) -> Inserted {
    loop {
        match remote.put(records).await {
            Ok(inserted) => return inserted,
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

on_both!(
    rows_arrive_stamped_with_the_proxy_of_the_ticket,
    rows_that_the_ticket_does_not_speak_for_are_refused_and_no_others,
);

async fn rows_arrive_stamped_with_the_proxy_of_the_ticket(fixture: Fixture) {
    let operator = Operator::new();
    let receiver = Arc::new(Receiver::new(fixture.store.clone(), operator.keys()));
    let logbook = Logbook::start(&operator, &receiver).await;
    let remote = directed(&operator, &logbook, &operator.ticket("p", |_| {}));
    let (writer, _task) = Writer::start(remote, None, writer::Options::default());
    (0..1200).for_each(|i| writer.offer(row(i)).unwrap());
    assert!(writer.flush(Duration::from_mins(1)).await);
    assert_eq!(writer.progress().committed, 1200);
    assert_eq!(rows(&fixture.store).await, 1200);
    let proxies = fixture.texts("SELECT DISTINCT proxy FROM requests").await;
    assert_eq!(proxies, ["team/proxy"]);
}

async fn rows_that_the_ticket_does_not_speak_for_are_refused_and_no_others(fixture: Fixture) {
    let operator = Operator::new();
    let receiver = Arc::new(Receiver::new(fixture.store.clone(), operator.keys()));
    let logbook = Logbook::start(&operator, &receiver).await;
    let remote = directed(&operator, &logbook, &operator.ticket("p", |_| {}));
    let mut batch: Vec<_> = (0..4).map(row).collect();
    batch[1].namespace = "other".into();
    batch[2].proxy = "other/proxy".into();
    let inserted = put(&remote, &batch).await;
    assert_eq!((inserted.stored, inserted.known), (2, 0));
    let refused: Vec<_> = inserted.refused.iter().map(|(id, _)| id.clone()).collect();
    assert_eq!(refused, [batch[1].id.clone(), batch[2].id.clone()]);
    let ids = fixture.texts("SELECT id FROM requests ORDER BY id").await;
    assert_eq!(ids, [batch[0].id.clone(), batch[3].id.clone()]);
}

#[tokio::test]
async fn rows_wait_for_a_ticket_that_holds() {
    let operator = Operator::new();
    let fixture = fixture::sqlite();
    let receiver = Arc::new(Receiver::new(fixture.store.clone(), operator.keys()));
    let logbook = Logbook::start(&operator, &receiver).await;
    let remote = Remote::new();
    let (writer, _task) = Writer::start(remote.clone(), None, writer::Options::default());
    (0..10).for_each(|i| writer.offer(row(i)).unwrap());
    let stranger = Operator::new();
    for ticket in [
        operator.ticket("p", |claims| claims.exp -= 7200),
        operator.ticket("p", |claims| claims.aud = "operator.dragoman.dev".into()),
        stranger.ticket("p", |_| {}),
    ] {
        let before = receiver.counts().unauthorized;
        let url = logbook.url();
        remote.direct(&url, &operator.authorities, &ticket).unwrap();
        eventually("it is refused", || receiver.counts().unauthorized > before).await;
    }
    assert_eq!(
        (writer.progress().committed, receiver.counts().bytes),
        (0, 0)
    );
    let ticket = operator.ticket("p", |_| {});
    let url = logbook.url();
    remote.direct(&url, &operator.authorities, &ticket).unwrap();
    eventually("all is stored", || writer.progress().committed == 10).await;
    assert_eq!(rows(&fixture.store).await, 10);
}

#[tokio::test]
async fn a_ticket_for_thousands_of_namespaces_is_as_good_as_another() {
    let operator = Operator::new();
    let fixture = fixture::sqlite();
    let receiver = Arc::new(Receiver::new(fixture.store.clone(), operator.keys()));
    let logbook = Logbook::start(&operator, &receiver).await;
    let ticket = operator.ticket("p", |claims| {
        let others = (0..7000).map(|i| format!("some-team-{i:05}"));
        claims.namespaces.extend(others);
    });
    assert!(ticket.len() > 150_000);
    let remote = directed(&operator, &logbook, &ticket);
    assert_eq!(put(&remote, &[row(0)]).await.stored, 1);
}

#[tokio::test]
async fn nothing_is_sent_to_whom_the_authorities_do_not_vouch_for() {
    let (operator, stranger) = (Operator::new(), Operator::new());
    let fixture = fixture::sqlite();
    let receiver = Arc::new(Receiver::new(fixture.store.clone(), operator.keys()));
    let logbook = Logbook::start(&stranger, &receiver).await;
    let remote = directed(&operator, &logbook, &operator.ticket("p", |_| {}));
    assert!(matches!(remote.put(&[row(0)]).await, Err(Fault::Away(_))));
    assert_eq!(receiver.counts(), Default::default());
    // Its successor's authority comes with the next ticket.
    let both = format!("{}{}", operator.authorities, stranger.authorities);
    let ticket = operator.ticket("p", |_| {});
    remote.direct(&logbook.url(), &both, &ticket).unwrap();
    assert_eq!(put(&remote, &[row(0)]).await.stored, 1);
}

#[tokio::test]
async fn a_destination_that_is_none_changes_nothing() {
    let operator = Operator::new();
    let remote = Remote::new();
    for (url, authorities, ticket) in [
        ("http://logbook:8443", operator.authorities.as_str(), "t"),
        ("https://logbook:8443/path", &operator.authorities, "t"),
        ("logbook", &operator.authorities, "t"),
        ("https://logbook:8443", "", "t"),
        ("https://logbook:8443", &operator.authorities, "a\nb"),
    ] {
        let fault = remote.direct(url, authorities, ticket).unwrap_err();
        assert!(!fault.to_string().contains("a\nb"), "{url}");
    }
    let fault = remote.put(&[row(0)]).await.unwrap_err();
    assert!(fault.to_string().contains("no ticket"), "{fault}");
}

/// A store that keeps the order in which ids came, and now and then loses its answer.
#[derive(Clone)]
struct Forgetful {
    store: Store,
    came: Arc<Mutex<Vec<String>>>,
}

impl Sink for Forgetful {
    async fn put(&self, records: &[Record]) -> Result<Inserted, Fault> {
        let inserted = self.store.put(records).await?;
        let mut came = self.came.lock();
        let before = came.len();
        for record in records {
            if !came.contains(&record.id) {
                came.push(record.id.clone());
            }
        }
        // Whenever another hundred is begun.
        if before / 100 != came.len() / 100 {
            Err(Fault::Away("lost".into()))
        } else {
            Ok(inserted)
        }
    }
}

#[tokio::test]
async fn what_is_made_while_the_logbook_is_away_arrives_in_order_and_once() {
    let operator = Operator::new();
    let fixture = fixture::sqlite();
    let came = Arc::new(Mutex::new(Vec::new()));
    let sink = Forgetful {
        store: fixture.store.clone(),
        came: Arc::clone(&came),
    };
    let receiver = Arc::new(Receiver::new(sink, operator.keys()));
    let logbook = Logbook::start(&operator, &receiver).await;
    let port = logbook.port();
    let remote = directed(&operator, &logbook, &operator.ticket("p", |_| {}));
    let folder = TempDir::new().unwrap();
    let spool = Spool::open(folder.path(), 1 << 30).unwrap();
    let options = writer::Options {
        batch_rows: 20,
        ..writer::Options::default()
    };
    let (writer, _task) = Writer::start(remote, Some(spool), options);
    let all: Vec<_> = (0..300).map(row).collect();
    let mut offered = all.iter();
    let mut offer = |many| {
        let some = offered.by_ref().take(many);
        some.for_each(|record| writer.offer(record.clone()).unwrap());
    };
    offer(50);
    eventually("the first have come", || came.lock().len() >= 50).await;
    logbook.stop().await;
    offer(200);
    eventually("they are on disk", || {
        let progress = writer.progress();
        progress.away && progress.queued_bytes == 0
    })
    .await;
    let _again = Logbook::at(&operator, &receiver, port).await;
    offer(50);
    eventually("all is stored", || {
        let progress = writer.progress();
        progress.committed + progress.known >= 300 && progress.spool_bytes == 0
    })
    .await;
    let ids: Vec<_> = all.into_iter().map(|record| record.id).collect();
    assert_eq!(*came.lock(), ids);
    assert_eq!(rows(&fixture.store).await, 300);
    assert_eq!(writer.progress().refused, 0);
}

#[tokio::test]
async fn a_batch_that_is_too_large_is_halved_until_it_is_not() {
    let operator = Operator::new();
    let taken = Arc::new(Mutex::new(Vec::new()));
    let keeps = Arc::clone(&taken);
    let logbook = Logbook::serve(&operator, 0, move |request| {
        let keeps = Arc::clone(&keeps);
        async move {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let lines: Vec<Record> = body
                .split(|byte| *byte == b'\n')
                .filter(|line| !line.is_empty())
                .map(|line| serde_json::from_slice(line).unwrap())
                .collect();
            let mut response = Response::new(Full::new(Bytes::from_static(b"{\"stored\":1}")));
            if lines.len() > 3 || lines.iter().any(|line| line.path == "/huge") {
                *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
            } else {
                keeps.lock().extend(lines.into_iter().map(|line| line.id));
            }
            response
        }
    })
    .await;
    let remote = directed(&operator, &logbook, "ticket");
    let mut batch: Vec<_> = (0..20).map(row).collect();
    batch[13].path = "/huge".into();
    let inserted = put(&remote, &batch).await;
    let [(refused, _)] = inserted.refused.as_slice() else {
        panic!("{:?}", inserted.refused)
    };
    assert_eq!(*refused, batch[13].id);
    let others = batch.iter().filter(|record| record.path != "/huge");
    let others: Vec<_> = others.map(|record| record.id.clone()).collect();
    assert_eq!(*taken.lock(), others);
}
