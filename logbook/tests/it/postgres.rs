//! What Postgres alone promises.

use crate::fixture::{self, at};
use crate::relay::Relay;
use crate::server::Server;
use dragoman_logbook::fault::Fault;
use dragoman_logbook::query::Filter;
use dragoman_logbook::record::Record;
use dragoman_logbook::store::{Options, Store};
use sqlx::{Connection, PgConnection};
use std::time::{Duration, Instant, SystemTime};

#[tokio::test]
async fn a_row_that_the_database_refuses_is_told_and_its_batch_stored() {
    let fixture = fixture::postgres().await;
    fixture.store.ready().await.unwrap();
    fixture
        .run("ALTER TABLE requests ADD CHECK (path <> '/poison')")
        .await;
    let mut batch: Vec<_> = (0..100).map(at).collect();
    for poison in [0, 57, 99] {
        batch[poison].path = "/poison".into();
    }
    let inserted = fixture.store.insert(&batch).await.unwrap();
    assert_eq!(inserted.stored, 97);
    let refused: Vec<_> = inserted.refused.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(refused, [&batch[0].id, &batch[57].id, &batch[99].id]);
    let again = fixture.store.insert(&batch).await.unwrap();
    assert_eq!((again.stored, again.known, again.refused.len()), (0, 97, 3));
}

#[tokio::test]
async fn logbooks_that_start_at_once_make_one_schema() {
    let fixture = fixture::postgres().await;
    let stores: Vec<_> = (0..6).map(|_| fixture.again()).collect();
    let record = at(0);
    let inserts = stores
        .iter()
        .map(|store| store.insert(std::slice::from_ref(&record)));
    let inserted = futures::future::join_all(inserts).await;
    let stored: u64 = inserted
        .into_iter()
        .map(|inserted| inserted.unwrap().stored)
        .sum();
    assert_eq!(stored, 1);
}

#[tokio::test]
async fn a_day_that_somebody_dropped_is_made_again() {
    let fixture = fixture::postgres().await;
    let record = at(0);
    fixture
        .store
        .insert(std::slice::from_ref(&record))
        .await
        .unwrap();
    fixture
        .run(&format!(
            "DROP TABLE requests_day_{}",
            record.started_at / 86_400_000_000
        ))
        .await;
    assert_eq!(fixture.store.insert(&[record]).await.unwrap().stored, 1);
}

#[tokio::test]
async fn a_retention_that_was_interrupted_is_brought_to_its_end() {
    let fixture = fixture::postgres().await;
    let old = |days: i64| {
        let record = at(0);
        Record {
            started_at: record.started_at - days * 86_400_000_000,
            ..record
        }
    };
    let records = [at(0), old(20), old(21)];
    fixture.store.insert(&records).await.unwrap();
    let day = |record: &Record| record.started_at / 86_400_000_000;
    let detach = format!(
        "ALTER TABLE requests DETACH PARTITION requests_day_{}",
        day(&records[1])
    );
    fixture.run(&detach).await;
    fixture.store.retain(SystemTime::now()).await.unwrap();
    let left = fixture
        .texts(
            "SELECT relname::text FROM pg_class WHERE relname ~ '^requests_day_[0-9]+$' ORDER BY 1",
        )
        .await;
    assert!(left.contains(&format!("requests_day_{}", day(&records[0]))));
    assert!(!left.contains(&format!("requests_day_{}", day(&records[1]))));
    assert!(!left.contains(&format!("requests_day_{}", day(&records[2]))));
}

#[tokio::test]
async fn a_password_that_changed_is_taken_without_a_new_store() {
    let fixture = fixture::postgres().await;
    let store = Store::open("postgres://log:old@127.0.0.1:1/log", &Options::default()).unwrap();
    let fault = store.insert(&[at(0)]).await.unwrap_err();
    assert!(
        matches!(fault, Fault::Away(_)) && fault.may_retry(),
        "{fault}"
    );
    store.readdress(&fixture.address).unwrap();
    assert_eq!(store.insert(&[at(0)]).await.unwrap().stored, 1);
}

#[test]
fn neither_a_fault_nor_a_store_shows_a_password() {
    for address in [
        "postgres://log:s3cret@host:notaport/x",
        "mysql://log:s3cret@host/x",
    ] {
        let fault = Store::open(address, &Options::default()).unwrap_err();
        assert!(!fault.to_string().contains("s3cret"), "{fault}");
    }
    let store = Store::open("postgres://log:s3cret@host/x", &Options::default()).unwrap();
    assert!(!format!("{store:?}").contains("s3cret"));
}

