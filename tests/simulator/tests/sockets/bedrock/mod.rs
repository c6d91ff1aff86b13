//! Amazon Bedrock over real sockets.

mod frames;
mod sign;

use dragoman_simulator::Simulator;
use http::{Method, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::{Value, json};

use self::frames::Message;
use crate::client::{Caller, Failed, json};

fn hello() -> Value {
    json!({"messages": [{"role": "user", "content": [{"text": "one two three"}]}]})
}

/// A simulator and who calls it.
struct Called {
    simulator: Simulator,
    caller: Caller,
}

impl Called {
    async fn new() -> Result<Self, Failed> {
        Ok(Self {
            simulator: Simulator::builder().start().await?,
            caller: Caller::new(false),
        })
    }

    async fn ask(
        &self,
        model: &str,
        operation: &str,
        body: &Value,
    ) -> Result<Response<Incoming>, Failed> {
        let url = format!("{}/model/{model}/{operation}", self.simulator.origin());
        self.caller.send(Method::POST, &url, body).await
    }
}

impl Called {
    /// What a conversation's stream brings.
    async fn stream(&self, model: &str, body: &Value) -> Result<(Vec<Message>, bool), Failed> {
        messages(self.ask(model, "converse-stream", body).await?).await
    }
}

/// The messages that arrive, and whether the last of them was whole and the body ended well.
async fn messages(response: Response<Incoming>) -> Result<(Vec<Message>, bool), Failed> {
    assert_eq!(
        response.headers()["content-type"],
        "application/vnd.amazon.eventstream"
    );
    let mut body = response.into_body();
    let (mut bytes, mut ended) = (vec![], true);
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => bytes.extend_from_slice(frame.data_ref().map_or(&[], |data| data)),
            Err(_) => {
                ended = false;
                break;
            }
        }
    }
    let (all, whole) = frames::read(&bytes)?;
    Ok((all, whole && ended))
}

#[tokio::test]
async fn a_conversation_is_answered_whole_and_in_events() {
    let called = Called::new().await.unwrap();
    let mut body = hello();
    body["additionalModelRequestFields"] =
        json!({"thinking": {"type": "enabled", "budget_tokens": 1024}});
    let reply = json(called.ask("reasoning", "converse", &body).await.unwrap())
        .await
        .unwrap();
    let content = &reply["output"]["message"]["content"];
    assert_eq!(content[1]["text"], "one two three");
    let thought = &content[0]["reasoningContent"]["reasoningText"];
    assert_eq!(thought["text"], "Let me think about it.");
    assert_eq!(reply["usage"]["inputTokens"], 3);
    assert_eq!(reply["usage"]["totalTokens"], 11);
    for model in ["echo", "echo%2Bsplit", "echo+coalesced"] {
        let (all, ended) = called.stream(model, &hello()).await.unwrap();
        assert!(ended && all.iter().all(|message| message.kind == "event"));
        let names: Vec<_> = all.iter().map(|message| message.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "messageStart",
                "contentBlockDelta",
                "contentBlockDelta",
                "contentBlockDelta",
                "contentBlockStop",
                "messageStop",
                "metadata",
            ]
        );
        let text = all
            .iter()
            .filter_map(|message| message.payload["delta"]["text"].as_str());
        assert_eq!(text.collect::<String>(), "one two three");
        assert_eq!(all[5].payload["stopReason"], "end_turn");
        assert_eq!(all[6].payload["usage"]["outputTokens"], 3);
    }
    body["toolConfig"] = json!({"tools": [
        {"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object"}}}},
    ]});
    let (all, _) = called.stream("parallel-tools", &body).await.unwrap();
    let starts = all
        .iter()
        .filter(|message| message.name == "contentBlockStart");
    let starts: Vec<_> = starts
        .map(|start| &start.payload["start"]["toolUse"]["name"])
        .collect();
    assert_eq!(starts, [&json!("f"), &json!("f")]);
}

#[tokio::test]
async fn a_stream_fails_as_its_words_say() {
    let called = Called::new().await.unwrap();
    for (model, name) in [
        ("error-2", "modelStreamErrorException"),
        ("error-2+retry-after-1", "throttlingException"),
    ] {
        let (all, ended) = called.stream(model, &hello()).await.unwrap();
        assert!(ended && all.len() == 3);
        assert_eq!(
            (all[2].kind.as_str(), all[2].name.as_str()),
            ("exception", name)
        );
        assert!(all[2].payload["message"].is_string());
    }
    let (all, ended) = called.stream("cut-3", &hello()).await.unwrap();
    assert_eq!((all.len(), ended), (3, false));
    let (all, _) = called.stream("no-done", &hello()).await.unwrap();
    assert_eq!(all.last().unwrap().name, "contentBlockStop");
    let (all, _) = called.stream("malformed", &hello()).await.unwrap();
    assert_eq!(all[2].payload, Value::Null);
    let refused = called
        .ask("status-429", "converse", &hello())
        .await
        .unwrap();
    assert_eq!(refused.status(), 429);
    let kind = refused.headers()["x-amzn-errortype"].to_str().unwrap();
    assert!(kind.starts_with("ThrottlingException:"));
    let wrong = json!({"messages": [{"role": "user", "content": "hi"}]});
    let refused = called.ask("echo", "converse", &wrong).await.unwrap();
    assert_eq!(refused.status(), 400);
    assert_eq!(
        refused.headers()["x-amzn-errortype"],
        "SerializationException"
    );
}

