//! What an upstream is asked: a client's rich request, or the richest reduction of it that the upstream takes.

use std::fmt::Write as _;

use dragoman_dialects::form::Request;
use dragoman_dialects::{Target, Wire};
use serde_json::Value;

use crate::wires::{Side, merge};

/// The richest of a client's request that the upstream takes, what was refused before, and how it is written.
pub(super) fn asked(client: &Side, upstream: &Side) -> (Value, String, Vec<u8>) {
    let whole = request(client);
    let mut left = reductions(client);
    let mut dropped: Vec<Value> = Vec::new();
    let mut said = String::new();
    let mut body = whole.clone();
    loop {
        let refusal = match written(client, upstream, &body).unwrap() {
            Ok(written) => return (body, said, written),
            Err(refusal) => refusal,
        };
        let related = |drop: &&Value| !is_of(drop, &refusal.0);
        let mut candidates: Vec<&Value> = left.iter().collect();
        candidates.sort_by_key(related);
        let reduced = candidates.into_iter().find_map(|drop| {
            let body = without(&whole, dropped.iter().chain([drop]));
            let written = written(client, upstream, &body);
            let helps = written.is_some_and(|written| written.err().as_ref() != Some(&refusal));
            helps.then(|| (drop.clone(), body))
        });
        let pair = format!("{} to {}", client.file, upstream.file);
        let (drop, reduced) = reduced.unwrap_or_else(|| panic!("{pair}: {said}{refusal:?}"));
        let ((field, message), again) = (refusal, told(&drop));
        writeln!(
            said,
            "Refused: {field}: {message}\n  It is asked again {again}."
        )
        .unwrap();
        left.retain(|other| *other != drop);
        dropped.push(drop);
        body = reduced;
    }
}

/// What an upstream is sent, or the refused field by the client's name, and why; none if the request does not read.
fn written(
    client: &Side,
    upstream: &Side,
    body: &Value,
) -> Option<Result<Vec<u8>, (String, String)>> {
    let request: Request = client.read(body.to_string().as_bytes()).ok()?;
    let target = Target {
        model: upstream.model,
        stream: request.stream,
    };
    let written = crate::requests::written(upstream, &request, target);
    Some(written.map_err(|refused| {
        let field = client.codec().name_of(&refused.field);
        (field.into_owned(), refused.message)
    }))
}

/// What may be left out of a client's request, in the order in which it is tried: a place as a JSON pointer, several that go together, or
/// other values, as an object that is merged into the request.
fn reductions(client: &Side) -> Vec<Value> {
    let mut all: Value = serde_json::from_str(include_str!("reductions.json")).unwrap();
    // Bedrock's bodies of Anthropic's are Anthropic's.
    let of = all[client.file.replace("invoke", "messages")].take();
    serde_json::from_value(of).unwrap()
}

/// Whether a reduction is of this field, or of what is in it.
fn is_of(reduction: &Value, field: &str) -> bool {
    let field = format!("/{}", field.replace(['.', '['], "/").replace(']', ""));
    places(reduction)
        .iter()
        .any(|place| place.starts_with(&field))
}

fn told(reduction: &Value) -> String {
    match reduction {
        Value::Object(_) => format!("with {reduction}"),
        _ => format!("without {}", places(reduction).join(", ")),
    }
}

fn places(reduction: &Value) -> Vec<&str> {
    match reduction {
        Value::String(place) => vec![place],
        Value::Array(places) => places.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// The request with all of these reductions.
fn without<'a>(request: &Value, reductions: impl Iterator<Item = &'a Value>) -> Value {
    let mut body = request.clone();
    let mut all = Vec::new();
    for reduction in reductions {
        match reduction {
            Value::Object(_) => merge(&mut body, reduction.clone()),
            _ => all.extend(places(reduction).into_iter().map(steps)),
        }
    }
    // From behind, since what is behind an element moves when it goes.
    all.sort();
    all.dedup();
    for place in all.iter().rev() {
        let (last, holder) = place.split_last().unwrap();
        let holder: String = holder.iter().map(|(_, step)| format!("/{step}")).collect();
        match body.pointer_mut(&holder) {
            Some(Value::Object(fields)) => drop(fields.shift_remove(last.1)),
            Some(Value::Array(list)) => drop(list.remove(last.0)),
            other => panic!("{place:?} is in {other:?}"),
        }
    }
    body
}

/// The steps of a pointer: elements by their number.
fn steps(place: &str) -> Vec<(usize, &str)> {
    let steps = place.split('/').skip(1);
    steps
        .map(|step| (step.parse().unwrap_or_default(), step))
        .collect()
}

fn request(client: &Side) -> Value {
    let text = match client.wire {
        Wire::Chat => include_str!("../../golden/chat/request/request.json"),
        Wire::Completions => include_str!("../../golden/completions/request/request.json"),
        Wire::Responses => include_str!("../../golden/responses/request/request.json"),
        Wire::Messages | Wire::BedrockInvoke => {
            include_str!("../../golden/messages/request/request.json")
        }
        Wire::OllamaChat => include_str!("../../golden/ollama-chat/request/request.json"),
        Wire::OllamaGenerate => include_str!("../../golden/ollama-generate/request/request.json"),
        Wire::Gemini => include_str!("../../golden/gemini/request/request.json"),
        Wire::Tgi => include_str!("../../golden/tgi/request/request.json"),
        Wire::BedrockConverse => include_str!("../../golden/converse/request/request.json"),
        Wire::BedrockText => include_str!("requests/bedrock-text.json"),
        Wire::Conversation => include_str!("requests/conversation.json"),
        Wire::ConversationChat => include_str!("requests/conversation-chat.json"),
    };
    let mut body: Value = serde_json::from_str(text).unwrap();
    if client.wire == Wire::BedrockInvoke {
        // The path says the rest.
        let fields = body.as_object_mut().unwrap();
        fields.shift_remove("model");
        fields.shift_remove("stream");
        fields.insert("anthropic_version".into(), "bedrock-2023-05-31".into());
    }
    body
}
