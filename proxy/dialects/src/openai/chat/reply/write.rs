//! Writes a chat completion.

use serde_json::{Map, Value, json};

use super::word_of;
use crate::codec::Context;
use crate::form::{Choice, Finish, Part, Reply};
use crate::json::to_vec;
use crate::openai::usage;

/// Writes a reply.
#[must_use]
pub fn write(reply: &Reply, context: &Context) -> Vec<u8> {
    let legacy = context.echo.contains_key("functions");
    let choices: Vec<Value> = reply
        .choices
        .iter()
        .map(|each| choice(each, context, legacy))
        .collect();
    let mut out = json!({
        "id": reply.id.clone().unwrap_or_else(|| made(context)),
        "object": "chat.completion",
        "created": reply.created.unwrap_or_else(|| context.started.as_second()),
        "model": reply.model_or(&context.model),
        "choices": choices,
    });
    if let Some(usage) = &reply.usage {
        out["usage"] = usage::object(usage);
    }
    for name in ["system_fingerprint", "service_tier"] {
        if let Some(value) = reply.extra.get(name) {
            out[name] = value.clone();
        }
    }
    to_vec(&out)
}

/// An id of ours, for a reply that has none.
pub(crate) fn made(context: &Context) -> String {
    format!("chatcmpl-{}", context.request_id)
}

fn choice(choice: &Choice, context: &Context, legacy: bool) -> Value {
    let (message, called) = message(choice, context, legacy);
    let finish = match &choice.finish {
        Some(Finish::ToolCalls) | None if called && legacy => "function_call",
        None if called => "tool_calls",
        None => "stop",
        Some(finish) => word_of(finish),
    };
    json!({
        "index": choice.index,
        "message": message,
        "logprobs": choice.logprobs,
        "finish_reason": finish,
    })
}

fn message(choice: &Choice, context: &Context, legacy: bool) -> (Map<String, Value>, bool) {
    let (mut content, mut refusal, mut reasoning) = (None::<String>, None::<String>, None);
    let (mut calls, mut annotations) = (Vec::new(), Vec::new());
    let mut rest = Map::new();
    for part in &choice.parts {
        match part {
            Part::Text {
                text, citations, ..
            } => {
                content.get_or_insert_default().push_str(text);
                annotations.extend(own(citations.as_ref()));
            }
            Part::Reasoning { text, .. } if !text.is_empty() => {
                let joined: &mut String = reasoning.get_or_insert_default();
                joined.push_str(text);
            }
            Part::Refusal(text) => refusal.get_or_insert_default().push_str(text),
            Part::ToolCall(call) => calls.push(json!({
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments.as_text()},
            })),
            Part::Other { kind, value } if kind == "custom" => calls.push(value.clone()),
            Part::Other { kind, value } if kind == "audio" => {
                rest.extend(value.as_object().cloned().unwrap_or_default());
            }
            _ => {}
        }
    }
    let called = !calls.is_empty();
    let mut out = Map::new();
    out.insert("role".into(), "assistant".into());
    out.insert("content".into(), content.into());
    out.insert("refusal".into(), refusal.into());
    if let Some(reasoning) = reasoning.filter(|_| context.reasoning) {
        out.insert("reasoning_content".into(), reasoning.into());
    }
    if !annotations.is_empty() {
        out.insert("annotations".into(), annotations.into());
    }
    out.extend(rest);
    if legacy {
        // There is room for one.
        if let Some(function) = calls.first_mut().and_then(|call| call.get_mut("function")) {
            out.insert("function_call".into(), function.take());
        }
    } else if called {
        out.insert("tool_calls".into(), calls.into());
    }
    (out, called)
}

/// Citations that are OpenAI's, which is to say `url_citation`s.
fn own(citations: Option<&Value>) -> impl Iterator<Item = Value> + '_ {
    let list = citations.and_then(Value::as_array).into_iter().flatten();
    list.filter(|each| each.get("type").is_some_and(|kind| kind == "url_citation"))
        .cloned()
}
