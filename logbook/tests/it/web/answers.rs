//! What the APIs answer.

use super::{Runs, ask, full, get, ids, open};
use crate::fixture::{Fixture, at, noon, on_both};
use dragoman_logbook::record::Record;
use dragoman_logbook::store::{Options, Store};
use dragoman_logbook::web::{Entrance, NoneLive, Running, Web};
use serde_json::{Value, json};
use std::sync::Arc;

on_both!(
    a_log_has_every_column_and_a_list_what_is_small,
    pages_neither_miss_nor_repeat_a_row_while_new_ones_come,
    each_filter_of_a_url_lets_through_what_it_names,
    figures_are_in_all_over_time_and_by_model_route_and_user,
    what_cannot_be_asked_is_refused_by_name_with_the_cure,
);

async fn a_log_has_every_column_and_a_list_what_is_small(fixture: Fixture) {
    let record = full(0);
    let batch = std::slice::from_ref(&record);
    fixture.store.insert(batch).await.unwrap();
    let web = open(&fixture);
    let log = get(&web, &format!("/api/logs/{}", record.id)).await.json();
    assert_eq!(log["cost"], "0.00125");
    assert_eq!(log["failed"], true);
    assert_eq!(log["attempts"][0]["status"], 503);
    assert_eq!(log["request_headers"], json!([["accept", "*/*"]]));
    assert_eq!(log["tool_calls"][0]["arguments"]["x"], 1);
    assert_eq!(log["request_body"], r#"{"model":"gpt-4o"}"#);
    let started = log["started_at"].as_str().unwrap();
    assert!(started.ends_with("T12:00:00Z"), "{started}");
    let page = get(&web, "/api/logs").await.json();
    assert_eq!(page["next"], Value::Null);
    let mut small = log.as_object().unwrap().clone();
    for large in [
        "request_headers",
        "request_body",
        "response_body",
        "response_content",
        "tool_calls",
    ] {
        small.remove(large).unwrap();
    }
    assert_eq!(page["logs"], json!([small]));
    let missing = get(&web, "/api/logs/another").await;
    assert_eq!(missing.refusal().0, 404);
}

async fn pages_neither_miss_nor_repeat_a_row_while_new_ones_come(fixture: Fixture) {
    // Ids that nobody would make, too: a page may end at any of them.
    let batch: Vec<_> = (0..23)
        .map(|i| Record {
            id: format!("{i:02} ü.&=%/\"\n"),
            ..at(i / 10)
        })
        .collect();
    fixture.store.insert(&batch).await.unwrap();
    let web = open(&fixture);
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = get(&web, &format!("/api/logs?limit=4{after}")).await.json();
        seen.extend(ids(&page));
        fixture.store.insert(&[at(100)]).await.unwrap();
        let Some(next) = page["next"].as_str() else {
            break;
        };
        after = format!("&after={next}");
    }
    let mut expected: Vec<_> = batch.into_iter().map(|record| record.id).collect();
    expected.reverse();
    assert_eq!(seen, expected);
}

async fn each_filter_of_a_url_lets_through_what_it_names(fixture: Fixture) {
    let odd = Record {
        namespace: "other".into(),
        route: Some("ro te".into()),
        user_name: Some("b&b".into()),
        model_requested: Some("o3=".into()),
        status: Some(503),
        duration_ms: 9000,
        request_body: Some("a NEEDLE".into()),
        attributes: json!({"a.b": "red=1"}).as_object().cloned(),
        ..at(1)
    };
    let id = odd.id.clone();
    fixture.store.insert(&[at(0), odd, at(2)]).await.unwrap();
    let web = open(&fixture);
    let (from, until) = (time(noon() + 1_000_000), time(noon() + 2_000_000));
    for query in [
        "namespace=other",
        "namespace=nobody&namespace=other",
        "route=ro+te",
        "route=ro%20te",
        "user=b%26b",
        "model=o3=",
        "status=503",
        "status=5xx",
        "status=failed",
        "min_duration_ms=9000",
        "text=needle&from=3d",
        "attribute=a.b=red=1",
        &format!("from={from}&until={until}"),
        &format!("from={from}&until={until}&status=503&namespace=other&route=ro+te"),
    ] {
        let page = get(&web, &format!("/api/logs?{query}")).await.json();
        assert_eq!(ids(&page), [id.as_str()], "{query}");
    }
    for query in [
        "status=4xx",
        "from=1s",
        "until=3d",
        "user=B%26b",
        "text=needle&from=1s",
    ] {
        let page = get(&web, &format!("/api/logs?{query}")).await.json();
        assert!(ids(&page).is_empty(), "{query}");
    }
}

fn time(micros: i64) -> String {
    jiff::Timestamp::from_microsecond(micros)
        .unwrap()
        .to_string()
}

async fn figures_are_in_all_over_time_and_by_model_route_and_user(fixture: Fixture) {
    let slow = Record {
        user_name: Some("bob".into()),
        status: Some(500),
        duration_ms: 12_288,
        ..at(61)
    };
    fixture.store.insert(&[at(0), at(1), slow]).await.unwrap();
    let web = open(&fixture);
    let (from, until) = (time(noon()), time(noon() + 3_600_000_000));
    let stats = get(&web, &format!("/api/stats?from={from}&until={until}&top=1"))
        .await
        .json();
    assert_eq!(stats["from"], from.as_str());
    assert_eq!(stats["step_seconds"], 60);
    let totals = json!({
        "requests": 3, "errors": 1, "prompt_tokens": 30, "completion_tokens": 15, "cost": "0.00375",
        "duration_ms": {"p50": 248, "p95": 12_288, "p99": 12_288}, "ttft_ms": {"p50": 40, "p95": 40, "p99": 40}
    });
    assert_eq!(stats["totals"], totals);
    let series = stats["series"].as_array().unwrap();
    assert_eq!(series.len(), 2);
    assert_eq!(
        (&series[0]["at"], &series[0]["requests"]),
        (&json!(from), &json!(2))
    );
    assert_eq!(stats["by_user"].as_array().unwrap().len(), 1);
    assert_eq!(stats["by_user"][0]["name"], "alice");
    assert_eq!(stats["by_route"][0]["name"], "team/chat");
    assert_eq!(stats["by_model"][0]["requests"], 3);
    // A step for which there are too many points is made longer.
    let fine = get(&web, "/api/stats?from=30d&step=1s").await.json();
    assert_eq!(fine["step_seconds"], 1297);
    assert_eq!(fine["totals"]["requests"], 3);
}