#[tokio::test]
async fn bodies_of_anthropic_need_their_version_and_name_no_model() {
    let called = Called::new().await.unwrap();
    let body = || {
        json!({
            "anthropic_version": "bedrock-2023-05-31", "max_tokens": 100,
            "messages": [{"role": "user", "content": "one two three"}],
        })
    };
    let reply = json(called.ask("echo", "invoke", &body()).await.unwrap())
        .await
        .unwrap();
    assert_eq!(reply["content"][0]["text"], "one two three");
    let sent = called
        .ask("echo", "invoke-with-response-stream", &body())
        .await
        .unwrap();
    let (all, ended) = messages(sent).await.unwrap();
    assert!(ended && all.iter().all(|message| message.name == "chunk"));
    let events = all.iter().map(|message| {
        let text = message.payload["bytes"].as_str().unwrap();
        let bytes = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, text).unwrap();
        serde_json::from_slice::<Value>(&bytes).unwrap()
    });
    let events: Vec<_> = events.collect();
    assert_eq!(events[0]["type"], "message_start");
    let last = events.last().unwrap();
    assert_eq!(last["type"], "message_stop");
    assert_eq!(
        last["amazon-bedrock-invocationMetrics"]["outputTokenCount"],
        3
    );
    for (change, said) in [
        (
            json!({"model": "x", "stream": true}),
            "#: extraneous key [model] is not permitted#: extraneous key [stream] is not permitted",
        ),
        (
            json!({"anthropic_version": "2023-06-01"}),
            "#/anthropic_version: \"2023-06-01\" is not a valid enum value",
        ),
        (
            json!({"max_tokens": null}),
            "max_tokens: Input should be a valid integer",
        ),
    ] {
        let mut body = body();
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }
        let refused = called.ask("echo", "invoke", &body).await.unwrap();
        assert_eq!(refused.status(), 400);
        let message = json(refused).await.unwrap()["message"].clone();
        assert!(message.as_str().unwrap().contains(said), "{message}");
    }
}

#[tokio::test]
async fn a_signature_is_computed_anew_and_must_be_the_same() {
    let builder = Simulator::builder()
        .aws_key("AKID", "secret", None)
        .api_key("bearer");
    let builder = builder.aws_key("LENT", "secret", Some("token".into()));
    let simulator = builder.start().await.unwrap();
    let host = simulator.addr().to_string();
    let url = format!("{}/model/a%3A0/converse", simulator.origin());
    let body = hello();
    let text = body.to_string();
    let place = (host.as_str(), "/model/a%253A0/converse");
    let signed = |place, key, token| sign::headers(place, &text, key, token).unwrap();
    let bearer = |token: &str| vec![("authorization", format!("Bearer {token}"))];
    for http2 in [false, true] {
        let caller = Caller::new(http2);
        for (headers, status, kind) in [
            (signed(place, ("AKID", "secret"), None), 200, ""),
            (signed(place, ("LENT", "secret"), Some("token")), 200, ""),
            (bearer("bearer"), 200, ""),
            (
                bearer("else"),
                403,
                "AccessDeniedException:http://internal.amazon.com/coral/com.amazon.bedrock/",
            ),
            (vec![], 403, "MissingAuthenticationTokenException"),
            (
                signed(place, ("AKID", "else"), None),
                403,
                "InvalidSignatureException",
            ),
            (
                signed((&host, "/model/a%3A0/converse"), ("AKID", "secret"), None),
                403,
                "InvalidSignatureException",
            ),
            (
                signed(place, ("LENT", "secret"), None),
                403,
                "UnrecognizedClientException",
            ),
            (
                signed(place, ("NONE", "secret"), None),
                403,
                "UnrecognizedClientException",
            ),
        ] {
            let headers: Vec<_> = headers
                .iter()
                .map(|(name, value)| (*name, value.as_str()))
                .collect();
            let response = caller
                .send_with(Method::POST, &url, &headers, &body)
                .await
                .unwrap();
            let given = response.headers().get("x-amzn-errortype");
            let given = given.map_or("", |value| value.to_str().unwrap());
            assert_eq!((response.status().as_u16(), given), (status, kind));
        }
    }
}
