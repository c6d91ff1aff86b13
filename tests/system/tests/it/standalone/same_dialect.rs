//! Clients of Anthropic's and Ollama's dialects before backends that speak the same: bytes pass, and what changes, changes in place
//! (features A8, A16, A17, A18, A20, B1, B6).

use dragoman_simulator::Simulator;
use http::Method;
use serde_json::{Value, json};

use super::manifests::{MAPPED, backend, names, route, simulator};
use super::proxy::{Answer, Proxy, answer, client};

/// Text in which a careless cut, escape or trim would show.
const TEXT: &str = "Größe: 1 < 2 && \"zwei\" 🦀\r\n\n  <b>fett</b> \\ das Ende  ";
/// The same without a sign that could begin a tag.
const PLAIN: &str = "Größe: 1 && \"zwei\" 🦀\r\n\n  fett> \\ das Ende  ";

/// An API that client and backend speak both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Api {
    Messages,
    Chat,
    Generate,
}

const APIS: [Api; 3] = [Api::Messages, Api::Chat, Api::Generate];

impl Api {
    fn path(self) -> &'static str {
        match self {
            Self::Messages => "/v1/messages",
            Self::Chat => "/api/chat",
            Self::Generate => "/api/generate",
        }
    }

    fn asks(self, model: &str, text: &str, stream: bool) -> Value {
        let messages = json!([{"role": "user", "content": text}]);
        match self {
            Self::Messages => {
                json!({"model": model, "max_tokens": 4096, "messages": messages, "stream": stream})
            }
            Self::Chat => json!({"model": model, "messages": messages, "stream": stream}),
            Self::Generate => json!({"model": model, "prompt": text, "stream": stream}),
        }
    }

    /// A backend of the dialect, and a route to it.
    fn to(self, upstream: &Simulator, rules: &str) -> String {
        let origin = format!("http://{}", upstream.addr());
        let dialect = match self {
            Self::Messages => "dialect: Anthropic",
            Self::Chat | Self::Generate => "dialect: Ollama",
        };
        backend("main", &origin, dialect) + &route(rules)
    }

    /// The objects of a reply: its only one, or those of its stream.
    fn objects(self, reply: &Answer) -> Vec<Value> {
        let text = reply.text();
        let lines = text.lines().filter(|line| !line.is_empty());
        let lines = lines.filter_map(|line| match self {
            Self::Messages if !line.starts_with('{') => line.strip_prefix("data: "),
            _ => Some(line),
        });
        let read = |line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line:?}"));
        lines.map(read).collect()
    }

    /// The text of a reply, streamed or not, and the thinking beside it.
    fn said(self, reply: &Answer) -> (String, String) {
        let (mut text, mut thinking) = (String::new(), String::new());
        let mut add = |object: &Value, name: &str| {
            text += object[name].as_str().unwrap_or_default();
            thinking += object["thinking"].as_str().unwrap_or_default();
        };
        for object in self.objects(reply) {
            match self {
                Self::Messages => {
                    for block in object["content"].as_array().into_iter().flatten() {
                        add(block, "text");
                    }
                    add(&object["content_block"], "text");
                    add(&object["delta"], "text");
                }
                Self::Chat => add(&object["message"], "content"),
                Self::Generate => add(&object, "response"),
            }
        }
        (text, thinking)
    }

    /// Whether a stream ended well.
    fn is_done(self, reply: &Answer) -> bool {
        let last = self.objects(reply).pop().unwrap_or_default();
        last["type"] == "message_stop" || last["done"] == true
    }
}

#[tokio::test]
async fn a_block_is_stripped_however_its_bytes_arrive() {
    let ways = ["", "+split", "+coalesced", "+crlf", "+escaped", "+extras"];
    let ways = ways.map(str::to_owned).into_iter();
    let ways: Vec<_> = ways
        .chain((1..=12).map(|n| format!("+chunk-{n}")))
        .collect();
    for api in APIS {
        let upstream = simulator().await;
        let proxy = Proxy::start(&api.to(&upstream, "")).await;
        for way in &ways {
            for stream in [false, true] {
                let body = api.asks(&format!("think{way}"), TEXT, stream);
                let reply = proxy.post(api.path(), &body).await;
                let (text, thinking) = api.said(&reply);
                assert_eq!(text, TEXT, "{api:?} {way}: {}", reply.text());
                assert_eq!(thinking, "", "{api:?} {way}");
                assert!(!stream || api.is_done(&reply), "{api:?} {way}");
            }
        }
    }
}