async fn what_cannot_be_asked_is_refused_by_name_with_the_cure(fixture: Fixture) {
    let web = open(&fixture);
    for (path, parameter, cure) in [
        ("/api/logs?form=1h", "form", "it takes from, until"),
        ("/api/logs/x?from=1h", "from", "it takes none"),
        ("/api/logs?step=5m", "step", "it takes from"),
        ("/api/logs?limit=0", "limit", "from 1 to 1000"),
        ("/api/logs?limit=1001", "limit", "from 1 to 1000"),
        ("/api/logs?limit=+5", "limit", "from 1 to 1000"),
        ("/api/logs?limit=5&limit=6", "limit", "1 times at most"),
        ("/api/logs?from=yesterday", "from", "24h or 7d"),
        ("/api/logs?from=", "from", "RFC 3339"),
        ("/api/logs?until=2026-02-30T00:00:00Z", "until", "RFC 3339"),
        ("/api/logs?status=600", "status", "5xx"),
        ("/api/logs?user=", "user", "leave it out for any"),
        ("/api/logs?min_duration_ms=-1", "min_duration_ms", "from 0"),
        ("/api/logs?attribute=red", "attribute", "name=value"),
        ("/api/logs?attribute==red", "attribute", "name=value"),
        ("/api/logs?after=zz", "after", "the first page"),
        ("/api/logs.csv?bodies=yes", "bodies", "true or false"),
        ("/api/logs.csv?after=5f-61", "after", "it takes"),
        ("/api/stats?step=0s", "step", "30s, 5m or 1h"),
        ("/api/stats?top=101", "top", "from 1 to 100"),
        ("/api/inflight?user=a", "user", "it takes none"),
    ] {
        let reply = get(&web, path).await;
        let (status, named, message) = reply.refusal();
        assert_eq!((status, named), (400, json!(parameter)), "{path}");
        assert!(message.contains(cure), "{path}: {message}");
    }
    for path in [
        "/api/",
        "/api/log",
        "/api/logs/",
        "/api/logs/a/b",
        "/api/logs.xml",
    ] {
        assert_eq!(get(&web, path).await.refusal().0, 404, "{path}");
    }
    for (method, path, allow) in [
        ("POST", "/api/logs", "GET, HEAD"),
        ("DELETE", "/api/logs/x", "GET, HEAD"),
        ("BREW", "/api/stats", "GET, HEAD"),
        ("GET", "/api/inflight/x", "DELETE"),
    ] {
        let reply = ask(&web, method, path).await;
        assert_eq!(reply.refusal().0, 405, "{method} {path}");
        assert_eq!(reply.headers["allow"], allow);
    }
    assert_eq!(ask(&web, "HEAD", "/api/logs").await.status, 200);
}

#[tokio::test]
async fn what_runs_is_listed_longest_first_with_its_rate_and_can_be_cancelled() {
    let fixture = crate::fixture::sqlite();
    let now = dragoman_logbook::store::micros(std::time::SystemTime::now());
    let running = |id: &str, ago: i64| Running {
        id: id.into(),
        started_at: now - ago * 1_000_000,
        namespace: "team".into(),
        ttft_ms: Some(1000),
        completion_tokens: 90,
        ..Running::default()
    };
    let runs = Arc::new(Runs::default());
    *runs.0.lock().unwrap() = vec![running("young", 2), running("old", 10)];
    let web = Web::new(
        fixture.store.clone(),
        Arc::clone(&runs) as _,
        Entrance::open(),
    );
    let list = get(&web, "/api/inflight").await.json();
    let inflight = list["inflight"].as_array().unwrap();
    assert_eq!(inflight[0]["id"], "old");
    assert!(inflight[0]["duration_ms"].as_i64().unwrap() >= 10_000);
    let rate = inflight[0]["tokens_per_second"].as_f64().unwrap();
    assert!(rate > 0.0 && rate <= 10.0, "{rate}");
    let cancelled = ask(&web, "DELETE", "/api/inflight/old").await;
    assert_eq!(cancelled.json(), json!({"cancelled": "old"}));
    let again = ask(&web, "DELETE", "/api/inflight/old").await;
    assert_eq!(again.refusal().0, 404);
    assert_eq!(runs.0.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_database_that_is_away_is_told_without_what_it_said() {
    let store = Store::open(
        "postgres://log:hunter2@127.0.0.1:1/log",
        &Options::default(),
    )
    .unwrap();
    let web = Web::new(store, Arc::new(NoneLive), Entrance::open());
    for path in ["/api/logs", "/api/logs/x", "/api/stats", "/api/logs.csv"] {
        let reply = get(&web, path).await;
        assert_eq!(reply.status, 503, "{path}");
        assert_eq!(reply.headers["retry-after"], "5");
        assert!(!reply.text.contains("127.0.0.1") && !reply.text.contains("hunter2"));
    }
}
