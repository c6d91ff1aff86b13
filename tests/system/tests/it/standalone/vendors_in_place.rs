//! Clients of Gemini's and Bedrock's dialects before backends that speak the same: bytes pass, and what changes, changes in place
//! (features A8, A16, A17, A18, B1, B10).

use bytes::Bytes;
use dragoman_dialects::bedrock::invoke::stream::decode;
use dragoman_dialects::framing::EventStream;
use dragoman_simulator::Simulator;
use serde_json::{Value, json};

use super::manifests::{MAPPED, backend, names, route, simulator};
use super::proxy::{Answer, Proxy, answer, client};

/// Text in which a careless cut, escape or trim would show.
const TEXT: &str = "Größe: 1 < 2 && \"zwei\" 🦀\r\n\n  <b>fett</b> \\ das Ende  ";
/// The same without a sign that could begin a tag.
const PLAIN: &str = "Größe: 1 && \"zwei\" 🦀\r\n\n  fett> \\ das Ende  ";

/// A call that client and backend have both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Gemini,
    GeminiEvents,
    GeminiArray,
    Converse,
    ConverseStream,
    Invoke,
    InvokeStream,
}

const WAYS: [Way; 7] = [
    Way::Gemini,
    Way::GeminiEvents,
    Way::GeminiArray,
    Way::Converse,
    Way::ConverseStream,
    Way::Invoke,
    Way::InvokeStream,
];

impl Way {
    fn is_gemini(self) -> bool {
        matches!(self, Self::Gemini | Self::GeminiEvents | Self::GeminiArray)
    }

    fn is_stream(self) -> bool {
        !matches!(self, Self::Gemini | Self::Converse | Self::Invoke)
    }

    fn path(self, model: &str) -> String {
        match self {
            Self::Gemini => format!("/v1beta/models/{model}:generateContent"),
            Self::GeminiEvents => format!("/v1beta/models/{model}:streamGenerateContent?alt=sse"),
            Self::GeminiArray => format!("/v1beta/models/{model}:streamGenerateContent"),
            Self::Converse => format!("/model/{model}/converse"),
            Self::ConverseStream => format!("/model/{model}/converse-stream"),
            Self::Invoke => format!("/model/{model}/invoke"),
            Self::InvokeStream => format!("/model/{model}/invoke-with-response-stream"),
        }
    }

    /// A request for one user's text. `thinks`: with thoughts in the reply, where the dialect has a word for that.
    fn asks(self, text: &str, thinks: bool) -> Value {
        let mut body = match self {
            Self::Gemini | Self::GeminiEvents | Self::GeminiArray => {
                json!({"contents": [{"role": "user", "parts": [{"text": text}]}]})
            }
            Self::Converse | Self::ConverseStream => {
                json!({"messages": [{"role": "user", "content": [{"text": text}]}], "inferenceConfig": {"maxTokens": 4096}})
            }
            Self::Invoke | Self::InvokeStream => {
                json!({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 4096, "messages": [{"role": "user", "content": text}]})
            }
        };
        let thinking = json!({"type": "enabled", "budget_tokens": 1024});
        match self {
            _ if !thinks => {}
            _ if self.is_gemini() => {
                body["generationConfig"] = json!({"thinkingConfig": {"includeThoughts": true}});
            }
            Self::Converse | Self::ConverseStream => {
                body["additionalModelRequestFields"] = json!({"thinking": thinking});
            }
            _ => body["thinking"] = thinking,
        }
        body
    }

    /// A backend of the dialect, and a route to it.
    fn to(self, upstream: &Simulator, rules: &str) -> String {
        let origin = format!("http://{}", upstream.addr());
        let dialect = if self.is_gemini() {
            "Gemini"
        } else {
            "Bedrock"
        };
        backend("main", &origin, &format!("dialect: {dialect}")) + &route(rules)
    }

