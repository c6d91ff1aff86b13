//! A conversation as it is shown.

use super::conversation::{self, Part, Turn};
use crate::record::{Record, cut};
use maud::{Markup, html};
use serde_json::Value;

/// The longest body that is taken apart, in bytes: reading it must not hold others up.
const LONGEST_BODY: usize = 4 << 20;
/// The longest text that is shown of one part, in bytes.
const LONGEST_TEXT: usize = 32 << 10;
/// How many turns are shown of a long conversation: the first, and the last.
const FIRST: usize = 4;
const LAST: usize = 96;

/// The conversation of a request and its reply.
pub(super) fn section(record: &Record) -> Markup {
    let body = record.request_body.as_deref();
    let read = body
        .filter(|body| body.len() <= LONGEST_BODY)
        .and_then(|body| serde_json::from_str::<Value>(body).ok());
    let mut turns = read
        .as_ref()
        .map(conversation::of_request)
        .unwrap_or_default();
    let tools = read.as_ref().map(conversation::tools).unwrap_or_default();
    let why = match (body, &read) {
        (None, _) => Some(
            "The request's body is not on record: the log policy of its LLMProxy or LLMRoute leaves bodies out, or it had none.",
        ),
        (Some(body), None) if body.len() > LONGEST_BODY => {
            Some("The request's body is too large to be shown as a conversation.")
        }
        (Some(_), None) => Some(
            "The request's body is no whole JSON, so that no conversation is seen in it; it may have been cut by the log policy.",
        ),
        (Some(_), Some(_)) if turns.is_empty() => {
            Some("No conversation is seen in the request's body.")
        }
        _ => None,
    };
    let reply = conversation::of_reply(
        record.response_content.as_deref(),
        record.tool_calls.as_ref(),
    );
    turns.extend(reply);
    let omitted = turns.len().saturating_sub(FIRST + LAST);
    html! {
        section aria-labelledby="conversation" {
            h2 #conversation { "Conversation" }
            @if let Some(why) = why { p.hint { (why) } }
            @if !tools.is_empty() {
                p.tools-offered { "Tools offered: " @for (at, tool) in tools.iter().enumerate() { @if at > 0 { ", " } code { (tool) } } }
            }
            ol.talk {
                @for (at, turn) in turns.iter().enumerate() {
                    @if at == FIRST && omitted > 0 { li.omitted { (omitted) " turns are left out here; the raw body has them." } }
                    @if at < FIRST || at >= FIRST + omitted { (said(turn)) }
                }
            }
        }
    }
}

fn said(turn: &Turn) -> Markup {
    // The stylesheet knows these; anything else looks like a user's.
    let class = match turn.role.as_str() {
        "system" | "developer" => "turn system",
        "assistant" | "model" => "turn assistant",
        "tool" | "function" => "turn tool",
        _ => "turn user",
    };
    html! {
        li class=(class) {
            h3 { (cut(&turn.role, 100)) }
            @for part in &turn.parts {
                @match part {
                    Part::Text(said) => (text(said)),
                    Part::Thinking(thought) => details { summary { "Thinking" } (text(thought)) },
                    Part::Attachment(what) => p.attachment { (cut(what, 500)) },
                    Part::Call(name, arguments) => div.call { p { "calls " code { (cut(name, 500)) } } (code(arguments)) },
                    Part::Outcome(outcome) => div.call { p { "gave" } (code(outcome)) },
                }
            }
        }
    }
}

fn text(text: &str) -> Markup {
    html! { div.text dir="auto" { (cut(text, LONGEST_TEXT)) } (more(text)) }
}

fn code(text: &str) -> Markup {
    html! { @if !text.is_empty() { pre { (cut(text, LONGEST_TEXT)) } (more(text)) } }
}

fn more(text: &str) -> Markup {
    html! { @if text.len() > LONGEST_TEXT { p.hint { "Cut here; the raw body has all of it." } } }
}
