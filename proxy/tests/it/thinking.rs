//! Thinking in replies, and switched off in requests.

use dragoman_config::{Key, Kind, Target};
use dragoman_crds::{ReasoningFields, Thinking, ThinkingText};
use serde_json::{Value, json};

use crate::harness::*;

fn thinking(simulator: &dragoman_simulator::Simulator, thinking: Thinking) -> Items {
    let mut item = route(vec![entry("sim", backend_at(simulator))]);
    item.thinking = thinking;
    items().put_route("chat", item)
}

/// The text of a stream's deltas.
fn text(stream: &str) -> String {
    deltas(stream, "content")
}

fn deltas(stream: &str, member: &str) -> String {
    let events = stream
        .lines()
        .filter_map(|line| line.strip_prefix("data: "));
    let chunks = events.filter(|data| *data != "[DONE]");
    chunks
        .map(|data| serde_json::from_str::<Value>(data).unwrap_or_else(|_| panic!("{data}")))
        .filter_map(|chunk| {
            chunk["choices"][0]["delta"][member]
                .as_str()
                .map(str::to_owned)
        })
        .collect()
}

#[tokio::test]
async fn thinking_is_stripped_by_default_streamed_or_not() {
    let simulator = simulator().await;
    let proxy = Proxy::start(simple(&simulator));
    let got = proxy.chat("think", "the answer").await;
    assert_eq!(got.json()["choices"][0]["message"]["content"], "the answer");
    assert_eq!(
        got.header("content-length").unwrap(),
        got.body.len().to_string()
    );
    for words in [
        "think",
        "think+split",
        "think+coalesced",
        "think+crlf",
        "think+say+chunk-1",
    ] {
        let got = proxy.stream(words, "the answer").await;
        assert_eq!(
            text(&got.text().replace("\r\n", "\n")),
            "the answer",
            "{words}"
        );
        assert!(got.text().trim_end().ends_with("data: [DONE]"), "{words}");
    }
}

#[tokio::test]
async fn thinking_is_extracted_or_kept_where_the_route_says_so() {
    let simulator = simulator().await;
    let extract = Thinking {
        text: ThinkingText::Extract,
        ..Thinking::default()
    };
    let proxy = Proxy::start(thinking(&simulator, extract));
    let got = proxy.chat("think", "the answer").await.json();
    assert_eq!(got["choices"][0]["message"]["content"], "the answer");
    assert!(
        got["choices"][0]["message"]["reasoning_content"]
            .as_str()
            .is_some_and(|text| !text.is_empty())
    );
    let got = proxy.stream("think", "the answer").await;
    assert_eq!(text(got.text()), "the answer");
    assert!(!deltas(got.text(), "reasoning_content").is_empty());

    let keep = Thinking {
        text: ThinkingText::Keep,
        ..Thinking::default()
    };
    proxy.shared.publish(thinking(&simulator, keep));
    let got = proxy.chat("think", "the answer").await;
    assert!(got.text().contains("<think>"), "{}", got.text());
}

#[tokio::test]
async fn reasoning_fields_are_dropped_where_the_route_says_so() {
    let simulator = simulator().await;
    let proxy = Proxy::start(simple(&simulator));
    assert!(
        proxy
            .chat("reasoning", "x")
            .await
            .text()
            .contains("reasoning_content")
    );
    let drop = Thinking {
        fields: ReasoningFields::Drop,
        ..Thinking::default()
    };
    proxy.shared.publish(thinking(&simulator, drop));
    assert!(
        !proxy
            .chat("reasoning", "x")
            .await
            .text()
            .contains("reasoning_content")
    );
    assert!(
        !proxy
            .stream("reasoning", "x")
            .await
            .text()
            .contains("reasoning_content")
    );
}

#[tokio::test]
async fn a_model_is_asked_not_to_think_with_everything_else_in_place() {
    let simulator = simulator().await;
    let mut names = map();
    let mut fields = rule(exact("quick"), "echo");
    fields.overrides = json!({"temperature": 0}).as_object().unwrap().clone();
    names.rules = vec![fields];
    let mut item = route(vec![entry("sim", backend_at(&simulator))]);
    item.thinking.disable = true;
    item.model_map = Some(Target::Item(Key::new(Kind::Map, "team-a", "names")));
    let proxy = Proxy::start(items().put_route("chat", item).put_map("names", names));
    proxy.chat("quick", "hi").await;
    let seen = simulator.requests()[0].json();
    assert_eq!(seen["messages"][0]["content"], "hi /no_think");
    assert_eq!(seen["chat_template_kwargs"]["enable_thinking"], false);
    assert_eq!(
        (&seen["model"], &seen["temperature"]),
        (&json!("echo"), &json!(0))
    );
    proxy
        .post(
            "/v1/completions",
            &json!({"model": "echo", "prompt": "once"}),
        )
        .await;
    assert_eq!(simulator.requests()[1].json()["prompt"], "once /no_think");
}

#[tokio::test]
async fn replies_name_the_requested_model_where_the_map_says_so() {
    let simulator = simulator().await;
    let mut names = map();
    names.rules = vec![rule(exact("gpt-4"), "think")];
    let proxy = Proxy::start(mapped(&simulator, names.clone()));
    assert_eq!(proxy.chat("gpt-4", "x").await.json()["model"], "think");
    names.reply_model = dragoman_crds::ReplyModel::Requested;
    proxy.shared.publish(mapped(&simulator, names));
    let got = proxy.chat("gpt-4", "x").await.json();
    assert_eq!(got["model"], "gpt-4");
    assert_eq!(got["choices"][0]["message"]["content"], "x");
    for words in ["gpt-4"] {
        let got = proxy.stream(words, "x").await;
        assert!(!got.text().contains("\"think\""), "{}", got.text());
        assert!(got.text().contains("\"gpt-4\""));
        assert_eq!(text(got.text()), "x");
    }
}

#[tokio::test]
async fn an_upstream_that_encodes_although_asked_not_to_leaks_no_thinking() {
    let simulator = simulator().await;
    let proxy = Proxy::start(simple(&simulator));
    let got = proxy.chat("think+gzip-always", "x").await;
    assert_eq!(got.status, 502);
    assert_eq!(got.error_code(), "upstream_failed");
    assert_eq!(
        simulator.requests()[0].header("accept-encoding"),
        Some("identity")
    );
}

#[tokio::test]
async fn a_stream_in_flight_ends_on_the_config_it_began_with() {
    let simulator = simulator().await;
    let proxy = Proxy::start(simple(&simulator));
    let stream = proxy.stream("think+first-token-300ms", "x");
    let publish = async {
        simulator.wait_until(|seen| !seen.is_empty()).await;
        let keep = Thinking {
            text: ThinkingText::Keep,
            ..Thinking::default()
        };
        proxy.shared.publish(thinking(&simulator, keep));
    };
    let (got, ()) = tokio::join!(stream, publish);
    assert_eq!(text(got.text()), "x");
    assert!(proxy.stream("think", "x").await.text().contains("think>"));
}