    /// The objects of a reply: its only one, or those of its stream. Bedrock's messages have their checksums checked.
    fn objects(self, reply: &Answer) -> Vec<Value> {
        let read =
            |text: &[u8]| serde_json::from_slice(text).unwrap_or_else(|_| panic!("{text:?}"));
        match self {
            Self::Gemini | Self::Converse | Self::Invoke => vec![reply.json()],
            Self::GeminiArray => serde_json::from_slice(&reply.body).unwrap(),
            Self::GeminiEvents => {
                let text = reply.text();
                let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
                data.map(|data| read(data.as_bytes())).collect()
            }
            Self::ConverseStream | Self::InvokeStream => {
                let mut cutter = EventStream::default();
                cutter.feed(Bytes::copy_from_slice(&reply.body));
                let (mut objects, mut chunk) = (Vec::new(), Vec::new());
                while let Some(message) = cutter.next_message().unwrap() {
                    let held = !message.is_exception()
                        && message.name() == Some("chunk")
                        && decode(message.frame(), &mut chunk).unwrap();
                    let mut object: Value = read(if held { &chunk } else { message.payload() });
                    if message.is_exception() {
                        object["exception"] = json!(message.name());
                    }
                    objects.push(object);
                }
                objects
            }
        }
    }

    /// The text of a reply, streamed or not, and the thinking beside it.
    fn said(self, reply: &Answer) -> (String, String) {
        let (mut text, mut thinking) = (String::new(), String::new());
        let each = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let mut add = |part: &Value| {
            let own = part["text"].as_str().unwrap_or_default();
            let thought = part["reasoningContent"]["text"].as_str();
            let thought = thought.or(part["reasoningContent"]["reasoningText"]["text"].as_str());
            let thought = thought.or(part["thinking"].as_str());
            thinking += thought.unwrap_or_default();
            if part["thought"] == true {
                thinking += own;
            } else {
                text += own;
            }
        };
        for object in self.objects(reply) {
            each(&object["candidates"][0]["content"]["parts"])
                .iter()
                .for_each(&mut add);
            each(&object["output"]["message"]["content"])
                .iter()
                .for_each(&mut add);
            each(&object["content"]).iter().for_each(&mut add);
            add(&object["delta"]);
            add(&object["content_block"]);
        }
        (text, thinking)
    }
}

#[tokio::test]
async fn a_vendors_own_client_gets_no_block_however_its_bytes_arrive() {
    for way in WAYS {
        let upstream = simulator().await;
        let proxy = Proxy::start(&way.to(&upstream, "")).await;
        let words = ["", "+split", "+coalesced", "+escaped", "+extras"];
        let words = words.map(str::to_owned).into_iter();
        for word in words.chain((1..=12).map(|n| format!("+chunk-{n}"))) {
            let path = way.path(&format!("think{word}"));
            let reply = proxy.post(&path, &way.asks(TEXT, false)).await;
            assert_eq!(reply.status, 200, "{way:?} {word}: {}", reply.text());
            let (text, thinking) = way.said(&reply);
            assert_eq!((&*text, &*thinking), (TEXT, ""), "{way:?} {word}");
        }
    }
}

#[tokio::test]
async fn extracted_thinking_reaches_a_vendors_own_client_that_asked_for_it() {
    for way in WAYS {
        let upstream = simulator().await;
        let proxy = Proxy::start(&way.to(&upstream, "thinking: {text: Extract}")).await;
        for word in ["think", "think+split", "think+chunk-3"] {
            let path = way.path(word);
            let reply = proxy.post(&path, &way.asks(TEXT, false)).await;
            assert_eq!(way.said(&reply), (TEXT.into(), String::new()), "{way:?}");
            let reply = proxy.post(&path, &way.asks(TEXT, true)).await;
            let (text, thinking) = way.said(&reply);
            assert_eq!(text, TEXT, "{way:?} {word}: {}", reply.text());
            let thought = thinking.contains("Let me think about it.");
            assert!(thought, "{way:?} {word}: {}", reply.text());
        }
    }
}

#[tokio::test]
async fn a_vendors_own_thoughts_stay_unless_they_are_to_be_dropped() {
    for way in WAYS {
        let upstream = simulator().await;
        let keeping = Proxy::start(&way.to(&upstream, "")).await;
        let dropping = Proxy::start(&way.to(&upstream, "thinking: {fields: Drop}")).await;
        let (path, body) = (way.path("reasoning"), way.asks(TEXT, true));
        let (text, thinking) = way.said(&keeping.post(&path, &body).await);
        assert!(text == TEXT && !thinking.is_empty(), "{way:?}: {text:?}");
        let reply = dropping.post(&path, &body).await;
        assert_eq!(way.said(&reply), (TEXT.into(), String::new()), "{way:?}");
    }
}

