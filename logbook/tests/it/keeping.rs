//! What is kept: by age on both databases, and each file or partition as it should be.

use crate::fixture::{Fixture, at, on_both};
use dragoman_logbook::query::{Columns, Filter};
use dragoman_logbook::record::Record;
use std::time::{Duration, SystemTime};

on_both!(
    rows_over_their_age_are_forgotten_and_others_kept,
    a_row_of_a_day_long_past_finds_its_place,
    forgetting_twice_at_once_is_harmless,
    a_store_opened_again_finds_its_rows,
    the_predecessors_views_hold_every_request,
);

const DAY: i64 = 86_400_000_000;

fn days_ago(days: i64) -> Record {
    let recent = at(0);
    Record {
        started_at: recent.started_at - days * DAY,
        completed_at: recent.completed_at - days * DAY,
        ..recent
    }
}

async fn stored(fixture: &Fixture) -> Vec<String> {
    let page = fixture
        .store
        .page(&Filter::default(), Columns::Small, 100, None)
        .await
        .unwrap();
    page.records.into_iter().map(|record| record.id).collect()
}

async fn rows_over_their_age_are_forgotten_and_others_kept(fixture: Fixture) {
    let records = [days_ago(0), days_ago(5), days_ago(9), days_ago(40)];
    fixture.store.insert(&records).await.unwrap();
    assert_eq!(stored(&fixture).await.len(), 4);
    fixture.store.retain(SystemTime::now()).await.unwrap();
    assert_eq!(
        stored(&fixture).await,
        [records[0].id.as_str(), &records[1].id]
    );
    // And what was dropped can be made again.
    assert_eq!(fixture.store.insert(&records).await.unwrap().stored, 2);
    fixture
        .store
        .retain(SystemTime::now() + Duration::from_hours(24 * 30))
        .await
        .unwrap();
    assert!(stored(&fixture).await.is_empty());
}

async fn a_row_of_a_day_long_past_finds_its_place(fixture: Fixture) {
    let old = days_ago(3000);
    fixture.store.insert(&[at(0), old.clone()]).await.unwrap();
    assert!(fixture.store.get(&old.id, None).await.unwrap().is_some());
}

async fn forgetting_twice_at_once_is_harmless(fixture: Fixture) {
    fixture
        .store
        .insert(&[days_ago(0), days_ago(9), days_ago(10), days_ago(11)])
        .await
        .unwrap();
    let (other, more) = (fixture.again(), [at(1), days_ago(2)]);
    let now = SystemTime::now();
    let (first, second, inserted) = tokio::join!(
        fixture.store.retain(now),
        other.retain(now),
        other.insert(&more)
    );
    first.unwrap();
    second.unwrap();
    assert_eq!(inserted.unwrap().stored, 2);
    assert_eq!(stored(&fixture).await.len(), 3);
}

async fn a_store_opened_again_finds_its_rows(fixture: Fixture) {
    let record = at(0);
    fixture
        .store
        .insert(std::slice::from_ref(&record))
        .await
        .unwrap();
    let again = fixture.again();
    assert_eq!(
        again
            .insert(std::slice::from_ref(&record))
            .await
            .unwrap()
            .known,
        1
    );
    assert!(again.get(&record.id, None).await.unwrap().is_some());
}

async fn the_predecessors_views_hold_every_request(fixture: Fixture) {
    let failed = Record {
        status: Some(500),
        error: Some("down".into()),
        response_content: None,
        ..at(1)
    };
    fixture.store.insert(&[at(0), failed]).await.unwrap();
    let access = "SELECT direction || ' ' || coalesce(cast(status_code AS text), '-') || ' ' || coalesce(content, '-') \
                  FROM accesslog ORDER BY created_at";
    let mut rows = fixture.texts(access).await;
    rows.sort();
    assert_eq!(
        rows,
        [
            "error 500 down",
            "request - -",
            "request - -",
            "response 200 Hello"
        ]
    );
    let router = "SELECT original_model || '>' || mapped_model || ' ' || source_ip FROM requestlog";
    assert_eq!(fixture.texts(router).await, ["gpt-4o>llama 10.0.0.7"; 2]);
}
