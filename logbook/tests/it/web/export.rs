//! Exports: all that a filter lets through, a page at a time.

use super::{full, get, open, request};
use crate::fixture::{Fixture, at, on_both};
use dragoman_logbook::record::Record;
use http_body_util::BodyExt as _;
use serde_json::Value;

on_both!(
    an_export_has_every_row_once_however_many_pages,
    an_export_is_read_as_it_is_sent,
    no_cell_of_a_csv_is_a_formula,
    an_export_has_bodies_where_it_is_asked_to,
);

async fn an_export_has_every_row_once_however_many_pages(fixture: Fixture) {
    let batch: Vec<_> = (0..1203).map(at).collect();
    fixture.store.insert(&batch).await.unwrap();
    let web = open(&fixture);
    let mut expected: Vec<_> = batch.into_iter().map(|record| record.id).collect();
    expected.reverse();
    let jsonl = get(&web, "/api/logs.jsonl").await;
    let found: Vec<_> = jsonl
        .text
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["id"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(found, expected);
    let csv = get(&web, "/api/logs.csv?user=alice").await;
    assert_eq!(csv.headers["content-type"], "text/csv; charset=utf-8");
    assert_eq!(
        csv.headers["content-disposition"],
        "attachment; filename=\"requests.csv\""
    );
    let lines: Vec<_> = csv.text.split_terminator("\r\n").collect();
    assert!(lines[0].starts_with("id,started_at,completed_at,"));
    assert_eq!(lines.len(), 1204);
    assert!(lines[1203].starts_with(&format!("\"{}\",", expected[1202])));
    for (limit, rows) in [(1, 1), (500, 500), (501, 501), (9999, 1203)] {
        let some = get(&web, &format!("/api/logs.jsonl?limit={limit}")).await;
        assert_eq!(some.text.lines().count(), rows, "{limit}");
    }
}

async fn an_export_is_read_as_it_is_sent(fixture: Fixture) {
    let batch: Vec<_> = (0..1100).map(at).collect();
    fixture.store.insert(&batch).await.unwrap();
    let reply = open(&fixture)
        .serve(request("GET", "/api/logs.jsonl"), false)
        .await;
    let mut body = reply.into_body();
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first.iter().filter(|byte| **byte == b'\n').count(), 500);
    // What is gone before it is read is not sent: nothing was held.
    fixture.run("DELETE FROM requests").await;
    assert_eq!(body.collect().await.unwrap().to_bytes().len(), 0);
}

async fn no_cell_of_a_csv_is_a_formula(fixture: Fixture) {
    let formula = "=HYPERLINK(\"http://evil.example\")";
    let evil = Record {
        user_name: Some(formula.into()),
        model_requested: Some("@SUM(A1)".into()),
        path: "-1+1".into(),
        error: Some("a\r\n=1".into()),
        response_content: Some(format!("\t{formula}")),
        ..full(0)
    };
    fixture.store.insert(&[evil]).await.unwrap();
    let csv = get(&open(&fixture), "/api/logs.csv?bodies=true").await.text;
    for cell in [
        "\"'=HYPERLINK(\"\"http://evil.example\"\")\"",
        "\"'@SUM(A1)\"",
        "\"'-1+1\"",
        "\"a\r\n=1\"",
        "\"'\t=HYPERLINK(",
    ] {
        assert!(csv.contains(cell), "{cell} in {csv}");
    }
}

async fn an_export_has_bodies_where_it_is_asked_to(fixture: Fixture) {
    let batch: Vec<_> = (0..40).map(full).collect();
    fixture.store.insert(&batch).await.unwrap();
    let web = open(&fixture);
    let with = get(&web, "/api/logs.jsonl?bodies=true").await.text;
    let bodies = with.lines().filter(|line| {
        serde_json::from_str::<Value>(line).unwrap()["request_body"] == "{\"model\":\"gpt-4o\"}"
    });
    assert_eq!(bodies.count(), 40);
    let without = get(&web, "/api/logs.jsonl?bodies=false").await.text;
    assert!(!without.contains("request_body"));
}
