//! The conversation, read.
//!
//! Clients that keep a stream's pieces send each as a content of its own: the model's, one after another, are one message, and in it neighbouring texts are one text, and
//! neighbouring thoughts one thought up to its signature.

use crate::anthropic::request::read::user;
use crate::fields::Fields;
use crate::form::{Malformed, Message, Part, Role};
use crate::gemini::calls::Calls;
use crate::gemini::parts;
use crate::gemini::spelling::{object, objects};

/// Takes `systemInstruction` and `contents`.
///
/// # Errors
/// [`Malformed`] if they are not what the dialect says.
pub fn read(body: &mut Fields) -> Result<Vec<Message>, Malformed> {
    let mut messages = Vec::new();
    let mut calls = Calls::default();
    if let Some(mut system) = object(body, "systemInstruction")? {
        system.ignore(&["role"]);
        let parts = parts::read(&mut system, &mut calls)?;
        if !parts.is_empty() {
            messages.push(Message {
                role: Role::System,
                name: None,
                parts,
                at: "systemInstruction".into(),
            });
        }
    }
    let contents = objects(body, "contents")?;
    if contents.is_empty() {
        return Err(body.fault("contents", "At least one content is required."));
    }
    for mut content in contents {
        let at = content.at().to_owned();
        let role = content.string("role")?.unwrap_or_default();
        let parts = parts::read(&mut content, &mut calls)?;
        match role.as_str() {
            "" | "user" | "function" => user(parts, &at, &mut messages)?,
            "model" => model(parts, at, &mut messages)?,
            other => {
                let message = format!("The role must be user or model, not {other:?}.");
                return Err(content.fault("role", message));
            }
        }
    }
    Ok(messages)
}

fn model(parts: Vec<Part>, at: String, messages: &mut Vec<Message>) -> Result<(), Malformed> {
    if parts.iter().any(|part| matches!(part, Part::ToolResult(_))) {
        let message = "The model's content cannot hold what a function gave.";
        return Err(Malformed::new(at, message));
    }
    let goes_on = messages
        .last()
        .is_some_and(|last| last.role == Role::Assistant);
    if !goes_on {
        messages.push(Message {
            role: Role::Assistant,
            name: None,
            parts: Vec::new(),
            at,
        });
    }
    if let Some(message) = messages.last_mut() {
        for part in parts {
            add(&mut message.parts, part);
        }
    }
    Ok(())
}

fn add(parts: &mut Vec<Part>, part: Part) {
    match (parts.last_mut(), part) {
        (
            Some(Part::Text { text, .. }),
            Part::Text {
                text: more,
                citations: None,
                cache: None,
            },
        ) => text.push_str(&more),
        (
            Some(Part::Reasoning {
                text,
                signature: signed @ None,
                ..
            }),
            Part::Reasoning {
                text: more,
                signature,
                ..
            },
        ) => {
            text.push_str(&more);
            *signed = signature;
        }
        (_, part) => parts.push(part),
    }
}
