//! Whatever stands in a column, replies stay what they are.

use super::{full, get, open};
use crate::fixture::{Fixture, on_both};
use dragoman_logbook::record::{Attempt, Record};
use serde_json::json;

on_both!(any_text_in_any_column_comes_back_as_it_is);

/// What breaks out of HTML, of attributes, scripts, CSV, JSON, terminals and SQL where it is let.
pub(crate) const HOSTILE: &str = "</script></textarea><img src=x onerror=alert(1)>\"'`&lt;{{7*7}}${x}\r\nSet-Cookie: a=b\u{202e}\u{0}\u{7}\u{1b}[31m%00'; DROP TABLE requests; --";

/// A request with it in every column that takes a text.
pub(crate) fn hostile() -> Record {
    let text = || HOSTILE.to_owned();
    Record {
        id: text(),
        proxy: text(),
        route: Some(text()),
        namespace: text(),
        client_address: Some(text()),
        user_name: Some(text()),
        method: text(),
        path: text(),
        client_dialect: Some(text()),
        upstream_dialect: Some(text()),
        backend: Some(text()),
        upstream_url: Some(text()),
        model_requested: Some(text()),
        model_sent: Some(text()),
        model_reported: Some(text()),
        error: Some(text()),
        finish_reason: Some(text()),
        attempts: vec![Attempt {
            backend: text(),
            url: text(),
            error: Some(text()),
            ..Attempt::default()
        }],
        request_headers: vec![(text(), text())],
        request_body: Some(text()),
        response_body: Some(text()),
        response_content: Some(text()),
        tool_calls: Some(json!([{"name": HOSTILE, "arguments": HOSTILE}])),
        attributes: json!({HOSTILE: HOSTILE}).as_object().cloned(),
        ..full(0)
    }
}

async fn any_text_in_any_column_comes_back_as_it_is(fixture: Fixture) {
    fixture.store.insert(&[hostile()]).await.unwrap();
    let web = open(&fixture);
    // As it was stored: Postgres keeps no NUL.
    let stored = HOSTILE.replace('\0', "\u{fffd}");
    let page = get(&web, "/api/logs").await;
    assert_eq!(page.headers["content-type"], "application/json");
    assert_eq!(page.headers["x-content-type-options"], "nosniff");
    assert_eq!(page.json()["logs"][0]["user_name"], stored.as_str());
    let id: String = form_urlencoded::byte_serialize(stored.as_bytes()).collect();
    let log = get(&web, &format!("/api/logs/{}", id.replace('+', "%20"))).await;
    assert_eq!(log.json()["response_content"], stored.as_str());
    let named = get(
        &web,
        &format!("/api/logs?route={id}&model={id}&namespace={id}"),
    )
    .await;
    assert_eq!(named.json()["logs"].as_array().unwrap().len(), 1);
    assert_eq!(get(&web, "/api/stats?from=3d").await.status, 200);
    assert_eq!(get(&web, "/api/logs.csv?bodies=true").await.status, 200);
}
