//! Whole replies of chat and generate.
//!
//! Rules of the writer: the first choice is the answer, since no request asks for more; a refusal is text; reasoning is shown to
//! clients that asked for it; arguments that are no object become `{"arguments": "<text>"}`; every good end is `stop`.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::line::{Line, made_id};
use super::measure;
use super::shape::Shape;
use crate::codec::Context;
use crate::form::{Arguments, Choice, Finish, Garbage, Part, Reply, ToolCall};
use crate::json::to_vec;

pub(super) fn read(body: &[u8], shape: Shape) -> Result<Reply, Garbage> {
    let mut line: Line<'_> = serde_json::from_slice(body)
        .map_err(|fault| Garbage::new(format!("The reply is not Ollama's: {fault}."), body))?;
    if line.error.is_some() {
        return Err(Garbage::new(
            "The reply is an error with a status of success.",
            body,
        ));
    }
    let made = line.created();
    let said = line.said(shape);
    let mut parts = Vec::new();
    if let Some(text) = said.thinking.and_then(crate::json::Text::filled) {
        parts.push(Part::Reasoning {
            text: text.into_owned(),
            signature: None,
            encrypted: None,
            id: None,
        });
    }
    if let Some(text) = said.content.and_then(crate::json::Text::filled) {
        parts.push(Part::text(text));
    }
    let calls = said.tool_calls.unwrap_or_default();
    let called = !calls.is_empty();
    for (number, mut call) in (0..).zip(calls) {
        let id = call
            .id()
            .map_or_else(|| made_id(made, number), Cow::into_owned);
        let (name, arguments) = call.take();
        parts.push(Part::ToolCall(ToolCall {
            id,
            name: name.into_owned(),
            arguments: Arguments::from_text(arguments),
            signature: None,
        }));
    }
    if parts.is_empty() && line.done.is_none() {
        return Err(Garbage::new("The reply holds no answer of Ollama's.", body));
    }
    Ok(Reply {
        id: None,
        created: made.map(Timestamp::as_second),
        choices: vec![Choice {
            index: 0,
            parts,
            finish: line.finish(called),
            logprobs: line.logprobs(),
        }],
        usage: line.usage(),
        model: line.model.map(|model| model.0.into_owned()),
        extra: Map::new(),
    })
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: Cow<'a, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    thinking: Cow<'a, str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Value>,
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Message<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    thinking: Cow<'a, str>,
    done: bool,
    done_reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<&'a Value>,
    #[serde(flatten)]
    figures: Map<String, Value>,
}

pub(super) fn write(reply: &Reply, context: &Context, shape: Shape) -> Vec<u8> {
    let choice = reply.choices.first();
    let mut message = Message {
        role: "assistant",
        content: Cow::Borrowed(""),
        thinking: Cow::Borrowed(""),
        tool_calls: Vec::new(),
    };
    for part in choice
        .map(|choice| choice.parts.as_slice())
        .unwrap_or_default()
    {
        match part {
            Part::Text { text, .. } | Part::Refusal(text) => message.content += text.as_str(),
            Part::Reasoning { text, .. } if context.reasoning => message.thinking += text.as_str(),
            Part::ToolCall(call) => {
                let place = message.tool_calls.len();
                let written = written_call(&call.id, place, &call.name, call.arguments.as_text());
                message.tool_calls.push(written);
            }
            _ => {}
        }
    }
    let created = reply
        .created
        .and_then(|second| Timestamp::from_second(second).ok());
    let (message, response, thinking) = match shape {
        Shape::Chat => (Some(message), None, Cow::Borrowed("")),
        Shape::Generate => (None, Some(message.content), message.thinking),
    };
    let logprobs = choice.and_then(|choice| choice.logprobs.as_ref()?.get("content"));
    to_vec(&Body {
        model: reply.model_or(&context.model),
        created_at: measure::time(created.unwrap_or(context.started)),
        message,
        response,
        thinking,
        done: true,
        done_reason: word(choice.and_then(|choice| choice.finish.as_ref())),
        logprobs: logprobs.filter(|list| list.is_array()),
        figures: measure::fields(reply.usage.as_ref(), None),
    })
}

/// A call as Ollama writes it.
pub(super) fn written_call(id: &str, place: usize, name: &str, arguments: &str) -> Value {
    let object = serde_json::from_str::<Map<String, Value>>(arguments);
    let arguments = match object {
        Ok(object) => Value::Object(object),
        Err(_) if arguments.trim().is_empty() => json!({}),
        Err(_) => json!({"arguments": arguments}),
    };
    json!({"id": id, "function": {"index": place, "name": name, "arguments": arguments}})
}

/// Ollama's word for an end.
pub(super) fn word(finish: Option<&Finish>) -> &str {
    match finish {
        Some(Finish::Length | Finish::Pause) => "length",
        // `load` and `unload` among them.
        Some(Finish::Other(word)) => word,
        _ => "stop",
    }
}
