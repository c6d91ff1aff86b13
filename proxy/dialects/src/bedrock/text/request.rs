//! Requests.
//!
//! What stands before the first turn is the system prompt, as Claude 2.1 takes it. The white space around a turn is not its own. Written, neighbouring
//! messages of one role become one turn, texts without a visible character are left out, and so are `user` and `keep_alive`.

use serde::Serialize;

use crate::anthropic::request::limits;
use crate::anthropic::request::write::DEFAULT_MAX_TOKENS;
use crate::bedrock::invoke::PAGE;
use crate::codec::Path;
use crate::extra;
use crate::fields::Fields;
use crate::form::message::begun;
use crate::form::{
    Field, Format, Malformed, Message, Part, Reasoning, Refused, Request, Role, Sampling,
};
use crate::json;

const HUMAN: &str = "\n\nHuman:";
const ASSISTANT: &str = "\n\nAssistant:";

/// Reads a request.
///
/// # Errors
/// [`Malformed`] if it is not what the dialect says, or the path names no model.
pub fn read(body: &[u8], path: Path<'_>) -> Result<Request, Malformed> {
    let mut body = Fields::of_request(body)?;
    let model = path.model.ok_or_else(|| body.missing("model"))?.to_owned();
    let prompt = body.required_string("prompt")?;
    let messages = turns(&prompt).ok_or_else(|| {
        body.fault(
            "prompt",
            "The prompt must begin with a turn of \"\\n\\nHuman:\" that says something.",
        )
    })?;
    let max_tokens = body.count("max_tokens_to_sample")?;
    let max_tokens = Some(max_tokens.ok_or_else(|| body.missing("max_tokens_to_sample"))?);
    let sampling = Sampling {
        temperature: body.float("temperature")?,
        top_p: body.float("top_p")?,
        top_k: body.integer("top_k")?,
        ..Sampling::default()
    };
    let stop = body.strings("stop_sequences")?.unwrap_or_default();
    body.string("anthropic_version")?;
    let extra = body.extra();
    Ok(Request {
        model,
        stream: path.stream.unwrap_or(false),
        stream_usage: true,
        continued: begun(&messages),
        messages,
        sampling,
        max_tokens,
        stop,
        extra,
        ..Request::default()
    })
}

/// The turns of a prompt; none if nobody speaks first.
fn turns(prompt: &str) -> Option<Vec<Message>> {
    let mut messages = Vec::new();
    let mut say = |role, text: &str| {
        if !text.trim().is_empty() {
            messages.push(Message::text(role, text.trim(), "prompt"));
        }
    };
    // Clients leave out the lines before the first turn.
    let owned = prompt
        .trim_start()
        .starts_with("Human:")
        .then(|| format!("\n\n{}", prompt.trim_start()));
    let mut rest = owned.as_deref().unwrap_or(prompt);
    let mut role = Role::System;
    loop {
        let next = [(HUMAN, Role::User), (ASSISTANT, Role::Assistant)]
            .into_iter()
            .filter_map(|(mark, role)| Some((rest.find(mark)?, mark, role)))
            .min_by_key(|(place, ..)| *place);
        let Some((place, mark, next)) = next else {
            break;
        };
        say(role, &rest[..place]);
        (role, rest) = (next, &rest[place + mark.len()..]);
    }
    say(role, rest);
    let first = messages.iter().find(|message| message.role != Role::System);
    first
        .is_some_and(|message| message.role == Role::User)
        .then_some(messages)
}

#[derive(Serialize)]
struct Body<'a> {
    prompt: String,
    max_tokens_to_sample: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<i64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop_sequences: &'a [String],
}

