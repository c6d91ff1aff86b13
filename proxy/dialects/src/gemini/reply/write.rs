//! A reply, written.

use serde::Serialize;
use serde_json::Value;

use crate::codec::Context;
use crate::form::{Choice, Finish, Part, Reply};
use crate::gemini::out::{self, Out};
use crate::gemini::usage::Tokens;
use crate::gemini::{bytes, finish, logprobs, parts};
use crate::json;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    candidates: Vec<Candidate<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage_metadata: Option<Tokens>,
    model_version: &'a str,
    response_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Candidate<'a> {
    content: Content<'a>,
    finish_reason: &'a str,
    index: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs_result: Option<Value>,
}

#[derive(Serialize)]
struct Content<'a> {
    parts: Vec<Out<'a>>,
    role: &'static str,
}

/// Writes a reply.
#[must_use]
pub fn write(reply: &Reply, context: &Context) -> Vec<u8> {
    let candidates = reply.choices.iter();
    json::to_vec(&Body {
        candidates: candidates
            .map(|choice| candidate(choice, context.reasoning))
            .collect(),
        usage_metadata: reply.usage.as_ref().map(Tokens::of),
        model_version: reply.model_or(&context.model),
        response_id: reply.id.as_deref().unwrap_or(&context.request_id),
    })
}

fn candidate(choice: &Choice, reasoning: bool) -> Candidate<'_> {
    let each = choice.parts.iter();
    let mut parts: Vec<Out<'_>> = each.filter_map(|part| written(part, reasoning)).collect();
    if parts.is_empty() && choice.finish != Some(Finish::ContentFilter) {
        parts.push(Out::Text { text: "" });
    }
    Candidate {
        content: Content {
            parts,
            role: "model",
        },
        finish_reason: finish::word(choice.finish.as_ref()),
        index: choice.index,
        logprobs_result: choice.logprobs.as_ref().and_then(logprobs::write),
    }
}

/// Whether a reply may hold the part.
#[must_use]
pub fn has_place_for(part: &Part) -> bool {
    part.is_common() || written(part, true).is_some()
}

/// A part of a reply; none where it says nothing here.
#[must_use]
pub fn written(part: &Part, reasoning: bool) -> Option<Out<'_>> {
    match part {
        Part::Text { text, .. } | Part::Refusal(text) if !text.is_empty() => {
            Some(Out::Text { text })
        }
        Part::Reasoning {
            text, signature, ..
        } => {
            let signature = signature.as_deref();
            let signature = signature.and_then(bytes::marked);
            let text = if reasoning { text } else { "" };
            (!text.is_empty() || signature.is_some()).then_some(Out::Thought {
                text,
                thought: true,
                thought_signature: signature,
            })
        }
        Part::ToolCall(call) => out::mended_call(call),
        Part::Image { source, .. } | Part::Document { source, .. } | Part::Audio { source } => {
            out::media(source).ok()
        }
        Part::Other { kind, value } => parts::own(kind, value).map(Out::Own),
        _ => None,
    }
}
