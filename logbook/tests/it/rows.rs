//! What is stored is what was offered, once.

use crate::fixture::{Fixture, at, noon, on_both};
use dragoman_logbook::fault::Fault;
use dragoman_logbook::query::{Columns, Filter};
use dragoman_logbook::record::{Attempt, Record};
use serde_json::json;

on_both!(
    every_column_comes_back_as_it_was_stored,
    a_row_of_nothing_but_its_id_and_times_is_stored,
    a_batch_inserted_again_stores_nothing_twice,
    nul_in_any_text_is_replaced_and_blocks_nothing,
    a_row_that_cannot_be_stored_is_told_and_the_others_are_stored,
    names_longer_than_an_index_takes_are_cut_and_found,
    large_bodies_are_stored_whole,
);

fn full() -> Record {
    Record {
        completed_at: noon() + 7,
        upstream_dialect: Some("ollama".into()),
        backend: Some("team/ollama".into()),
        upstream_url: Some("http://ollama:11434/api/chat".into()),
        model_reported: Some("llama:8b".into()),
        stream: true,
        status: Some(502),
        error: Some("the upstream closed the stream: ünïcode, 'quotes', \\ and \"more\"".into()),
        finish_reason: Some("length".into()),
        cached_tokens: Some(3),
        reasoning_tokens: Some(0),
        tokens_estimated: true,
        cost: Some(123_456_789),
        attempts: vec![Attempt {
            backend: "team/vllm".into(),
            url: "http://vllm/v1".into(),
            status: None,
            error: Some("refused".into()),
            started_ms: 1,
            duration_ms: 2,
        }],
        request_bytes: i64::MAX,
        response_bytes: 17,
        upstream_ms: Some(240),
        request_headers: vec![
            ("accept".into(), "*/*".into()),
            ("accept".into(), "b".into()),
        ],
        request_body: Some("{\"a\":1}\n\t".into()),
        response_body: Some(String::new()),
        response_content: Some("Grüße 🙂".into()),
        tool_calls: Some(json!([{"name": "f", "arguments": {"x": [1, 2.5, null]}}])),
        attributes: json!({"team": "red", "n": 5, "deep": {"a": [true]}})
            .as_object()
            .cloned(),
        replay_as: Some("text/event-stream; charset=utf-8".into()),
        ..at(0)
    }
}

async fn every_column_comes_back_as_it_was_stored(fixture: Fixture) {
    let record = full();
    fixture
        .store
        .insert(std::slice::from_ref(&record))
        .await
        .unwrap();
    assert_eq!(
        fixture.store.get(&record.id, None).await.unwrap(),
        Some(record.clone())
    );
    let page = fixture
        .store
        .page(&Filter::default(), Columns::All, 10, None)
        .await
        .unwrap();
    assert_eq!(page.records, std::slice::from_ref(&record));
    let small = fixture
        .store
        .page(&Filter::default(), Columns::Small, 10, None)
        .await
        .unwrap();
    let expected = Record {
        request_headers: Vec::new(),
        request_body: None,
        response_body: None,
        response_content: None,
        tool_calls: None,
        ..record
    };
    assert_eq!(small.records, [expected]);
}

async fn a_row_of_nothing_but_its_id_and_times_is_stored(fixture: Fixture) {
    let bare = Record {
        id: "x".into(),
        started_at: noon(),
        completed_at: noon(),
        ..Record::default()
    };
    let inserted = fixture
        .store
        .insert(std::slice::from_ref(&bare))
        .await
        .unwrap();
    assert_eq!((inserted.stored, inserted.refused.len()), (1, 0));
    assert_eq!(fixture.store.get("x", None).await.unwrap(), Some(bare));
}

async fn a_batch_inserted_again_stores_nothing_twice(fixture: Fixture) {
    let mut batch: Vec<_> = (0..10).map(at).collect();
    batch.push(batch[3].clone());
    let first = fixture.store.insert(&batch).await.unwrap();
    assert_eq!((first.stored, first.known), (10, 1));
    batch.push(at(99));
    let again = fixture.store.insert(&batch).await.unwrap();
    assert_eq!((again.stored, again.known), (1, 11));
    assert_eq!(
        fixture
            .store
            .totals(&Filter::default())
            .await
            .unwrap()
            .requests,
        11
    );
}

async fn nul_in_any_text_is_replaced_and_blocks_nothing(fixture: Fixture) {
    let poisoned = Record {
        path: "/a\0b".into(),
        user_name: Some("\0".into()),
        request_headers: vec![("x\0".into(), "\0y".into())],
        response_content: Some("one\0two".into()),
        tool_calls: Some(json!({"k\0": "\0"})),
        ..at(0)
    };
    let inserted = fixture
        .store
        .insert(&[poisoned.clone(), at(1)])
        .await
        .unwrap();
    assert_eq!((inserted.stored, inserted.refused.len()), (2, 0));
    let stored = fixture
        .store
        .get(&poisoned.id, None)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(stored.path, "/a\u{fffd}b");
    assert_eq!(stored.response_content.as_deref(), Some("one\u{fffd}two"));
    assert_eq!(
        stored.request_headers,
        [("x\u{fffd}".to_owned(), "\u{fffd}y".to_owned())]
    );
    assert_eq!(stored.tool_calls, Some(json!({"k\u{fffd}": "\u{fffd}"})));
}

async fn a_row_that_cannot_be_stored_is_told_and_the_others_are_stored(fixture: Fixture) {
    let year_1970 = Record {
        started_at: 5,
        ..at(0)
    };
    let ahead = Record {
        completed_at: noon() + 10 * 86_400_000_000,
        ..at(0)
    };
    let batch = [at(1), year_1970.clone(), at(2), ahead.clone(), at(3)];
    let inserted = fixture.store.insert(&batch).await.unwrap();
    assert_eq!(inserted.stored, 3);
    let refused: Vec<_> = inserted.refused.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(refused, [year_1970.id, ahead.id]);
    assert!(
        inserted
            .refused
            .iter()
            .all(|(_, fault)| matches!(fault, Fault::Row(_)))
    );
}

async fn names_longer_than_an_index_takes_are_cut_and_found(fixture: Fixture) {
    // Nothing that an index compresses well.
    let long: String = (0..3000_u32)
        .map(|i| char::from(b'a' + (i * i % 23) as u8))
        .collect();
    let record = Record {
        user_name: Some(long.clone()),
        model_requested: Some(long.clone()),
        route: Some(long.clone()),
        namespace: long.clone(),
        id: long.clone(),
        ..at(0)
    };
    let inserted = fixture.store.insert(&[record, at(1)]).await.unwrap();
    assert_eq!((inserted.stored, inserted.refused.len()), (2, 0));
    let filter = Filter {
        user: Some(long.clone()),
        model: Some(long),
        ..Filter::default()
    };
    let page = fixture
        .store
        .page(&filter, Columns::Small, 10, None)
        .await
        .unwrap();
    assert_eq!(page.records.len(), 1);
}

async fn large_bodies_are_stored_whole(fixture: Fixture) {
    let body = "0123456789abcdef".repeat(512 * 1024);
    let record = Record {
        response_body: Some(body.clone()),
        ..at(0)
    };
    fixture
        .store
        .insert(std::slice::from_ref(&record))
        .await
        .unwrap();
    let stored = fixture.store.get(&record.id, None).await.unwrap().unwrap();
    assert!(stored.response_body == Some(body));
}
