//! What becomes of a model's thinking, and that nothing else is touched (features A17, A18).

use dragoman_simulator::Simulator;
use http::Method;
use serde_json::{Value, json};

use super::manifests::{backend, route, simple, simulator};
use super::proxy::{Proxy, answer, chat, client, streamed};

/// Text in which a careless cut, escape or trim would show.
const TEXT: &str = "Größe: 1 < 2 && \"zwei\" 🦀\r\n\n  <b>fett</b> \\ das Ende  ";

fn thinking(upstream: &Simulator, rules: &str) -> String {
    backend("main", &upstream.url(), "") + &route(&format!("thinking: {{{rules}}}"))
}

/// The same without a sign that could begin a tag.
const PLAIN: &str = "Größe: 1 && \"zwei\" 🦀\r\n\n  fett> \\ das Ende  ";

/// The models in which a thinking reply is written in every way that the simulator knows.
fn every_writing() -> Vec<String> {
    let cuts = (1..=24).map(|size| format!("think+chunk-{size}"));
    let ways = [
        "think",
        "think+split",
        "think+coalesced",
        "think+crlf",
        "think+escaped",
        "think+keepalive-comments",
        "think+extras",
        "think+no-usage",
        "think+split+crlf+escaped+chunk-1",
        "think+coalesced+crlf+chunk-3",
        "think+split+escaped+chunk-5",
        "think+chunked",
    ];
    ways.map(str::to_owned).into_iter().chain(cuts).collect()
}

#[tokio::test]
async fn a_block_is_stripped_however_its_bytes_arrive() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&simple(&upstream)).await;
    for model in every_writing() {
        let reply = proxy
            .post("/v1/chat/completions", &streamed(&model, TEXT))
            .await;
        assert_eq!(
            (reply.status, reply.content()),
            (200, TEXT.into()),
            "{model}: {}",
            reply.text()
        );
        assert!(reply.is_done(), "{model}");
        let finish = reply
            .chunks()
            .iter()
            .filter_map(|chunk| {
                chunk["choices"][0]["finish_reason"]
                    .as_str()
                    .map(str::to_owned)
            })
            .collect::<Vec<_>>();
        assert_eq!(finish, ["stop"], "{model}");
        let reply = proxy
            .post("/v1/chat/completions", &chat(&model, TEXT))
            .await;
        assert_eq!(
            (reply.status, reply.content()),
            (200, TEXT.into()),
            "{model}: {}",
            reply.text()
        );
        assert_eq!(reply.json()["choices"][0]["finish_reason"], "stop");
    }
}

#[tokio::test]
async fn each_choice_is_stripped_on_its_own_and_usage_is_kept() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&simple(&upstream)).await;
    for size in [1, 2, 3, 5, 7] {
        let mut body = streamed(&format!("think+chunk-{size}"), TEXT);
        body["n"] = 2.into();
        body["stream_options"] = json!({"include_usage": true});
        let reply = proxy.post("/v1/chat/completions", &body).await;
        assert_eq!(
            [0, 1].map(|choice| reply.content_of(choice, "content")),
            [TEXT, TEXT],
            "{}",
            reply.text()
        );
        let chunks = reply.chunks();
        let last = chunks.last().unwrap();
        assert!(
            last["choices"] == json!([]) && last["usage"]["total_tokens"].as_u64().unwrap() > 0,
            "{last}"
        );
        assert!(reply.is_done());
    }
    let mut body = chat("think", TEXT);
    body["n"] = 2.into();
    let reply = proxy.post("/v1/chat/completions", &body).await;
    assert_eq!(
        [0, 1].map(|choice| reply.content_of(choice, "content")),
        [TEXT, TEXT]
    );
    assert!(reply.json()["usage"]["total_tokens"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn extract_moves_the_thoughts_to_reasoning_content() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&thinking(&upstream, "text: Extract")).await;
    let keeping = Proxy::start(&thinking(&upstream, "text: Keep")).await;
    let whole = keeping.chat("think").await.content();
    let thoughts = whole
        .strip_prefix("<think>")
        .unwrap()
        .split("</think>")
        .next()
        .unwrap()
        .trim()
        .to_owned();
    assert!(!thoughts.is_empty());
    for model in every_writing() {
        for body in [chat(&model, TEXT), streamed(&model, TEXT)] {
            let reply = proxy.post("/v1/chat/completions", &body).await;
            assert_eq!(reply.content(), TEXT, "{model}: {}", reply.text());
            assert_eq!(
                reply.content_of(0, "reasoning_content").trim(),
                thoughts,
                "{model}: {}",
                reply.text()
            );
        }
    }
}