#[tokio::test]
async fn extracted_thinking_stands_where_the_dialect_has_it() {
    for api in APIS {
        let upstream = simulator().await;
        let proxy = Proxy::start(&api.to(&upstream, "thinking: {text: Extract}")).await;
        for model in ["think", "think+split", "think+chunk-3"] {
            for stream in [false, true] {
                let mut body = api.asks(model, TEXT, stream);
                if api == Api::Messages {
                    // A client that did not ask would take the first block for the text.
                    let reply = proxy.post(api.path(), &body).await;
                    assert_eq!(api.said(&reply), (TEXT.into(), String::new()));
                    body["thinking"] = json!({"type": "enabled", "budget_tokens": 1024});
                }
                let reply = proxy.post(api.path(), &body).await;
                let (text, thinking) = api.said(&reply);
                assert_eq!(text, TEXT, "{api:?} {model}: {}", reply.text());
                assert!(
                    thinking.contains("Let me think about it."),
                    "{api:?} {model}: {}",
                    reply.text()
                );
            }
        }
    }
}

#[tokio::test]
async fn reasoning_fields_stay_unless_they_are_to_be_dropped() {
    for api in APIS {
        let upstream = simulator().await;
        let keeping = Proxy::start(&api.to(&upstream, "")).await;
        let dropping = Proxy::start(&api.to(&upstream, "thinking: {fields: Drop}")).await;
        for stream in [false, true] {
            let mut body = api.asks("reasoning", TEXT, stream);
            match api {
                Api::Messages => {
                    body["thinking"] = json!({"type": "enabled", "budget_tokens": 1024});
                }
                Api::Chat | Api::Generate => body["think"] = true.into(),
            }
            let (text, thinking) = api.said(&keeping.post(api.path(), &body).await);
            assert!(text == TEXT && !thinking.is_empty(), "{api:?}: {text:?}");
            let dropped = dropping.post(api.path(), &body).await;
            assert_eq!(api.said(&dropped).0, TEXT, "{api:?}");
            let told = dropped.text().replace("thinking_tokens", "");
            assert!(!told.contains("thinking"), "{api:?}: {told}");
            let numbers: Vec<_> = api
                .objects(&dropped)
                .iter()
                .filter_map(|object| object["index"].as_u64())
                .collect();
            assert!(numbers.iter().all(|number| *number == 0), "{numbers:?}");
        }
    }
}

#[tokio::test]
async fn where_nothing_is_stripped_every_byte_is_the_upstreams() {
    let words = [
        "echo",
        "say+chunk-1",
        "extras",
        "extras+escaped",
        "crlf+extras+chunk-2",
        "keepalive-comments",
        "split+extras",
        "coalesced+extras",
        "reasoning+extras",
        "parallel-tools+escaped",
        "no-done",
        "error-3",
        "status-429",
        "status-400",
        "chunked+extras",
        "tokens-500",
    ];
    for api in APIS {
        let (direct, behind) = (simulator().await, simulator().await);
        let proxy = Proxy::start(&api.to(&behind, "")).await;
        for word in words {
            for stream in [false, true] {
                // The arguments of its tool calls quote the text, tags and all.
                let tools = word.contains("tools") && api != Api::Generate;
                let text = if tools {
                    "<think>argument</think>\n\nx"
                } else {
                    PLAIN
                };
                let mut body = api.asks(word, text, stream);
                let (name, schema) = ("search", json!({"type": "object", "properties": {}}));
                match api {
                    Api::Messages if tools => {
                        body["tools"] = json!([{"name": name, "input_schema": schema}]);
                    }
                    Api::Chat if tools => {
                        let function = json!({"name": name, "parameters": schema});
                        body["tools"] = json!([{"type": "function", "function": function}]);
                    }
                    _ => {}
                }
                let url = format!("http://{}{}", direct.addr(), api.path());
                let straight = client().post(url).header("anthropic-version", "2023-06-01");
                let straight = answer(straight.json(&body)).await;
                let through = proxy.post(api.path(), &body).await;
                assert_eq!(straight.status, through.status, "{api:?} {word}");
                assert_eq!(straight.text(), through.text(), "{api:?} {word}");
                assert_eq!(straight.body, through.body);
            }
        }
    }
}

