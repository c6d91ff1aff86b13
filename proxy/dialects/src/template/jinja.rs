//! Custom templates, in Jinja as Hugging Face's `apply_chat_template` runs them.
//!
//! Source: [writing a chat template](https://huggingface.co/docs/transformers/chat_templating_writing). Blocks are trimmed
//! (`trim_blocks`, `lstrip_blocks`), Python's methods of strings, lists and maps are there, and so are `raise_exception`,
//! `strftime_now`, `break` and `continue`. What a rendering may cost grows with its conversation, whatever its template does.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;

use super::Custom;
use super::conversation::Turn;
use super::python;
use crate::form::{Field, Refused, Role};
use crate::jinja::{Blocks, Bounds, Failed, Faulty, Program};

/// What every rendering may hold and do, and how often it may hold, and copy, its whole conversation besides.
/// Templates of vendors need little more than half of it.
const BASE: Bounds = Bounds {
    held: 16 << 20,
    work: 64 << 20,
};
const HELD: usize = 8;
const WORKED: usize = 32;

/// A compiled template.
#[derive(Clone, Debug)]
pub(super) struct Jinja {
    program: Arc<Program>,
    bos: String,
    eos: String,
}

impl Jinja {
    /// Compiles a template.
    pub(super) fn compile(custom: Custom) -> Result<Self, Faulty> {
        let source = python::without_generation_marks(&custom.source);
        Ok(Self {
            program: Arc::new(Program::compile(&source, Blocks::Trimmed)?),
            bos: custom.bos_token,
            eos: custom.eos_token,
        })
    }

    /// The prompt.
    pub(super) fn render(&self, turns: &[Turn], now: Timestamp) -> Result<String, Refused> {
        let continued = turns
            .last()
            .filter(|turn| turn.role == Role::Assistant && turn.calls.is_empty())
            .map(|turn| turn.text.trim())
            .filter(|text| !text.is_empty());
        let messages: Vec<serde_json::Value> = turns.iter().map(message).collect();
        let size: usize = messages.iter().map(size).sum();
        let variables = [
            ("messages", messages.into()),
            ("tools", serde_json::Value::Null),
            ("documents", serde_json::Value::Null),
            ("add_generation_prompt", continued.is_none().into()),
            ("bos_token", self.bos.as_str().into()),
            ("eos_token", self.eos.as_str().into()),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value));
        let bounds = Bounds {
            held: size.saturating_mul(HELD).saturating_add(BASE.held),
            work: size.saturating_mul(WORKED).saturating_add(BASE.work),
        };
        let rendered = self.program.render(variables, Some(now), bounds);
        let mut prompt = rendered.map_err(refused)?.text;
        // What the template closes the last message with would keep the model from going on, so it is cut off.
        if let Some((text, at)) = continued.and_then(|text| Some((text, prompt.rfind(text)?))) {
            prompt.truncate(at + text.len());
        }
        Ok(prompt)
    }
}

/// What a message is worth: its bytes, and some for each part of it.
fn size(json: &serde_json::Value) -> usize {
    const NODE: usize = 64;
    match json {
        serde_json::Value::String(text) => NODE + text.len(),
        serde_json::Value::Array(items) => NODE + items.iter().map(size).sum::<usize>(),
        serde_json::Value::Object(members) => {
            let members = members
                .iter()
                .map(|(key, value)| NODE + key.len() + size(value));
            NODE + members.sum::<usize>()
        }
        _ => NODE,
    }
}

/// A message as templates expect it: content is one string, arguments are an object.
fn message(turn: &Turn) -> serde_json::Value {
    let role = match turn.role {
        Role::System | Role::Developer => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    };
    let mut message = json!({"role": role, "content": turn.text});
    if !turn.calls.is_empty() {
        let calls = turn.calls.iter().map(|call| {
            let arguments = call.arguments.object().map(serde_json::Value::Object);
            let arguments = arguments.unwrap_or_else(|| call.arguments.as_text().into());
            json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}})
        });
        message["tool_calls"] = calls.collect();
    }
    if let Some((id, name)) = &turn.result {
        message["tool_call_id"] = id.as_str().into();
        if let Some(name) = name {
            message["name"] = name.as_str().into();
        }
    }
    message
}

fn refused(failed: Failed) -> Refused {
    let message = match failed {
        Failed::TooMuch => {
            "The conversation is too long for the prompt template; shorten it.".to_owned()
        }
        Failed::Said { message, .. } => format!(
            "The prompt template of the model's backend does not take the conversation: {}; change the conversation, or choose another model.",
            message.trim_end_matches(['.', '!'])
        ),
    };
    Refused {
        field: Field::At("messages".into()),
        message,
        source: None,
    }
}