#[tokio::test]
async fn reasoning_fields_stay_unless_they_are_to_be_dropped() {
    let upstream = simulator().await;
    let keeping = Proxy::start(&simple(&upstream)).await;
    let dropping = Proxy::start(&thinking(&upstream, "fields: Drop")).await;
    for body in [
        chat("reasoning", TEXT),
        streamed("reasoning", TEXT),
        streamed("reasoning+split+crlf", TEXT),
    ] {
        let kept = keeping.post("/v1/chat/completions", &body).await;
        assert!(
            !kept.content_of(0, "reasoning_content").is_empty() && kept.content() == TEXT,
            "{}",
            kept.text()
        );
        let dropped = dropping.post("/v1/chat/completions", &body).await;
        assert_eq!(dropped.content(), TEXT);
        assert!(
            !dropped.text().contains("reasoning_content"),
            "{}",
            dropped.text()
        );
    }
}

/// What the client reads when the model says `text` on a route with these rules, plain and streamed in pieces of every size.
async fn says(rules: &str, text: &str) -> String {
    let upstream = simulator().await;
    let proxy = Proxy::start(&thinking(&upstream, rules)).await;
    let plain = proxy
        .post("/v1/chat/completions", &chat("say", text))
        .await
        .content();
    for size in 1..=12 {
        let reply = proxy
            .post(
                "/v1/chat/completions",
                &streamed(&format!("say+chunk-{size}"), text),
            )
            .await;
        assert!(reply.is_done());
        assert_eq!(
            reply.content(),
            plain,
            "in pieces of {size}: {}",
            reply.text()
        );
    }
    plain
}

#[tokio::test]
async fn a_reply_that_starts_within_a_block_is_stripped_where_the_route_says_so() {
    assert_eq!(
        says("startsOpen: true", "thoughts\n</think>\n\nanswer").await,
        "answer"
    );
    assert_eq!(
        says("text: Strip", "thoughts\n</think>\n\nanswer").await,
        "thoughts\n</think>\n\nanswer"
    );
}

#[tokio::test]
async fn a_route_may_name_tags_of_its_own() {
    let rules =
        r#"tags: [{open: "<reason>", close: "</reason>"}, {open: "[THINK]", close: "[/THINK]"}]"#;
    assert_eq!(
        says(rules, "<reason>a</reason>\n\none [THINK]b[/THINK]two").await,
        "one two"
    );
    assert_eq!(
        says(rules, "<think>a</think>\n\none").await,
        "<think>a</think>\n\none"
    );
}

#[tokio::test]
async fn thinking_that_never_ends_never_leaks() {
    assert_eq!(
        says("text: Strip", "before <think>thoughts without end").await,
        "before "
    );
}

#[tokio::test]
async fn fenced_code_is_no_thinking() {
    let code = "Look:\n```html\n<think>not a thought</think>\n```\nDone.";
    assert_eq!(says("text: Strip", code).await, code);
}

#[tokio::test]
async fn completions_are_stripped_too() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&simple(&upstream)).await;
    let body = json!({"model": "think", "prompt": ["one", "two"], "stream": false});
    let reply = proxy.post("/v1/completions", &body).await.json();
    assert_eq!(
        [&reply["choices"][0]["text"], &reply["choices"][1]["text"]],
        ["one", "two"]
    );
    for model in ["think", "think+split", "think+chunk-3"] {
        let reply = proxy
            .post(
                "/v1/completions",
                &json!({"model": model, "prompt": TEXT, "stream": true}),
            )
            .await;
        let text: String = reply
            .chunks()
            .iter()
            .filter_map(|chunk| chunk["choices"][0]["text"].as_str().map(str::to_owned))
            .collect();
        assert_eq!(text, TEXT, "{model}");
    }
}

#[tokio::test]
async fn a_stream_that_breaks_within_a_thought_leaks_nothing_of_it() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&simple(&upstream)).await;
    // The second event ends the opening tag.
    for cut in 2..5 {
        let reply = proxy
            .post(
                "/v1/chat/completions",
                &streamed(&format!("think+chunk-8+cut-{cut}"), TEXT),
            )
            .await;
        let said: String = reply
            .chunks()
            .iter()
            .filter_map(|chunk| {
                chunk["choices"][0]["delta"]["content"]
                    .as_str()
                    .map(str::to_owned)
            })
            .collect();
        assert_eq!(said, "", "{}", reply.text());
        assert!(reply.chunks().last().unwrap()["error"].is_object() && !reply.is_done());
    }
}

/// Asserts that replies to these bodies are, byte for byte, those of the upstream.
async fn passes_untouched(rules: &str, bodies: impl IntoIterator<Item = Value>) {
    let (direct, behind) = (simulator().await, simulator().await);
    let proxy = Proxy::start(&thinking(&behind, rules)).await;
    let http = client();
    for body in bodies {
        let straight = answer(
            http.post(format!("{}/chat/completions", direct.url()))
                .json(&body),
        )
        .await;
        let through = proxy.post("/v1/chat/completions", &body).await;
        assert_eq!(
            (straight.status, straight.header("content-type")),
            (through.status, through.header("content-type"))
        );
        assert_eq!(straight.text(), through.text(), "{body}");
        assert_eq!(straight.body, through.body);
    }
}

