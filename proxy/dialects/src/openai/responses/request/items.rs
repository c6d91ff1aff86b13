//! Items, read as turns.

use serde_json::Value;

use super::content::content;
use crate::fields::Fields;
use crate::form::{Arguments, Encrypted, Malformed, Message, Part, Role, ToolCall, ToolResult};

/// Reads `input`: one text, or items.
pub(super) fn input(fields: &mut Fields, messages: &mut Vec<Message>) -> Result<(), Malformed> {
    match fields.peek("input") {
        None => Err(fields.missing("input")),
        Some(Value::String(_)) => {
            let text = fields.required_string("input")?;
            messages.push(Message::text(Role::User, text, "input"));
            Ok(())
        }
        Some(_) => {
            let list = fields.objects("input")?.unwrap_or_default();
            if list.is_empty() {
                return Err(fields.fault("input", "The list must hold at least one item."));
            }
            for item in list {
                read(item, messages)?;
            }
            Ok(())
        }
    }
}

/// What an item of a response says besides, and clients send back: how far it came, and who and what it was for.
const ECHOED: [&str; 6] = [
    "status",
    "phase",
    "created_by",
    "caller",
    "parsed_arguments",
    "agent",
];

fn read(mut fields: Fields, messages: &mut Vec<Message>) -> Result<(), Malformed> {
    let at = fields.at().to_owned();
    let kind = fields.string("type")?;
    if let None | Some("message" | "function_call" | "function_call_output") = kind.as_deref() {
        fields.ignore(&ECHOED);
    }
    match kind.as_deref() {
        None | Some("message") => message(fields, messages),
        Some("function_call") => {
            let given = match fields.string("call_id")? {
                Some(id) => Some(id),
                None => fields.string("id")?,
            };
            fields.ignore(&["id"]);
            let id = given
                .filter(|id| !id.is_empty())
                .unwrap_or_else(|| format!("call_{}", messages.len()));
            let arguments = fields.string("arguments")?.unwrap_or_default();
            let call = ToolCall {
                id,
                name: fields.required_string("name")?,
                arguments: Arguments::from_text(arguments),
                signature: None,
            };
            turn(messages, at).push(Part::ToolCall(call));
            Ok(())
        }
        Some("function_call_output") => {
            fields.ignore(&["id"]);
            let result = ToolResult {
                call: fields.required_string("call_id")?,
                name: None,
                parts: content(&mut fields, "output")?,
                is_error: false,
                cache: None,
            };
            messages.push(Message {
                role: Role::Tool,
                name: None,
                parts: vec![Part::ToolResult(result)],
                at,
            });
            Ok(())
        }
        Some("reasoning") => {
            let part = reasoning(fields)?;
            turn(messages, at).push(part);
            Ok(())
        }
        Some("item_reference") => {
            let message = "An item can be referred to only where responses are stored, and this model's backend stores none; send the item itself.";
            Err(Malformed::new(at, message))
        }
        Some(_) => {
            let kind = kind.unwrap_or_default();
            let mut value = fields.rest();
            value.shift_insert(0, "type".into(), kind.clone().into());
            let value = value.into();
            turn(messages, at).push(Part::Other { kind, value });
            Ok(())
        }
    }
}

/// The parts of the assistant's turn that is going on, or of a new one.
fn turn(messages: &mut Vec<Message>, at: String) -> &mut Vec<Part> {
    let open = messages
        .last()
        .is_some_and(|last| last.role == Role::Assistant);
    if !open {
        messages.push(Message {
            role: Role::Assistant,
            name: None,
            parts: Vec::new(),
            at,
        });
    }
    let last = messages.len() - 1;
    &mut messages[last].parts
}

fn message(mut fields: Fields, messages: &mut Vec<Message>) -> Result<(), Malformed> {
    let at = fields.at().to_owned();
    let role = match fields.required_string("role")?.as_str() {
        "user" => Role::User,
        "system" => Role::System,
        "developer" => Role::Developer,
        "assistant" => Role::Assistant,
        other => {
            let message =
                format!("The role must be user, assistant, system or developer, not {other:?}.");
            return Err(fields.fault("role", message));
        }
    };
    fields.ignore(&["id"]);
    let mut parts = content(&mut fields, "content")?;
    // The assistant's reasoning comes as an item before what it said.
    if role == Role::Assistant
        && let Some(last) = messages.last_mut()
        && last.role == Role::Assistant
        && last
            .parts
            .iter()
            .all(|part| matches!(part, Part::Reasoning { .. }))
    {
        last.parts.append(&mut parts);
        return Ok(());
    }
    messages.push(Message {
        role,
        name: None,
        parts,
        at,
    });
    Ok(())
}

/// Reads a reasoning item. What it says in full comes before its summary.
pub(crate) fn reasoning(mut fields: Fields) -> Result<Part, Malformed> {
    fields.ignore(&["type", "status"]);
    let mut texts = |name: &str, between: &str| -> Result<String, Malformed> {
        let list = fields.objects(name)?.unwrap_or_default();
        let each = list.into_iter().map(|mut part| {
            part.ignore(&["type"]);
            part.string("text")
        });
        let each: Vec<_> = each.collect::<Result<_, _>>()?;
        Ok(each.into_iter().flatten().collect::<Vec<_>>().join(between))
    };
    let (full, summary) = (texts("content", "")?, texts("summary", "\n\n")?);
    Ok(Part::Reasoning {
        text: if full.is_empty() { summary } else { full },
        signature: None,
        encrypted: fields
            .string("encrypted_content")?
            .map(Encrypted::by_openai),
        id: fields.string("id")?,
    })
}
