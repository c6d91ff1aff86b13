//! What a client gets when something fails, and what is tried before.

use dragoman_config::{Key, Kind, RetryItem, Target};
use dragoman_crds::{BackendHealth, ModelTarget, RetryOn};
use http::Method;
use serde_json::json;

use crate::harness::*;

mod keys;

#[tokio::test]
async fn an_unknown_route_is_404_and_names_what_was_asked() {
    let simulator = simulator().await;
    let proxy = Proxy::start(simple(&simulator));
    let got = proxy
        .send(
            Method::GET,
            "/v1/models",
            &[("host", "other.example:81")],
            "",
        )
        .await;
    assert_eq!(
        (got.status.as_u16(), got.error_code().as_str()),
        (404, "route_not_found")
    );
    assert!(got.text().contains("other.example"), "{}", got.text());
    let got = proxy.get("/routes/team-a/none/v1/models").await;
    assert!(got.text().contains("/routes/team-a/none"), "{}", got.text());
    assert_eq!(got.header("x-dragoman-fault"), Some("client"));
}

#[tokio::test]
async fn bad_bodies_are_refused_with_their_place() {
    let simulator = simulator().await;
    let proxy = Proxy::start(simple(&simulator));
    for (body, status, code) in [
        ("{\"model\": \"echo\",}", 400, "invalid_json"),
        ("", 400, "invalid_json"),
        ("[]", 400, "invalid_json"),
        ("{}", 400, "missing_model"),
        ("{\"model\": 1}", 400, "missing_model"),
    ] {
        let got = proxy
            .send(Method::POST, "/v1/chat/completions", &[], body)
            .await;
        assert_eq!(
            (got.status.as_u16(), got.error_code().as_str()),
            (status, code),
            "{body}"
        );
        assert_eq!(got.header("x-should-retry"), Some("false"));
    }
    let got = proxy
        .send(Method::POST, "/v1/chat/completions", &[], "{\"a\":tru}")
        .await;
    assert!(got.text().contains("byte 5"), "{}", got.text());
    let encoded = [("content-encoding", "gzip")];
    let got = proxy
        .send(Method::POST, "/v1/chat/completions", &encoded, "{}")
        .await;
    assert_eq!(
        (got.status.as_u16(), got.error_code().as_str()),
        (415, "encoded_body")
    );
    let got = proxy
        .send(
            Method::POST,
            "/v1/chat/completions",
            &[],
            vec![b' '; 2 << 20],
        )
        .await;
    assert_eq!(
        (got.status.as_u16(), got.error_code().as_str()),
        (413, "body_too_large")
    );
    assert!(simulator.requests().is_empty());
}

#[tokio::test]
async fn each_upstream_fault_has_its_status() {
    let simulator = simulator().await;
    let mut slow = backend_at(&simulator);
    slow.timeouts.first_byte_ms = 50;
    let mut nameless = backend_at(&simulator);
    nameless.url.host = "no-such-host.invalid".into();
    let items = items()
        .put_route("slow", route(vec![entry("b", slow)]))
        .put_route("down", route(vec![entry("b", backend_nowhere(&simulator))]))
        .put_route("nameless", route(vec![entry("b", nameless)]))
        .put_route("chat", route(vec![entry("b", backend_at(&simulator))]));
    let proxy = Proxy::start(items);
    for (route, model, status, code) in [
        ("slow", "hang", 504, "upstream_timeout"),
        ("down", "echo", 502, "upstream_unreachable"),
        ("nameless", "echo", 502, "upstream_unresolved"),
        ("chat", "drop", 502, "upstream_failed"),
    ] {
        let path = format!("/routes/team-a/{route}/v1/chat/completions");
        let got = proxy.post(&path, &chat(model, "x", false)).await;
        assert_eq!(
            (got.status.as_u16(), got.error_code().as_str()),
            (status, code),
            "{route}"
        );
        assert_eq!(got.header("x-dragoman-fault"), Some("upstream"));
        assert_eq!(got.header("x-should-retry"), Some("true"));
        assert!(!got.text().contains("127.0.0.1"), "{}", got.text());
    }
}

