//! Messages, and the ids of the calls in them.

use std::collections::{HashSet, VecDeque};

use serde_json::{Map, json};

use super::content::{content, reasoning};
use super::tools::{call, tool_calls};
use crate::fields::Fields;
use crate::form::{Malformed, Message, Part, Role, ToolResult};

/// What SDKs send back of a reply's message and what says nothing to the model.
const ECHOED: [&str; 8] = [
    "annotations",
    "reasoning_details",
    "provider_specific_fields",
    "id",
    "object",
    "created_at",
    "parsed",
    "thinking_blocks",
];

pub(super) fn messages(list: Vec<Fields>) -> Result<Vec<Message>, Malformed> {
    let mut calls = Calls::default();
    list.into_iter()
        .map(|fields| message(fields, &mut calls))
        .collect()
}

/// The calls of a conversation so far. Those without an id get `call_<n>`, and results without one are those of the oldest call that waits for one.
#[derive(Default)]
struct Calls {
    count: usize,
    given: HashSet<String>,
    /// Ids and names of calls without a result.
    waiting: VecDeque<(String, String)>,
}

impl Calls {
    fn id(&mut self, id: Option<String>) -> String {
        let id = id.unwrap_or_else(|| {
            loop {
                let made = format!("call_{}", self.count);
                self.count += 1;
                if !self.given.contains(&made) {
                    break made;
                }
            }
        });
        self.given.insert(id.clone());
        id
    }

    fn made(&mut self, parts: &[Part]) {
        for part in parts {
            if let Part::ToolCall(call) = part {
                self.waiting.push_back((call.id.clone(), call.name.clone()));
            }
        }
    }

    /// The call that a result of this id or, without one, of this function answers.
    fn answered(&mut self, id: Option<String>, name: Option<&str>) -> Option<String> {
        let found = match (&id, name) {
            (Some(id), _) => self.waiting.iter().position(|(of, _)| of == id),
            (None, Some(name)) => self
                .waiting
                .iter()
                .position(|(_, of)| of == name)
                .or((!self.waiting.is_empty()).then_some(0)),
            (None, None) => (!self.waiting.is_empty()).then_some(0),
        };
        let of = found.and_then(|place| self.waiting.remove(place));
        id.or(of.map(|(id, _)| id))
    }
}

fn message(mut fields: Fields, calls: &mut Calls) -> Result<Message, Malformed> {
    let at = fields.at().to_owned();
    let name = fields.string("name")?;
    let role = match fields.required_string("role")?.as_str() {
        "system" => Role::System,
        "developer" => Role::Developer,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" | "function" => return result(fields, name, calls, at),
        other => {
            let message = format!(
                "The role must be system, developer, user, assistant or tool, not {other:?}."
            );
            return Err(fields.fault("role", message));
        }
    };
    let mut parts = Vec::new();
    if role == Role::Assistant {
        for name in ["reasoning_content", "reasoning"] {
            let text = fields.string(name)?.filter(|text| !text.is_empty());
            // Servers that say it twice say it the same.
            if let Some(text) = text.filter(|_| parts.is_empty()) {
                parts.push(reasoning(text));
            }
        }
    }
    parts.append(&mut content(&mut fields)?);
    if role == Role::Assistant {
        assistant(&mut fields, calls, &mut parts)?;
    }
    // LiteLLM's way to mark a message's end for Anthropic.
    if let Some(mark) = fields.value("cache_control")
        && let Some(Part::Text { cache, .. }) = parts.last_mut()
    {
        cache.get_or_insert(mark);
    }
    keep_rest(fields, &mut parts);
    let message = Message {
        role,
        name,
        parts,
        at,
    };
    Ok(message)
}

fn assistant(
    fields: &mut Fields,
    calls: &mut Calls,
    parts: &mut Vec<Part>,
) -> Result<(), Malformed> {
    if let Some(text) = fields.string("refusal")?.filter(|text| !text.is_empty()) {
        parts.push(Part::Refusal(text));
    }
    let mut made = Vec::new();
    if let Some(list) = fields.objects("tool_calls")? {
        made = tool_calls(list, &mut |id| calls.id(id))?;
    }
    if let Some(mut older) = fields.object("function_call")? {
        let id = calls.id(None);
        made.push(Part::ToolCall(call(id, &mut older)?));
    }
    calls.made(&made);
    parts.append(&mut made);
    Ok(())
}

fn result(
    mut fields: Fields,
    name: Option<String>,
    calls: &mut Calls,
    at: String,
) -> Result<Message, Malformed> {
    let id = fields.string("tool_call_id")?.filter(|id| !id.is_empty());
    let Some(call) = calls.answered(id, name.as_deref()) else {
        let message = "The field is required: no call before this message waits for a result.";
        return Err(fields.fault("tool_call_id", message));
    };
    let cache = fields.value("cache_control");
    let mut parts = content(&mut fields)?;
    keep_rest(fields, &mut parts);
    let result = ToolResult {
        call,
        name,
        parts,
        is_error: false,
        cache,
    };
    Ok(Message {
        role: Role::Tool,
        name: None,
        parts: vec![Part::ToolResult(result)],
        at,
    })
}

/// Marks a field of a message of this dialect's: Converse names its parts by their only member too.
pub(super) const WITHIN: &str = "chat.completions message";

/// Keeps each field that is left as a part of its own, which only this dialect writes back: `prefix`, `audio`.
fn keep_rest(fields: Fields, parts: &mut Vec<Part>) {
    for (kind, value) in fields.rest() {
        let empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
        if empty || ECHOED.contains(&kind.as_str()) {
            continue;
        }
        let field = Map::from_iter([(kind.clone(), value)]);
        let value = json!({ WITHIN: field });
        parts.push(Part::Other { kind, value });
    }
}
