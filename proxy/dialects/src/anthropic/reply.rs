//! Whole replies.
//!
//! Rules of ours: only the first choice is written, for the vendor gives one; of reasoning that the client did not ask for, or asked to have hidden, the
//! signature alone is written, which its next turn must bring back; a refusal is text; a call whose arguments are no JSON object has them as
//! `{"unparsed_arguments": "…"}`; a reply that calls tools and is said to have just ended has the `stop_reason` of one that calls tools.

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::ids;
use super::request::block::Block;
use super::request::{parts, turns};
use super::usage::Tokens;
use crate::codec::Context;
use crate::fields::Fields;
use crate::form::{Choice, Encrypted, Finish, Garbage, Malformed, Part, Reply, Vendor};
use crate::json;

/// Fields of a reply that the form does not know and that go back to this dialect's clients.
const KNOWN: [&str; 3] = ["container", "context_management", "stop_details"];

/// Reads a reply.
///
/// # Errors
/// [`Garbage`] if it is not what the dialect says.
pub fn read(body: &[u8]) -> Result<Reply, Garbage> {
    let read = |fault: Malformed| Garbage::new(format!("The reply does not read: {fault}"), body);
    of_fields(Fields::of_body(body).map_err(read)?).map_err(read)
}

fn of_fields(mut body: Fields) -> Result<Reply, Malformed> {
    let kind = body.string("type")?;
    if kind.as_deref().is_some_and(|kind| kind != "message") {
        return Err(body.fault("type", "The field must be message."));
    }
    let id = body.string("id")?.filter(|id| !id.is_empty());
    let blocks = body.objects("content")?.unwrap_or_default();
    let mut parts = Vec::with_capacity(blocks.len());
    for block in blocks {
        let number = parts.len();
        let block = block.map(|block| with_id(block, id.as_deref(), number));
        parts.push(parts::block(block)?);
    }
    let sequence = body.string("stop_sequence")?;
    let finish = body
        .string("stop_reason")?
        .map(|reason| finish(&reason, sequence));
    let usage = body
        .value("usage")
        .and_then(|usage| serde_json::from_value::<Tokens>(usage).ok());
    let model = body.string("model")?;
    let mut extra = body.rest();
    extra.retain(|name, value| KNOWN.contains(&name.as_str()) && !value.is_null());
    Ok(Reply {
        id,
        model,
        created: None,
        choices: vec![Choice {
            index: 0,
            parts,
            finish,
            logprobs: None,
        }],
        usage: usage.map(Tokens::read),
        extra,
    })
}

/// A call without an id gets one of the message's and its place.
fn with_id(
    mut block: Map<String, Value>,
    message: Option<&str>,
    number: usize,
) -> Map<String, Value> {
    let call = block.get("type") == Some(&"tool_use".into());
    let named = block
        .get("id")
        .and_then(Value::as_str)
        .is_some_and(|id| !id.is_empty());
    if call && !named {
        block.insert("id".into(), made_up(message, number).into());
    }
    block
}

/// An id for a call that has none.
#[must_use]
pub fn made_up(message: Option<&str>, number: usize) -> String {
    match message {
        Some(message) => format!("call_{message}_{number}"),
        None => format!("call_{number}"),
    }
}

/// Why the reply ended, from the vendor's word.
#[must_use]
pub fn finish(reason: &str, sequence: Option<String>) -> Finish {
    match reason {
        "end_turn" => Finish::Stop,
        "stop_sequence" => Finish::StopSequence(sequence),
        // The window is a limit of tokens too.
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "tool_use" => Finish::ToolCalls,
        "refusal" => Finish::Refusal,
        "pause_turn" => Finish::Pause,
        other => Finish::Other(other.to_owned()),
    }
}