#[tokio::test]
async fn a_stream_that_breaks_ends_with_an_error_event_and_no_done() {
    let simulator = simulator().await;
    let proxy = Proxy::start(simple(&simulator));
    for words in ["tokens-9+cut-4", "think+cut-2"] {
        let got = proxy.stream(words, "x").await;
        assert_eq!(got.status, 200);
        assert!(got.complete);
        let last = got
            .text()
            .trim_end()
            .rsplit("\n\n")
            .next()
            .unwrap()
            .to_owned();
        let event: serde_json::Value =
            serde_json::from_str(last.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(event["error"]["code"], "upstream_cut", "{}", got.text());
        assert!(!got.text().contains("[DONE]"));
    }
    // What is no stream is cut off, so that nobody takes a part for the whole.
    let mut keep = route(vec![entry("sim", backend_at(&simulator))]);
    keep.thinking.text = dragoman_crds::ThinkingText::Keep;
    proxy.shared.publish(items().put_route("chat", keep));
    let got = proxy.chat("huge-1MiB+cut-1", "x").await;
    assert!(!got.complete);
}

#[tokio::test]
async fn upstream_errors_are_mirrored_in_openais_shape() {
    let simulator = simulator().await;
    let proxy = Proxy::start(simple(&simulator));
    for stream in [false, true] {
        for status in [400, 401, 404, 422, 429, 500, 503] {
            for words in ["", "+html"] {
                let model = format!("status-{status}+retry-after-7{words}");
                let got = proxy
                    .post("/v1/chat/completions", &chat(&model, "x", stream))
                    .await;
                assert_eq!(got.status.as_u16(), status, "{model}");
                got.error_code();
                assert_eq!(got.header("retry-after"), Some("7"), "{model}");
                assert!(got.header("x-request-id").unwrap().starts_with("req_sim_"));
                let retry = if status == 429 || status >= 500 {
                    "true"
                } else {
                    "false"
                };
                assert_eq!(got.header("x-should-retry"), Some(retry), "{model}");
                assert!(!got.text().contains('<'), "{}", got.text());
            }
        }
    }
}

#[tokio::test]
async fn a_json_error_of_the_upstream_keeps_its_bytes() {
    let simulator = simulator().await;
    let proxy = Proxy::start(simple(&simulator));
    let through = proxy.chat("status-404", "x").await;
    assert!(through.json()["error"]["message"].is_string());
    assert_eq!(
        through.header("content-length").unwrap(),
        through.body.len().to_string()
    );
}

#[tokio::test]
async fn the_next_backend_answers_when_one_fails_before_its_first_byte() {
    let simulator = simulator().await;
    let other = self::simulator_named("other").await;
    for words in [
        "status-429",
        "status-502",
        "status-503",
        "status-504",
        "drop",
    ] {
        let mut second = entry("second", backend_at(&other));
        second.priority = 1;
        let names = {
            let mut names = map();
            let mut both = rule(exact("m"), words);
            both.fallbacks = vec![];
            names.rules = vec![both];
            names
        };
        // The second backend knows the name as a model that answers.
        let mut catalogued = backend_at(&other);
        catalogued.catalog = vec![dragoman_config::Catalogued {
            price: None,
            name: words.into(),
            upstream_name: "echo".into(),
            context_length: None,
            metadata: serde_json::Map::new(),
        }];
        second.target = dragoman_config::Target::Inline(Box::new(catalogued));
        let mut item = route(vec![entry("first", backend_at(&simulator)), second]);
        item.model_map = Some(dragoman_config::Target::Item(dragoman_config::Key::new(
            dragoman_config::Kind::Map,
            "team-a",
            "names",
        )));
        let proxy = Proxy::start(items().put_route("chat", item).put_map("names", names));
        let got = proxy.chat("m", "hello").await;
        assert_eq!(got.status, 200, "{words}: {}", got.text());
        assert_eq!(other.requests().last().unwrap().json()["model"], "echo");
    }
}

async fn simulator_named(name: &str) -> dragoman_simulator::Simulator {
    dragoman_simulator::Simulator::builder()
        .name(name)
        .start()
        .await
        .unwrap()
}

#[tokio::test]
async fn an_unreachable_backend_is_left_out_and_told() {
    let simulator = simulator().await;
    let mut up = entry("up", backend_at(&simulator));
    up.priority = 1;
    let item = route(vec![entry("down", backend_nowhere(&simulator)), up]);
    let proxy = Proxy::start(items().put_route("chat", item));
    let mut changed = proxy.shared.health_changed();
    changed.mark_unchanged();
    assert_eq!(proxy.chat("echo", "x").await.status, 200);
    changed.changed().await.unwrap();
    let health = proxy.shared.health();
    let down = health
        .iter()
        .find(|report| report.backend.as_deref() == Some("down"))
        .unwrap();
    assert_eq!(down.health, BackendHealth::Unhealthy);
    assert!(
        down.message
            .as_deref()
            .is_some_and(|message| message.contains("connect"))
    );
    assert!(proxy.shared.metrics_text().contains("kind=\"connect\""));
}

#[tokio::test]
async fn the_only_backend_is_asked_again_whatever_its_health() {
    let simulator = simulator().await;
    let proxy = Proxy::start(simple(&simulator));
    for _ in 0..5 {
        assert_eq!(proxy.chat("status-503+times-5", "x").await.status, 503);
    }
    assert_eq!(proxy.chat("status-503+times-5", "x").await.status, 200);
}

#[tokio::test]
async fn a_backend_is_retried_as_its_retries_say_and_no_more() {
    let simulator = simulator().await;
    let mut item = backend_at(&simulator);
    item.retries = RetryItem {
        attempts: 2,
        on: vec![RetryOn::Unavailable, RetryOn::Reset],
    };
    let proxy = Proxy::start(items().put_route("chat", route(vec![entry("b", item)])));
    assert_eq!(proxy.chat("status-503+times-2", "x").await.status, 200);
    assert_eq!(proxy.chat("drop+times-2", "x").await.status, 200);
    assert_eq!(simulator.requests().len(), 6);
    assert_eq!(proxy.chat("status-500", "x").await.status, 500);
    assert_eq!(simulator.requests().len(), 7);
    assert_eq!(proxy.chat("status-503", "x").await.status, 503);
    assert_eq!(simulator.requests().len(), 10);
}

#[tokio::test]
async fn fallbacks_go_through_the_rules_again() {
    let simulator = simulator().await;
    let mut names = map();
    let mut first = rule(exact("best"), "status-503");
    let target = |model: &str| ModelTarget {
        model: Some(model.into()),
        backend: None,
    };
    first.fallbacks = vec![target("status-502"), target("plain")];
    let mut last = rule(exact("plain"), "echo");
    last.overrides = json!({"seed": 5}).as_object().unwrap().clone();
    names.rules = vec![first, last];
    let proxy = Proxy::start(mapped(&simulator, names));
    let got = proxy.chat("best", "hello").await;
    assert_eq!(got.status, 200, "{}", got.text());
    let seen: Vec<_> = simulator
        .requests()
        .iter()
        .map(|seen| seen.json()["model"].clone())
        .collect();
    assert_eq!(seen, ["status-503", "status-502", "echo"]);
    assert_eq!(simulator.requests()[2].json()["seed"], 5);
}

#[tokio::test]
async fn every_try_carries_the_clients_headers() {
    let simulator = simulator().await;
    let mut item = with_key(backend_at(&simulator), "ours");
    item.retries = RetryItem {
        attempts: 1,
        on: vec![RetryOn::Unavailable],
    };
    let mut names = map();
    let mut first = rule(exact("best"), "status-503");
    first.fallbacks = vec![ModelTarget {
        model: Some("status-502+times-1".into()),
        backend: None,
    }];
    names.rules = vec![first];
    let mut mapped = route(vec![entry("b", item)]);
    mapped.model_map = Some(Target::Item(Key::new(Kind::Map, "team-a", "names")));
    let proxy = Proxy::start(items().put_map("names", names).put_route("chat", mapped));
    let sent = [("x-mine", "1"), ("authorization", "Bearer theirs")];
    let body = chat("best", "x", false).to_string();
    let got = proxy
        .send(Method::POST, "/v1/chat/completions", &sent, body)
        .await;
    assert_eq!(got.status, 200, "{}", got.text());
    let seen = simulator.requests();
    assert_eq!(seen.len(), 4);
    for seen in &seen {
        assert_eq!(seen.header("x-mine"), Some("1"));
        assert_eq!(seen.header("authorization"), Some("Bearer ours"));
    }
}

#[tokio::test]
async fn a_failed_reply_takes_no_place_from_the_fallback_on_the_same_backend() {
    let simulator = simulator().await;
    let mut item = backend_at(&simulator);
    item.max_concurrency = Some(1);
    let mut item = route(vec![entry("b", item)]);
    item.model_map = Some(Target::Item(Key::new(Kind::Map, "team-a", "names")));
    let mut names = map();
    let mut best = rule(exact("best"), "status-503");
    best.fallbacks = vec![ModelTarget {
        model: Some("echo".into()),
        backend: None,
    }];
    names.rules = vec![best];
    let items = items().put_route("chat", item).put_map("names", names);
    let proxy = Proxy::start(items);
    let got = proxy.chat("best", "hello").await;
    assert_eq!(got.status, 200, "{}", got.text());
}

#[tokio::test]
async fn a_full_backend_is_503_with_retry_after() {
    let simulator = simulator().await;
    let mut item = backend_at(&simulator);
    item.max_concurrency = Some(1);
    let proxy = Proxy::start(items().put_route("chat", route(vec![entry("b", item)])));
    let slow = proxy.chat("echo+first-byte-400ms", "x");
    let more = async {
        simulator.wait_until(|seen| seen.len() == 1).await;
        for _ in 0..4 {
            let got = proxy.chat("echo", "x").await;
            assert_eq!(
                (got.status.as_u16(), got.error_code().as_str()),
                (503, "overloaded")
            );
            assert_eq!(got.header("retry-after"), Some("1"));
        }
    };
    let (slow, ()) = tokio::join!(slow, more);
    assert_eq!(slow.status, 200);
    assert_eq!(proxy.chat("echo", "x").await.status, 200);
}

#[tokio::test]
async fn a_client_that_leaves_cancels_the_upstream() {
    use tokio::io::AsyncWriteExt;
    let simulator = simulator().await;
    let proxy = Proxy::start(simple(&simulator));
    for body in [
        chat("hang", "x", false),
        chat("tokens-9+stall-2", "x", true),
    ] {
        simulator.clear();
        let body = body.to_string();
        let mut stream = proxy.connect().await;
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: chat.team-a\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        simulator
            .wait_until(|seen| seen.iter().any(|seen| !seen.body.is_empty()))
            .await;
        drop(stream);
        let left = |seen: &[dragoman_simulator::Received]| {
            seen.iter()
                .all(|seen| seen.state == dragoman_simulator::State::Aborted)
        };
        simulator.wait_until(left).await;
    }
    while proxy.shared.in_flight() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn draining_lets_a_stream_finish_and_accepts_nothing_new() {
    let simulator = simulator().await;
    let proxy = Proxy::start(simple(&simulator));
    let stream = proxy.stream("tokens-5+first-token-300ms", "x");
    let drain = async {
        simulator.wait_until(|seen| !seen.is_empty()).await;
        proxy.shared.drain();
    };
    let (got, ()) = tokio::join!(stream, drain);
    assert!(got.complete && got.text().trim_end().ends_with("[DONE]"));
    proxy.running.drained().await;
    assert!(
        tokio::net::TcpStream::connect(proxy.running.local_addr())
            .await
            .is_err()
    );
}
