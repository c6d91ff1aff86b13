//! What SQLite alone promises.

use crate::fixture::{self, at};
use dragoman_logbook::fault::Fault;
use dragoman_logbook::query::{Columns, Dimension, Filter};
use dragoman_logbook::record::Record;
use dragoman_logbook::store::{Options, Store};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

fn open(folder: &TempDir, max_bytes: u64) -> Store {
    let address = format!("sqlite:{}", folder.path().join("log.db").display());
    Store::open(
        &address,
        &Options {
            max_bytes,
            ..Options::default()
        },
    )
    .unwrap()
}

fn size(path: &Path) -> u64 {
    path.metadata().unwrap().len()
}

#[tokio::test]
async fn a_file_never_outgrows_its_bound_and_keeps_the_newest() {
    const MOST: u64 = 4 << 20;
    let folder = TempDir::new().unwrap();
    let store = open(&folder, MOST);
    let body = "x".repeat(2000);
    let mut last = String::new();
    for batch in 0..40 {
        let batch: Vec<_> = (0..200)
            .map(|i| Record {
                response_body: Some(body.clone()),
                ..at(batch * 200 + i)
            })
            .collect();
        last = batch.last().unwrap().id.clone();
        store.insert(&batch).await.unwrap();
        assert!(size(&folder.path().join("log.db")) <= MOST + MOST / 4);
    }
    let page = store
        .page(&Filter::default(), Columns::Small, 1000, None)
        .await
        .unwrap();
    assert_eq!(page.records[0].id, last);
    // 16 MB were written; what is left is newest first, without gaps.
    let kept = store.totals(&Filter::default()).await.unwrap().requests;
    assert!((500..2000).contains(&kept), "{kept}");
    let seconds: Vec<_> = page
        .records
        .iter()
        .map(|record| record.started_at / 1_000_000)
        .collect();
    assert!(seconds.windows(2).all(|pair| pair[0] == pair[1] + 1));
}

#[tokio::test]
async fn the_files_are_their_owners_alone() {
    let folder = TempDir::new().unwrap();
    open(&folder, 1 << 30).insert(&[at(0)]).await.unwrap();
    for name in ["log.db", "log.db-wal", "log.db-shm"] {
        let mode = folder
            .path()
            .join(name)
            .metadata()
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
async fn a_row_that_the_database_refuses_is_told_and_its_batch_stored() {
    let fixture = fixture::sqlite();
    fixture.store.ready().await.unwrap();
    fixture
        .run("CREATE TRIGGER t BEFORE INSERT ON requests WHEN new.path = '/poison' BEGIN SELECT RAISE(ABORT, 'no'); END")
        .await;
    let mut batch: Vec<_> = (0..100).map(at).collect();
    batch[57].path = "/poison".into();
    let inserted = fixture.store.insert(&batch).await.unwrap();
    assert_eq!((inserted.stored, inserted.refused.len()), (99, 1));
    assert_eq!(inserted.refused[0].0, batch[57].id);
}

#[tokio::test]
async fn a_question_that_takes_too_long_is_given_up_and_holds_nothing_up() {
    let fixture = fixture::sqlite();
    fixture.store.insert(&[at(0)]).await.unwrap();
    let endless = "ALTER TABLE requests RENAME TO kept; CREATE VIEW requests AS SELECT kept.* FROM kept, \
        (WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c)";
    fixture.run(endless).await;
    let options = Options {
        patience: Duration::from_millis(500),
        readers: 1,
        ..Options::default()
    };
    let hurried = Store::open(&fixture.address, &options).unwrap();
    assert_eq!(hurried.totals(&Filter::default()).await, Err(Fault::Slow));
    fixture
        .run("DROP VIEW requests; ALTER TABLE kept RENAME TO requests")
        .await;
    assert_eq!(
        hurried.totals(&Filter::default()).await.unwrap().requests,
        1
    );
}

#[tokio::test]
async fn figures_of_very_many_rows_miss_none_and_count_none_twice() {
    let fixture = fixture::sqlite();
    let first = at(0);
    fixture
        .store
        .insert(std::slice::from_ref(&first))
        .await
        .unwrap();
    // More than are packed at once, and more than that at one moment.
    fixture
        .run(
            "INSERT INTO requests SELECT 'r' || x, started_at + max(x - 70000, 0), completed_at, proxy, route, namespace, \
             client_address, user_name, method, path, client_dialect, upstream_dialect, backend, upstream_url, \
             model_requested, model_sent, model_reported, stream, status, error, finish_reason, prompt_tokens, \
             completion_tokens, cached_tokens, reasoning_tokens, tokens_estimated, cost, attempts, request_bytes, \
             response_bytes, ttft_ms, duration_ms, upstream_ms, request_headers, request_body, response_body, \
             response_content, tool_calls, attributes, failed, replay_as FROM requests, \
             (WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 150000) SELECT x FROM c)",
        )
        .await;
    let totals = fixture.store.totals(&Filter::default()).await.unwrap();
    assert_eq!(
        (totals.requests, totals.prompt_tokens),
        (150_001, 1_500_010)
    );
    let top = fixture
        .store
        .top(&Filter::default(), Dimension::User, 5)
        .await
        .unwrap();
    assert_eq!(top[0].figures, totals);
    let all = Filter {
        from: Some(first.started_at),
        until: Some(first.started_at + 200_000),
        ..Filter::default()
    };
    let series = fixture
        .store
        .series(&all, Duration::from_millis(20))
        .await
        .unwrap();
    let each: Vec<_> = series.iter().map(|point| point.figures.requests).collect();
    assert_eq!(each, [90_000, 20_000, 20_000, 20_000, 1]);
}
