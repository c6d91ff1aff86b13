//! Reasoning of earlier turns, for servers that ask for it: OpenAI refuses the field.
//!
//! Source: [DeepSeek](https://api-docs.deepseek.com/guides/thinking_mode): "for turns that do perform tool calls, the `reasoning_content` must be fully
//! passed back to the API in all subsequent requests", or they are a 400. It refuses messages without the field even where they
//! had no reasoning, so that each message of the model's has it.

use serde_json::{Map, json};

use super::messages::WITHIN;
use crate::form::{Message, Part, Request, Role};

/// The field.
pub(super) const FIELD: &str = "reasoning_content";

/// The same request, whose messages of the model's are written with what it reasoned, as far as it can be read.
#[must_use]
pub fn with_reasoning(request: &Request) -> Request {
    let mut request = request.clone();
    let own = |message: &&mut Message| message.role == Role::Assistant;
    for message in request.messages.iter_mut().filter(own) {
        let mut reasoned = String::new();
        message.parts.retain(|part| match part {
            Part::Reasoning { text, .. } => {
                reasoned.push_str(text);
                false
            }
            _ => true,
        });
        let field = Map::from_iter([(FIELD.to_owned(), reasoned.into())]);
        message.parts.push(Part::Other {
            kind: FIELD.into(),
            value: json!({ WITHIN: field }),
        });
    }
    request
}
