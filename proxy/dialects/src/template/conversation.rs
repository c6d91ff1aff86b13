//! Messages as turns of text.

use serde_json::{Value, json};

use crate::form::{Field, Message, Part, Refused, Role, Source, ToolCall};
use crate::tgi::{PAGE, image};

/// A turn.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Turn {
    /// Whose it is; a developer's is the system's.
    pub(super) role: Role,
    /// What was said.
    pub(super) text: String,
    /// What tools the model called.
    pub(super) calls: Vec<ToolCall>,
    /// For a tool's result: the call's id, and the tool's name where it is known.
    pub(super) result: Option<(String, Option<String>)>,
}

impl Turn {
    /// The text, with calls as the JSON of their name and arguments, a line each.
    pub(super) fn text_and_calls(&self, arguments: &str) -> String {
        let mut text = self.text.trim().to_owned();
        for call in &self.calls {
            if !text.is_empty() {
                text.push('\n');
            }
            let given = call.arguments.object().map(Value::Object);
            let given = given.unwrap_or_else(|| call.arguments.as_text().into());
            text.push_str(&json!({"name": call.name, arguments: given}).to_string());
        }
        text
    }
}

/// The turns of a conversation.
pub(super) fn turns(messages: &[Message]) -> Result<Vec<Turn>, Refused> {
    let mut turns: Vec<Turn> = Vec::with_capacity(messages.len());
    for message in messages {
        let mut turn = Turn {
            role: match message.role {
                Role::Developer => Role::System,
                role => role,
            },
            text: String::new(),
            calls: Vec::new(),
            result: None,
        };
        let mut results = Vec::new();
        for part in &message.parts {
            match part {
                Part::ToolCall(call) => turn.calls.push(call.clone()),
                Part::ToolResult(result) => {
                    let mut of_tool = Turn {
                        role: Role::Tool,
                        text: String::new(),
                        calls: Vec::new(),
                        result: None,
                    };
                    for part in &result.parts {
                        say(part, message, &mut of_tool)?;
                    }
                    let earlier = turns.iter().flat_map(|turn| &turn.calls);
                    let mut called = earlier.filter(|call| call.id == result.call);
                    let name = result
                        .name
                        .clone()
                        .or_else(|| Some(called.next()?.name.clone()));
                    of_tool.result = Some((result.call.clone(), name));
                    results.push(of_tool);
                }
                other => say(other, message, &mut turn)?,
            }
        }
        if results.is_empty() {
            turns.push(turn);
        } else {
            turns.append(&mut results);
        }
    }
    Ok(turns)
}

fn say(part: &Part, message: &Message, turn: &mut Turn) -> Result<(), Refused> {
    let said: [Option<&str>; 2] = match part {
        Part::Text { text, .. } | Part::Refusal(text) => [Some(text), None],
        Part::Reasoning { .. } => [None, None],
        Part::Image { source, .. } if turn.role == Role::User => {
            if !turn.text.is_empty() {
                turn.text.push('\n');
            }
            return image::push(source, &mut turn.text).map_err(|how| {
                let fault = format!("The model's server cannot take this image so; {how}");
                Refused::new(Field::At(message.at.clone()), fault, image::PAGE)
            });
        }
        Part::Document {
            source: Source::Text(text),
            name,
            ..
        } => [name.as_deref(), Some(text)],
        other => {
            let fault = format!(
                "The model's server takes one text with images, and this is {}; leave it out, or choose another model.",
                other.described()
            );
            return Err(Refused::new(Field::At(message.at.clone()), fault, PAGE));
        }
    };
    for text in said.into_iter().flatten() {
        if !turn.text.is_empty() && turn.role != Role::Assistant {
            turn.text.push('\n');
        }
        turn.text.push_str(text);
    }
    Ok(())
}
