//! What is judged by its model alone, and what may be JSON.

use super::*;

#[test]
fn a_model_is_enough_only_where_nothing_but_the_body_is_answered() {
    for path in [
        "/responses",
        "/images/generations",
        "/audio/speech",
        "/rerank",
        "/moderations/",
        "/chat/completions",
    ] {
        assert!(is_by_model(path), "{path}");
    }
    for path in [
        "/files",
        "/files/1/content",
        "/batches",
        "/responses/r1",
        "/responses/compact",
        "/chat/completions/c1",
        "/threads/t/runs",
        "/v1/rerank",
        "/Files;x",
        "/Rerank",
        "/x/openai/batches",
        "/images",
        "/images/files/1",
        "/videos",
        "/",
    ] {
        assert!(!is_by_model(path), "{path}");
    }
}

#[test]
fn what_curl_sends_by_default_may_be_json() {
    let is = |value: &str| {
        may_be_json(&HeaderMap::from_iter([(
            header::CONTENT_TYPE,
            value.parse().unwrap(),
        )]))
    };
    assert!(
        is("application/x-www-form-urlencoded")
            && is("application/json; charset=utf-8")
            && is("text/plain")
    );
    assert!(may_be_json(&HeaderMap::new()));
    assert!(
        !is("application/octet-stream")
            && !is("audio/wav")
            && !is("multipart/form-data; boundary=x")
    );
}
