//! Whole replies.
//!
//! Rules of ours: only the first choice is written; of reasoning that the client did not ask for only what is signed or encrypted is; a refusal is text;
//! `metrics.latencyMs`, which clients require, is 0; a reply that calls tools and is said to have just ended has the `stopReason` of one that calls tools.

use serde::Serialize;
use serde_json::value::RawValue;

use super::request::blocks::{Block, Thought};
use super::request::parts;
use super::usage::Tokens;
use crate::anthropic::ids;
use crate::anthropic::request::turns::object;
use crate::codec::Context;
use crate::fields::Fields;
use crate::form::{Choice, Encrypted, Finish, Garbage, Malformed, Part, Reply, Vendor};
use crate::json;

/// Reads a reply.
///
/// # Errors
/// [`Garbage`] if it is not what the dialect says.
pub fn read(body: &[u8]) -> Result<Reply, Garbage> {
    let read = |fault: Malformed| Garbage::new(format!("The reply does not read: {fault}"), body);
    of_fields(Fields::of_body(body).map_err(read)?).map_err(read)
}

fn of_fields(mut body: Fields) -> Result<Reply, Malformed> {
    let mut output = body
        .object("output")?
        .ok_or_else(|| body.missing("output"))?;
    let mut message = output
        .object("message")?
        .ok_or_else(|| output.missing("message"))?;
    let parts = parts::content(&mut message, "content")?.unwrap_or_default();
    let mut fields = body.object("additionalModelResponseFields").ok().flatten();
    let sequence = fields
        .as_mut()
        .and_then(|fields| fields.string("stop_sequence").ok().flatten());
    let finish = body
        .string("stopReason")?
        .map(|reason| finish(&reason, sequence));
    let usage = body
        .value("usage")
        .and_then(|usage| serde_json::from_value::<Tokens>(usage).ok());
    Ok(Reply {
        choices: vec![Choice {
            index: 0,
            parts,
            finish,
            logprobs: None,
        }],
        usage: usage.map(Tokens::read),
        ..Reply::default()
    })
}

/// Why the reply ended, from Converse's word. `malformed_model_output` and `malformed_tool_use` are failures.
///
/// Source: [`stopReason`](https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html#API_runtime_Converse_ResponseSyntax).
#[must_use]
pub fn finish(reason: &str, sequence: Option<String>) -> Finish {
    match reason {
        "end_turn" => Finish::Stop,
        "stop_sequence" => Finish::StopSequence(sequence),
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "tool_use" => Finish::ToolCalls,
        "guardrail_intervened" | "content_filtered" => Finish::ContentFilter,
        other => Finish::Other(other.to_owned()),
    }
}

/// `stopReason`.
#[must_use]
pub fn stop_reason(finish: Option<&Finish>, calls: bool) -> &str {
    match finish {
        Some(Finish::StopSequence(_)) => "stop_sequence",
        Some(Finish::Length | Finish::Pause) => "max_tokens",
        Some(Finish::ToolCalls) => "tool_use",
        Some(Finish::ContentFilter | Finish::Refusal) => "content_filtered",
        Some(Finish::Other(word)) => word,
        Some(Finish::Stop) | None if calls => "tool_use",
        Some(Finish::Stop) | None => "end_turn",
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    output: Output<'a>,
    stop_reason: &'a str,
    usage: Tokens,
    metrics: Metrics,
}

#[derive(Serialize)]
struct Output<'a> {
    message: Message<'a>,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: Vec<Block<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metrics {
    latency_ms: u64,
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
    json::to_vec(&Body {
        output: Output {
            message: Message {
                role: "assistant",
                content: blocks.collect(),
            },
        },
        stop_reason: stop_reason(choice.and_then(|choice| choice.finish.as_ref()), calls),
        usage: Tokens::of(reply.usage.as_ref()),
        metrics: Metrics { latency_ms: 0 },
    })
}

/// What stands for arguments that are no JSON object.
fn mend(part: &Part) -> Option<Box<RawValue>> {
    let Part::ToolCall(call) = part else {
        return None;
    };
    let text = call.arguments.as_text();
    if object(text).is_some() {
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
        } => Some(Block::ReasoningContent(Thought::RedactedContent(data))),
        _ => None,
    }
}

fn block<'a>(part: &'a Part, mended: Option<&'a RawValue>, reasoning: bool) -> Option<Block<'a>> {
    Some(match part {
        Part::Text { text, .. } | Part::Refusal(text) if !text.is_empty() => Block::Text(text),
        Part::Reasoning {
            text, signature, ..
        } if signature.is_some() || (reasoning && !text.is_empty()) => {
            Block::ReasoningContent(Thought::ReasoningText {
                text: if reasoning { text } else { "" },
                signature: signature.as_deref(),
            })
        }
        Part::ToolCall(call) => Block::ToolUse {
            tool_use_id: ids::short(&call.id, super::request::LONGEST_ID),
            name: &call.name,
            input: object(call.arguments.as_text()).or(mended)?,
        },
        Part::Other { kind, value } if parts::is_own(kind) => Block::Own(value),
        _ => return None,
    })
}
