//! A whole message.
//!
//! Source: [the message object](https://platform.claude.com/docs/en/api/messages#message).

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::{
    answer::{Call, Choice, Usage},
    openai::with_extras,
};

/// What a signature says, before the thoughts that it signs.
const SIGNED: &str = "simulated:";

/// A message, before it is written.
pub(super) struct Message<'a> {
    pub(super) id: u64,
    pub(super) model: &'a str,
    pub(super) choice: &'a Choice,
    pub(super) usage: Option<Usage>,
    /// Thoughts are signed but not shown.
    pub(super) omitted: bool,
    pub(super) extras: bool,
}

impl Message<'_> {
    /// The body of a plain reply.
    pub(super) fn plain(&self) -> String {
        let mut content = vec![];
        if let Some(thought) = self.choice.reasoning {
            let shown = if self.omitted { "" } else { thought };
            content.push(
                json!({"type": "thinking", "thinking": shown, "signature": signature(thought)}),
            );
        }
        if let Some(text) = self.text() {
            content.push(json!({"type": "text", "text": text}));
        }
        for (at, call) in self.choice.calls.iter().enumerate() {
            let input: Value = serde_json::from_str(&call.arguments).unwrap_or_default();
            content.push(self.tool_use(at, call, input));
        }
        let (reason, stop) = self.end();
        self.start(content, reason.into(), stop)
    }

    /// The message with this much of it, as JSON.
    pub(super) fn start(&self, content: Vec<Value>, reason: Value, stop: Value) -> String {
        let mut message = json!({
            "id": format!("msg_sim_{}", self.id),
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": content,
            "stop_reason": reason,
            "stop_sequence": stop,
        });
        if let Some(usage) = self.usage {
            message["usage"] = if reason.is_null() {
                figures(Usage {
                    completion: 0,
                    reasoning: 0,
                    ..usage
                })
            } else {
                figures(usage)
            };
        }
        let json = message.to_string();
        if self.extras {
            with_extras(&json)
        } else {
            json
        }
    }

    /// The text, unless it is empty: no block is.
    pub(super) fn text(&self) -> Option<&str> {
        self.choice.text.as_deref().filter(|text| !text.is_empty())
    }

    pub(super) fn tool_use(&self, at: usize, call: &Call, input: Value) -> Value {
        let id = format!("toolu_sim_{}_{at}", self.id);
        json!({"type": "tool_use", "id": id, "name": call.name, "input": input})
    }

    /// Why it ended, and by which stop sequence.
    pub(super) fn end(&self) -> (&'static str, Value) {
        let stop = self.choice.stop.as_deref();
        let reason = match (self.choice.finish, stop) {
            ("length", _) => "max_tokens",
            ("tool_calls", _) => "tool_use",
            ("content_filter", _) => "refusal",
            (_, Some(_)) => "stop_sequence",
            _ => "end_turn",
        };
        let stop = stop.filter(|_| reason == "stop_sequence");
        (reason, stop.into())
    }
}

pub(super) fn figures(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.prompt,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": usage.completion,
        "output_tokens_details": {"thinking_tokens": usage.reasoning},
        "service_tier": "standard",
    })
}

/// What signs a thought of Claude's, so that one that comes back altered is known.
#[must_use]
pub fn signature(thought: &str) -> String {
    BASE64_STANDARD.encode([SIGNED, thought].concat())
}

/// Whether a thought came from here, as it is or omitted.
pub(crate) fn signed(thought: &str, signature: &str) -> bool {
    let decoded = BASE64_STANDARD.decode(signature).unwrap_or_default();
    decoded
        .strip_prefix(SIGNED.as_bytes())
        .is_some_and(|rest| thought.is_empty() || rest == thought.as_bytes())
}