#[tokio::test]
async fn where_a_vendor_says_nothing_to_strip_every_byte_is_its_own() {
    let words = [
        "echo",
        "say+chunk-1",
        "extras+escaped",
        "keepalive-comments",
        "coalesced+extras",
        "reasoning+extras",
        "status-429",
        "chunked+extras",
        "tokens-500",
    ];
    for way in WAYS {
        let (direct, behind) = (simulator().await, simulator().await);
        let proxy = Proxy::start(&way.to(&behind, "")).await;
        for word in words {
            let (path, body) = (way.path(word), way.asks(PLAIN, false));
            let url = format!("http://{}{path}", direct.addr());
            let straight = answer(client().post(url).json(&body)).await;
            let through = proxy.post(&path, &body).await;
            assert_eq!(straight.status, through.status, "{way:?} {word}");
            assert_eq!(straight.body, through.body, "{way:?} {word}");
        }
    }
}

#[tokio::test]
async fn a_vendors_stream_that_breaks_leaks_no_thought_and_ends_with_its_error() {
    for way in WAYS.into_iter().filter(|way| way.is_stream()) {
        let upstream = simulator().await;
        let proxy = Proxy::start(&way.to(&upstream, "")).await;
        for word in ["think+chunk-8+cut-5", "think+chunk-8+split+cut-6"] {
            let reply = proxy.post(&way.path(word), &way.asks(TEXT, false)).await;
            let last = way.objects(&reply).pop().unwrap();
            let error = if way.is_gemini() {
                &last["error"]["code"]
            } else {
                &last["exception"]
            };
            assert!(!error.is_null(), "{way:?} {word}: {last}");
            let text = way.said(&reply).0;
            assert!(TEXT.starts_with(&text), "{way:?} {word}: {text}");
        }
    }
}

#[tokio::test]
async fn a_vendors_reply_names_the_model_that_was_asked_for() {
    let map = "rules: [{match: {exact: mine}, target: {model: think}}]\nreplyModel: Requested";
    for way in WAYS {
        let upstream = simulator().await;
        let manifest = names(map) + &way.to(&upstream, MAPPED);
        let proxy = Proxy::start(&manifest).await;
        let reply = proxy.post(&way.path("mine"), &way.asks(TEXT, false)).await;
        assert_eq!(way.said(&reply).0, TEXT, "{way:?}: {}", reply.text());
        let objects = way.objects(&reply);
        let models = objects.iter().filter_map(|object| match way {
            Way::Invoke => object["model"].as_str(),
            Way::InvokeStream => object["message"]["model"].as_str(),
            _ => object["modelVersion"].as_str(),
        });
        let models: Vec<_> = models.collect();
        let none = matches!(way, Way::Converse | Way::ConverseStream);
        assert_eq!(models.is_empty(), none, "{way:?}");
        let all = models.iter().all(|model| *model == "mine");
        assert!(all, "{way:?}: {models:?}");
    }
}

#[tokio::test]
async fn a_vendors_models_are_asked_not_to_think_and_nothing_else_changes_both_ways() {
    for way in WAYS {
        let (direct, behind) = (simulator().await, simulator().await);
        let proxy = Proxy::start(&way.to(&behind, "thinking: {disable: true}")).await;
        let (path, body) = (way.path("extras"), way.asks(PLAIN, true));
        let mut sent = body.clone();
        match way {
            _ if way.is_gemini() => {
                sent["generationConfig"]["thinkingConfig"] = json!({"thinkingBudget": 0});
            }
            // What a model of an unknown maker is called there, nobody knows.
            Way::Converse | Way::ConverseStream => {}
            _ => sent["thinking"] = json!({"type": "disabled"}),
        }
        let url = format!("http://{}{path}", direct.addr());
        let straight = answer(client().post(url).json(&sent)).await;
        let through = proxy.post(&path, &body).await;
        assert_eq!(straight.status, 200, "{way:?}: {}", straight.text());
        assert_eq!(straight.body, through.body, "{way:?}");
        let got = behind.requests().pop().unwrap();
        assert_eq!(got.json(), sent, "{way:?}");
    }
}
