//! What a client gets, over real sockets.

use crate::client::{Caller, arrived, json, text};
use dragoman_simulator::{Simulator, State};
use http::{Method, StatusCode};
use serde_json::json;

const SAID: &str = "<think>a</think>\n\nÜber  die 🦀:\n```\n<x>\n```\n";

#[tokio::test]
async fn a_stream_joins_to_the_very_text_however_it_is_written() {
    let simulator = Simulator::builder().start().await.unwrap();
    for http2 in [false, true] {
        let caller = Caller::new(http2);
        for model in [
            "llama3-8b",
            "say",
            "say+chunk-1+split",
            "say+coalesced",
            "echo+crlf+escaped",
        ] {
            let response = caller
                .chat(&simulator.url(), model, SAID, true)
                .await
                .unwrap();
            assert_eq!(
                response.headers()["content-type"],
                "text/event-stream; charset=utf-8"
            );
            let (events, ended) = arrived(response).await;
            assert_eq!(text(&events), SAID, "{model}");
            assert!(
                ended && events.trim_end().ends_with("data: [DONE]"),
                "{model}"
            );
        }
    }
}

#[tokio::test]
async fn a_cut_breaks_off_after_its_events() {
    let simulator = Simulator::builder().start().await.unwrap();
    for http2 in [false, true] {
        let caller = Caller::new(http2);
        let response = caller
            .chat(&simulator.url(), "cut-3", "a b c d", true)
            .await
            .unwrap();
        let (events, ended) = arrived(response).await;
        assert_eq!((events.matches("data: ").count(), ended), (3, false));
        let response = caller
            .chat(&simulator.url(), "cut-3", "a b c d", false)
            .await
            .unwrap();
        assert!(!arrived(response).await.1);
        assert!(
            caller
                .chat(&simulator.url(), "drop", "a", true)
                .await
                .is_err()
        );
    }
    assert!(
        simulator
            .requests()
            .iter()
            .all(|request| request.state == State::Cut)
    );
}

#[tokio::test]
async fn equal_calls_get_equal_replies() {
    let mut replies = vec![];
    for _ in 0..2 {
        let simulator = Simulator::builder().name("one").start().await.unwrap();
        let caller = Caller::new(false);
        let response = caller
            .chat(&simulator.url(), "think+tools", "hi", true)
            .await
            .unwrap();
        replies.push(arrived(response).await);
    }
    assert_eq!(replies[0], replies[1]);
    assert!(replies[0].0.contains("\"system_fingerprint\":\"one\""));
}

#[tokio::test]
async fn a_status_comes_with_its_headers() {
    let simulator = Simulator::builder().start().await.unwrap();
    let caller = Caller::new(false);
    let model = "status-429+retry-after-2+headers";
    let response = caller
        .chat(&simulator.url(), model, "hi", true)
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(response.headers()["retry-after"], "2");
    assert_eq!(response.headers().get_all("set-cookie").iter().count(), 2);
    assert_eq!(
        json(response).await.unwrap()["error"]["code"],
        "rate_limit_exceeded"
    );
    let response = caller
        .chat(&simulator.url(), "status-502+html", "hi", true)
        .await
        .unwrap();
    assert_eq!(response.headers()["content-type"], "text/html");
}

#[tokio::test]
async fn a_fault_heals_after_its_times() {
    let simulator = Simulator::builder().start().await.unwrap();
    let caller = Caller::new(false);
    let mut statuses = vec![];
    for _ in 0..3 {
        let response = caller
            .chat(&simulator.url(), "status-503+times-2", "hi", false)
            .await;
        statuses.push(response.unwrap().status().as_u16());
    }
    assert_eq!(statuses, [503, 503, 200]);
}

#[tokio::test]
async fn what_the_api_refuses_is_refused_even_by_a_faulty_model() {
    let simulator = Simulator::builder().start().await.unwrap();
    let caller = Caller::new(false);
    let body = json!({"model": "hang", "messages": []});
    let url = format!("{}/chat/completions", simulator.url());
    let response = caller.send(Method::POST, &url, &body).await.unwrap();
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    let error = &json(response).await.unwrap()["error"];
    assert_eq!(
        (&error["type"], &error["param"]),
        (&json!("invalid_request_error"), &json!("messages"))
    );
}

#[tokio::test]
async fn every_endpoint_answers() {
    let simulator = Simulator::builder().start().await.unwrap();
    let caller = Caller::new(true);
    for (path, body) in [
        (
            "completions",
            json!({"model": "echo", "prompt": ["a", "b"]}),
        ),
        (
            "completions",
            json!({"model": "echo", "prompt": "a", "stream": true}),
        ),
        (
            "embeddings",
            json!({"model": "echo", "input": "a", "encoding_format": "base64"}),
        ),
        (
            "images/generations",
            json!({"model": "echo", "prompt": "a"}),
        ),
        (
            "audio/speech",
            json!({"model": "echo", "input": "a", "voice": "alloy"}),
        ),
        ("moderations", json!({"input": ["a", "b"]})),
        (
            "rerank",
            json!({"model": "echo", "query": "a", "documents": ["a", "b"]}),
        ),
        ("files", json!({})),
    ] {
        let url = format!("{}/{path}", simulator.url());
        let response = caller.send(Method::POST, &url, &body).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert!(arrived(response).await.1, "{path}");
    }
    for (method, path, status) in [
        (Method::DELETE, "/v1/files/f", 200),
        (Method::GET, "/v1/files/f/content", 200),
        (Method::GET, "/v1/models/echo", 200),
        (Method::GET, "/v1/models/nobody", 404),
        (Method::GET, "/v1/embeddings", 405),
        (Method::POST, "/v1/fine_tuning/jobs", 404),
        (Method::GET, "/elsewhere", 404),
        (Method::GET, "/health", 200),
    ] {
        let url = format!("{}{path}", simulator.origin());
        let response = caller.send(method, &url, &json!({})).await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{path}");
        assert!(status == 200 || json(response).await.unwrap()["error"]["message"].is_string());
    }
}