#[tokio::test]
async fn a_stream_that_breaks_leaks_no_thought_and_ends_with_the_dialects_error() {
    for api in APIS {
        for rules in ["", "thinking: {text: Keep}"] {
            let upstream = simulator().await;
            let proxy = Proxy::start(&api.to(&upstream, rules)).await;
            for model in ["think+chunk-8+cut-5", "think+chunk-8+split+cut-6"] {
                let body = api.asks(model, TEXT, true);
                let reply = proxy.post(api.path(), &body).await;
                let last = api.objects(&reply).pop().unwrap();
                let error = match api {
                    Api::Messages => {
                        assert!(
                            reply.text().contains("\nevent: error\n"),
                            "{}",
                            reply.text()
                        );
                        &last["error"]["message"]
                    }
                    Api::Chat | Api::Generate => &last["error"],
                };
                assert!(error.is_string(), "{api:?} {model}: {}", reply.text());
                assert!(!api.is_done(&reply));
                if rules.is_empty() {
                    let text = api.said(&reply).0;
                    assert!(TEXT.starts_with(&text), "{api:?} {model}: {text}");
                }
            }
        }
    }
}

#[tokio::test]
async fn an_error_that_is_a_web_page_is_quoted_in_the_clients_dialect() {
    for api in APIS {
        let upstream = simulator().await;
        let proxy = Proxy::start(&api.to(&upstream, "")).await;
        let body = api.asks("status-500+html", PLAIN, false);
        let reply = proxy.post(api.path(), &body).await;
        assert_eq!(reply.status, 500, "{}", reply.text());
        assert_eq!(reply.header("content-type"), Some("application/json"));
        let error = reply.json()["error"].clone();
        let message = match api {
            Api::Messages => error["message"].clone(),
            Api::Chat | Api::Generate => error,
        };
        let message = message
            .as_str()
            .unwrap_or_else(|| panic!("{}", reply.text()));
        assert!(
            message.contains("500") && !message.contains('<'),
            "{message}"
        );
    }
}

#[tokio::test]
async fn the_replys_model_is_the_one_that_was_asked_for() {
    let map = "rules: [{match: {exact: mine}, target: {model: think}}]\nreplyModel: Requested";
    for api in APIS {
        let upstream = simulator().await;
        let manifest = names(map) + &api.to(&upstream, MAPPED);
        let proxy = Proxy::start(&manifest).await;
        for stream in [false, true] {
            let reply = proxy
                .post(api.path(), &api.asks("mine", TEXT, stream))
                .await;
            assert_eq!(api.said(&reply).0, TEXT, "{api:?}: {}", reply.text());
            let objects = api.objects(&reply);
            let models = objects.iter().filter_map(|object| match api {
                Api::Messages if stream => object["message"]["model"].as_str(),
                _ => object["model"].as_str(),
            });
            let models: Vec<_> = models.collect();
            assert!(
                !models.is_empty() && models.iter().all(|model| *model == "mine"),
                "{api:?}: {models:?}"
            );
        }
    }
}

#[tokio::test]
async fn models_are_asked_not_to_think_in_their_own_dialect_and_nothing_else_changes() {
    for (api, body, sent) in [
        (
            Api::Messages,
            r#"{ "model":"echo", "max_tokens":2048,"messages":[{"role":"user","content":"\u00e9"}],"thinking":{"type":"enabled","budget_tokens":1024} , "temperature":1.0}"#,
            r#"{ "model":"echo", "max_tokens":2048,"messages":[{"role":"user","content":"\u00e9"}],"thinking":{"type":"disabled"} , "temperature":1.0}"#,
        ),
        (
            Api::Chat,
            r#"{"model":"echo","messages":[{"role":"user","content":"a"}], "stream":false}"#,
            r#"{"model":"echo","messages":[{"role":"user","content":"a"}], "stream":false,"think":false}"#,
        ),
        (
            Api::Generate,
            r#"{"model":"echo","think": true, "prompt":"a"}"#,
            r#"{"model":"echo","think": false, "prompt":"a"}"#,
        ),
    ] {
        let upstream = simulator().await;
        let proxy = Proxy::start(&api.to(&upstream, "thinking: {disable: true}")).await;
        let request = proxy
            .request(Method::POST, api.path())
            .header("content-type", "application/json")
            .body(body);
        let reply = answer(request).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(upstream.requests()[0].body, sent);
    }
}