/// Writes a request.
///
/// # Errors
/// [`Refused`] for all but text.
pub fn write(request: &Request) -> Result<Vec<u8>, Refused> {
    limits::check(request, "Claude 2", PAGE)?;
    let lacks = [
        (
            !request.tools.is_empty(),
            Field::Tools(None),
            "calls no tools",
        ),
        (
            request.reasoning.as_ref().is_some_and(Reasoning::is_on),
            Field::Reasoning,
            "does not reason before it answers",
        ),
        (
            !matches!(request.format, None | Some(Format::Text)),
            Field::Format,
            "promises no form of its text",
        ),
    ];
    for (fault, field, lack) in lacks {
        if fault {
            let message = format!("Claude 2 {lack}; remove the field, or choose another model.");
            return Err(Refused::new(field, message, PAGE));
        }
    }
    extra::carry(
        &request.extra,
        &[],
        &["anthropic_version"],
        ("Claude 2", PAGE),
        &mut serde_json::Map::new(),
    )?;
    Ok(json::to_vec(&Body {
        prompt: prompt(&request.messages)?,
        max_tokens_to_sample: request.max_tokens.unwrap_or(DEFAULT_MAX_TOKENS),
        temperature: request.sampling.temperature,
        top_p: request.sampling.top_p.filter(|mass| *mass != 1.0),
        top_k: request.sampling.top_k.filter(|count| *count > 0),
        stop_sequences: &request.stop,
    }))
}

fn prompt(messages: &[Message]) -> Result<String, Refused> {
    let (mut system, mut turns, mut last) = (String::new(), String::new(), None);
    for message in messages {
        let text = text(message)?;
        let mark = match message.role {
            _ if text.trim().is_empty() => continue,
            Role::System | Role::Developer => {
                system.push_str(if system.is_empty() { "" } else { "\n\n" });
                system.push_str(text.trim());
                continue;
            }
            Role::User | Role::Tool => HUMAN,
            Role::Assistant => ASSISTANT,
        };
        if last == Some(mark) {
            turns.push('\n');
        } else {
            turns.push_str(mark);
            turns.push(' ');
        }
        turns.push_str(text.trim());
        last = Some(mark);
    }
    if turns.is_empty() && !system.is_empty() {
        turns = format!("{HUMAN} {}", std::mem::take(&mut system));
    }
    if !turns.starts_with(HUMAN) {
        let message =
            "Claude 2 wants the user to speak first; send a user's message before the model's.";
        return Err(Refused::new(Field::At("messages".into()), message, PAGE));
    }
    if last != Some(ASSISTANT) {
        turns.push_str(ASSISTANT);
    }
    Ok(system + &turns)
}

fn text(message: &Message) -> Result<String, Refused> {
    let mut text = String::new();
    for part in &message.parts {
        match part {
            Part::Text { text: piece, .. } | Part::Refusal(piece) => {
                // The model's own words stand as they are; others' are a line each.
                if message.role != Role::Assistant && !text.is_empty() {
                    text.push('\n');
                }
                text.push_str(piece);
            }
            Part::Reasoning { .. } => {}
            other => {
                let message_ = format!(
                    "Claude 2 takes text only, not {}; remove it, or choose another model.",
                    other.described()
                );
                return Err(Refused::new(Field::At(message.at.clone()), message_, PAGE));
            }
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::message::joined_text;

    fn said(prompt: &str) -> Option<Vec<(Role, String)>> {
        let turns = turns(prompt)?;
        Some(
            turns
                .iter()
                .map(|turn| (turn.role, joined_text(&turn.parts)))
                .collect(),
        )
    }

    #[test]
    fn a_prompt_is_its_turns() {
        let prompt =
            "Be brief.\n\nHuman: Hi\n\nthere\n\nAssistant: Hello\n\nHuman: Go\n\nAssistant:";
        let expected = [
            (Role::System, "Be brief."),
            (Role::User, "Hi\n\nthere"),
            (Role::Assistant, "Hello"),
            (Role::User, "Go"),
        ];
        let expected: Vec<_> = expected.map(|(role, text)| (role, text.to_owned())).into();
        assert_eq!(said(prompt), Some(expected));
        assert_eq!(said("Human: Hi").unwrap().len(), 1);
        for prompt in ["", "Hi", "\n\nAssistant: Hi", "\n\nHuman: \n\nAssistant:"] {
            assert_eq!(said(prompt), None, "{prompt:?}");
        }
        assert_eq!(super::prompt(&turns(prompt).unwrap()).unwrap(), prompt);
    }
}