/// `stop_reason` and `stop_sequence`.
#[must_use]
pub fn stop_reason(finish: Option<&Finish>, calls: bool) -> (&str, Option<&str>) {
    match finish {
        Some(Finish::StopSequence(sequence)) => ("stop_sequence", sequence.as_deref()),
        Some(Finish::Length) => ("max_tokens", None),
        Some(Finish::ToolCalls) => ("tool_use", None),
        Some(Finish::ContentFilter | Finish::Refusal) => ("refusal", None),
        Some(Finish::Pause) => ("pause_turn", None),
        Some(Finish::Other(word)) => (word, None),
        Some(Finish::Stop) | None if calls => ("tool_use", None),
        Some(Finish::Stop) | None => ("end_turn", None),
    }
}

#[derive(Serialize)]
struct Message<'a> {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    role: &'static str,
    model: &'a str,
    content: Vec<Block<'a>>,
    stop_reason: &'a str,
    stop_sequence: Option<&'a str>,
    usage: Tokens,
    #[serde(flatten)]
    extra: Map<String, Value>,
}

/// The id of a message: the server's, or one made from the request's.
#[must_use]
pub fn message_id(id: Option<&str>, context: &Context) -> String {
    match id {
        Some(id) => id.to_owned(),
        None => format!("msg_{}", context.request_id),
    }
}

/// Writes a reply.
#[must_use]
pub fn write(reply: &Reply, context: &Context) -> Vec<u8> {
    let choice = reply.choices.first();
    let parts = choice.map_or(&[][..], |choice| &choice.parts);
    let mended: Vec<Option<Box<RawValue>>> = parts.iter().map(mend).collect();
    let blocks = parts.iter().zip(&mended).flat_map(|(part, mended)| {
        let said = block(part, mended.as_deref(), context.reasoning);
        said.into_iter().chain(encrypted(part))
    });
    let calls = parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    let finish = choice.and_then(|choice| choice.finish.as_ref());
    let (stop_reason, stop_sequence) = stop_reason(finish, calls);
    let mut extra = reply.extra.clone();
    extra.retain(|name, _| KNOWN.contains(&name.as_str()));
    json::to_vec(&Message {
        id: message_id(reply.id.as_deref(), context),
        kind: "message",
        role: "assistant",
        model: reply.model_or(&context.model),
        content: blocks.collect(),
        stop_reason,
        stop_sequence,
        usage: Tokens::of(reply.usage.as_ref()),
        extra,
    })
}

/// What stands for arguments that are no JSON object.
fn mend(part: &Part) -> Option<Box<RawValue>> {
    let Part::ToolCall(call) = part else {
        return None;
    };
    let text = call.arguments.as_text();
    if turns::object(text).is_some() {
        return None;
    }
    serde_json::value::to_raw_value(&serde_json::json!({"unparsed_arguments": text})).ok()
}

/// What only the vendor reads of a part, in a block of its own.
fn encrypted(part: &Part) -> Option<Block<'_>> {
    match part {
        Part::Reasoning {
            encrypted:
                Some(Encrypted {
                    vendor: Vendor::Anthropic,
                    data,
                }),
            ..
        } => Some(Block::RedactedThinking { data }),
        _ => None,
    }
}

fn block<'a>(part: &'a Part, mended: Option<&'a RawValue>, reasoning: bool) -> Option<Block<'a>> {
    Some(match part {
        Part::Text {
            text, citations, ..
        } if !text.is_empty() => Block::Text {
            text,
            citations: turns::citations(citations.as_ref()),
            cache_control: None,
        },
        Part::Refusal(text) if !text.is_empty() => Block::Text {
            text,
            citations: None,
            cache_control: None,
        },
        Part::Reasoning {
            text, signature, ..
        } if signature.is_some() || (reasoning && !text.is_empty()) => Block::Thinking {
            thinking: if reasoning { text } else { "" },
            signature: signature.as_deref().unwrap_or_default(),
        },
        Part::ToolCall(call) => Block::ToolUse {
            id: ids::plain(&call.id),
            name: &call.name,
            input: turns::object(call.arguments.as_text()).or(mended)?,
        },
        Part::Other { kind, value } if turns::is_own(kind, value) => Block::Own(value),
        _ => return None,
    })
}
