//! A client's request as HTTP, and whether its answer is a whole one.

use std::fmt;

use dragoman_dialects::Wire;
use dragoman_dialects::form::{Event, message};
use dragoman_simulator::signature;
use http::Method;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use super::frames::{cut, read};
use super::wires::Side;
use crate::standalone::proxy::{Answer, Proxy, answer};

/// A request of a client's.
pub(in crate::standalone) struct Call {
    pub(super) client: &'static Side,
    body: Value,
    streamed: bool,
}

impl fmt::Display for Call {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.streamed { ", streamed" } else { "" };
        write!(out, "{}{how}", self.client.file)
    }
}

impl Call {
    pub(in crate::standalone) fn new(
        client: &'static Side,
        mut body: Value,
        streamed: bool,
    ) -> Self {
        if !client.in_path {
            body["stream"] = json!(streamed);
        }
        // Servers look whether a thought is their own.
        let signed = signature("They greet me.");
        let body = body.to_string().replace("c2ln", &signed);
        let body = serde_json::from_str(&body).unwrap();
        Self {
            client,
            body,
            streamed,
        }
    }

    fn path(&self) -> String {
        let model = self.client.model;
        let either = |whole: &str, streamed: &str| {
            let verb = if self.streamed { streamed } else { whole };
            verb.to_owned()
        };
        match self.client.wire {
            Wire::Chat => "/v1/chat/completions".into(),
            Wire::Completions => "/v1/completions".into(),
            Wire::Responses => "/v1/responses".into(),
            Wire::Messages => "/v1/messages".into(),
            Wire::OllamaChat => "/api/chat".into(),
            Wire::OllamaGenerate => "/api/generate".into(),
            Wire::Gemini => {
                let verb = either("generateContent", "streamGenerateContent?alt=sse");
                format!("/v1beta/models/{model}:{verb}")
            }
            Wire::Tgi => either("/generate", "/generate_stream"),
            Wire::BedrockInvoke | Wire::BedrockText => {
                let verb = either("invoke", "invoke-with-response-stream");
                format!("/model/{model}/{verb}")
            }
            Wire::BedrockConverse => {
                format!("/model/{model}/{}", either("converse", "converse-stream"))
            }
            Wire::Conversation => "/talk/conversation_with_model".into(),
            Wire::ConversationChat => "/talk/passthrough".into(),
        }
    }

    /// It, for a route.
    pub(super) fn request(&self, proxy: &Proxy, route: &str) -> RequestBuilder {
        let path = format!("/routes/default/{route}{}", self.path());
        proxy.request(Method::POST, &path).json(&self.body)
    }

    /// Sends it to a route.
    pub(in crate::standalone) async fn send(&self, proxy: &Proxy, route: &str) -> Answer {
        answer(self.request(proxy, route)).await
    }

    /// The text of an answer that is a whole one.
    pub(in crate::standalone) fn said(&self, answer: &Answer) -> String {
        let told = || format!("{self}: {} {}", answer.status, answer.text());
        assert_eq!(
            (answer.status, self.fault(answer)),
            (200, None),
            "{}",
            told()
        );
        if !self.streamed {
            let reply = self.client.codec().read_reply(&answer.body).unwrap();
            return message::joined_text(&reply.choices[0].parts);
        }
        let mut said = String::new();
        let complete = read(self.client, &cut(self.client, &answer.body), &mut |event| {
            if let Event::Text { text, .. } = event {
                said += &text;
            }
        });
        assert!(complete.unwrap(), "no end: {}", told());
        said
    }

    /// What is wrong with an answer of status 200, if anything.
    pub(super) fn fault(&self, answer: &Answer) -> Option<String> {
        if self.streamed {
            let text = answer.text();
            let text = text.replace("\"error\":null", "");
            let broken = ["\"error\"", "Exception", "response.failed"];
            let broken = broken.iter().find(|word| text.contains(**word));
            return match broken {
                Some(word) => Some(format!("the stream ends in {word}")),
                None => text.is_empty().then(|| "the stream is empty".to_owned()),
            };
        }
        match self.client.codec().read_reply(&answer.body) {
            Ok(reply) if reply.choices.iter().any(|choice| !choice.parts.is_empty()) => None,
            Ok(_) => Some("the answer is empty".into()),
            Err(fault) => Some(format!("the answer is not read: {fault}")),
        }
    }
}