#[tokio::test]
async fn where_nothing_is_stripped_every_byte_is_the_upstreams() {
    let words = [
        "echo",
        "say+chunk-1",
        "extras",
        "extras+escaped",
        "crlf",
        "crlf+extras+chunk-2",
        "keepalive-comments",
        "split+extras",
        "coalesced+extras",
        "reasoning+extras",
        "tools+extras",
        "parallel-tools+escaped",
        "no-done",
        "error-3",
        "malformed",
        "chunked+extras",
        "tokens-500",
    ];
    let bodies = words
        .iter()
        .flat_map(|model| [false, true].map(|stream| (model, stream)))
        .map(|(model, stream)| {
            // The arguments of its tool calls quote the text, tags and all.
            let mut body = chat(
                model,
                if model.contains("tools") {
                    "<think>argument</think>\n\nx"
                } else {
                    PLAIN
                },
            );
            body["stream"] = stream.into();
            body["n"] = 2.into();
            body["tools"] =
                json!([{"type": "function", "function": {"name": "search", "parameters": {}}}]);
            if stream {
                body["stream_options"] = json!({"include_usage": true});
            }
            body
        });
    passes_untouched("text: Strip", bodies).await;
}

#[tokio::test]
async fn a_sign_that_could_begin_a_tag_goes_on_when_it_does_not() {
    for text in [
        "a < b <",
        "<",
        "<thin",
        "<thinker>x</thinker>",
        "x <b>y</b> <t",
        "</think> alone",
    ] {
        assert_eq!(says("text: Strip", text).await, text);
    }
}

#[tokio::test]
async fn thinking_that_is_kept_is_kept_to_the_byte() {
    passes_untouched(
        "text: Keep",
        [
            chat("think+extras", TEXT),
            streamed("think+crlf+chunk-2", TEXT),
        ],
    )
    .await;
}

/// The body that went upstream for `body`, on a route that asks the model not to think.
async fn without_thinking(path: &str, body: &str) -> String {
    let upstream = simulator().await;
    let proxy = Proxy::start(&thinking(&upstream, "disable: true")).await;
    let request = proxy
        .request(Method::POST, path)
        .header("content-type", "application/json")
        .body(body.to_owned());
    let reply = answer(request).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let sent = upstream.requests()[0].body.clone();
    assert_eq!(
        upstream.requests()[0].header("content-length").unwrap(),
        sent.len().to_string()
    );
    sent
}

#[tokio::test]
async fn chats_are_asked_not_to_think_and_nothing_else_changes() {
    for (body, sent) in [
        (
            r#"{ "model":"echo", "messages":[{"role":"system","content":"S"},{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c \u00e9"}], "x":1.0}"#,
            r#"{ "model":"echo", "messages":[{"role":"system","content":"S"},{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c \u00e9 /no_think"}], "x":1.0,"chat_template_kwargs":{"enable_thinking":false}}"#,
        ),
        (
            r#"{"model":"echo","messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}],"chat_template_kwargs":{"add": 1,"enable_thinking": true}}"#,
            r#"{"model":"echo","messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b /no_think"}]}],"chat_template_kwargs":{"add": 1,"enable_thinking": false}}"#,
        ),
        (
            r#"{"model":"echo","messages":[{"role":"user","content":"done /no_think"}],"chat_template_kwargs":{"enable_thinking":false}}"#,
            r#"{"model":"echo","messages":[{"role":"user","content":"done /no_think"}],"chat_template_kwargs":{"enable_thinking":false}}"#,
        ),
    ] {
        assert_eq!(without_thinking("/v1/chat/completions", body).await, sent);
    }
}

#[tokio::test]
async fn completions_are_asked_not_to_think_in_every_prompt() {
    for (body, sent) in [
        (
            r#"{"model":"echo","prompt":"a"}"#,
            r#"{"model":"echo","prompt":"a /no_think"}"#,
        ),
        (
            r#"{"model":"echo","prompt":["a", "b"]}"#,
            r#"{"model":"echo","prompt":["a /no_think", "b /no_think"]}"#,
        ),
        (
            r#"{"model":"echo","prompt":[1, 2]}"#,
            r#"{"model":"echo","prompt":[1, 2]}"#,
        ),
    ] {
        assert_eq!(without_thinking("/v1/completions", body).await, sent);
    }
    let embedding = r#"{"model":"echo","input":"a"}"#;
    assert_eq!(
        without_thinking("/v1/embeddings", embedding).await,
        embedding
    );
}