#[tokio::test]
async fn a_database_that_comes_back_takes_the_batch_again() {
    let mut server = Server::start();
    let address = server.database().await;
    let store = Store::open(&address, &Options::default()).unwrap();
    store.insert(&[at(0)]).await.unwrap();
    server.down();
    let batch = [at(1), at(2)];
    let fault = store.insert(&batch).await.unwrap_err();
    assert!(matches!(fault, Fault::Away(_)), "{fault}");
    server.up();
    assert_eq!(store.insert(&batch).await.unwrap().stored, 2);
}

#[tokio::test]
async fn a_server_that_vanished_without_a_word_is_reached_again_by_new_connections() {
    let relay = Relay::start(Server::shared());
    let address = relay.address(&Server::shared().database().await);
    let options = Options {
        patience: Duration::from_secs(2),
        readers: 1,
        ..Options::default()
    };
    let store = Store::open(&address, &options).unwrap();
    store.insert(&[at(0)]).await.unwrap();
    assert_eq!(store.totals(&Filter::default()).await.unwrap().requests, 1);
    relay.swallow();
    let (batch, all) = ([at(1)], Filter::default());
    let (inserted, asked) = tokio::join!(store.insert(&batch), store.totals(&all));
    assert!(matches!(inserted, Err(Fault::Away(_))) && matches!(asked, Err(Fault::Away(_))));
    // What was under way is black for ever, and holds nothing up.
    relay.pass();
    assert_eq!(store.insert(&batch).await.unwrap().stored, 1);
    assert_eq!(store.totals(&all).await.unwrap().requests, 2);
}

#[tokio::test]
async fn a_question_that_takes_too_long_is_given_up_and_holds_nothing_up() {
    let fixture = fixture::postgres().await;
    fixture.store.insert(&[at(0)]).await.unwrap();
    let options = Options {
        patience: Duration::from_millis(500),
        readers: 1,
        ..Options::default()
    };
    let hurried = Store::open(&fixture.address, &options).unwrap();
    let mut locks = PgConnection::connect(&fixture.address).await.unwrap();
    sqlx::raw_sql("BEGIN; LOCK TABLE requests")
        .execute(&mut locks)
        .await
        .unwrap();
    assert_eq!(hurried.totals(&Filter::default()).await, Err(Fault::Slow));
    assert!(matches!(
        hurried.insert(&[at(1)]).await,
        Err(Fault::Away(_))
    ));
    sqlx::raw_sql("COMMIT").execute(&mut locks).await.unwrap();
    assert_eq!(
        fixture
            .store
            .totals(&Filter::default())
            .await
            .unwrap()
            .requests,
        1
    );
}

#[tokio::test]
async fn bodies_are_compressed_by_lz4_in_every_day() {
    let fixture = fixture::postgres().await;
    fixture.store.insert(&[at(0)]).await.unwrap();
    let how = fixture
        .texts(
            "SELECT DISTINCT attcompression::text FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid \
             WHERE relname ~ '^requests' AND attname IN ('request_body', 'response_body', 'response_content')",
        )
        .await;
    assert_eq!(how, ["l"]);
}

/// A figure for people, and no bound: machines differ.
#[tokio::test]
async fn rows_a_second_are_measured() {
    let fixture = fixture::postgres().await;
    fixture.store.ready().await.unwrap();
    let body = "{\"role\":\"user\",\"content\":\"a question\"},".repeat(50);
    let batches: Vec<Vec<_>> = (0..20)
        .map(|batch| {
            (0..500)
                .map(|i| Record {
                    request_body: Some(body.clone()),
                    ..at(batch * 500 + i)
                })
                .collect()
        })
        .collect();
    let began = Instant::now();
    for batch in &batches {
        fixture.store.insert(batch).await.unwrap();
    }
    let rate = 10_000.0 / began.elapsed().as_secs_f64();
    println!("Postgres took {rate:.0} rows a second, 2 kB each, in batches of 500");
    assert_eq!(
        fixture
            .store
            .totals(&Filter::default())
            .await
            .unwrap()
            .requests,
        10_000
    );
}
