//! What an upstream answers: the sections of `upstreams/<upstream>.txt`. Chunks of Bedrock's `invoke` are shown as the events in them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dragoman_dialects::Framing;
use dragoman_dialects::framing::event_stream;

use crate::frames::{Cut, cut};
use crate::wires::Side;

/// What an upstream answers.
pub(super) struct Upstream {
    pub(super) reply: &'static str,
    stream: &'static str,
    pub(super) status: u16,
    pub(super) error: &'static str,
}

impl Upstream {
    pub(super) fn new(side: &Side) -> Self {
        let text = match side.file {
            "bedrock-text" => include_str!("upstreams/bedrock-text.txt"),
            "chat" => include_str!("upstreams/chat.txt"),
            "completions" => include_str!("upstreams/completions.txt"),
            "converse" => include_str!("upstreams/converse.txt"),
            "gemini" => include_str!("upstreams/gemini.txt"),
            "invoke" => include_str!("upstreams/invoke.txt"),
            "messages" => include_str!("upstreams/messages.txt"),
            "ollama-chat" => include_str!("upstreams/ollama-chat.txt"),
            "ollama-generate" => include_str!("upstreams/ollama-generate.txt"),
            "responses" => include_str!("upstreams/responses.txt"),
            "tgi" => include_str!("upstreams/tgi.txt"),
            other => panic!("{other} answers nothing"),
        };
        let (reply, rest) = text.split_once("== stream\n").unwrap();
        let (stream, error) = rest.split_once("== error ").unwrap();
        let (status, error) = error.split_once('\n').unwrap();
        Self {
            reply: reply.strip_prefix("== reply\n").unwrap(),
            stream,
            status: status.parse().unwrap(),
            error,
        }
    }

    /// The stream, cut as the dialect cuts it.
    pub(super) fn frames(&self, side: &Side) -> Vec<Cut> {
        match side.codec().framing() {
            Framing::EventStream => cut(side, &bytes(self.stream)),
            _ => cut(side, self.stream.as_bytes()),
        }
    }
}

/// The bytes of a transcript of messages: a line with the event's name, one with its payload, and a blank one.
fn bytes(transcript: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for message in transcript
        .split("\n\n")
        .filter(|message| !message.is_empty())
    {
        let (name, payload) = message.split_once('\n').unwrap();
        let payload = match name {
            "chunk" => format!(r#"{{"bytes":"{}","p":"ab"}}"#, STANDARD.encode(payload)),
            _ => payload.to_owned(),
        };
        event_stream::write::event(name, &mut out, |out| {
            out.extend_from_slice(payload.as_bytes());
        });
    }
    out
}
