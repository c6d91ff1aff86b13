//! Refuses the bodies that Anthropic refuses, in its words.
//!
//! Sources: [create a message](https://platform.claude.com/docs/en/api/messages/create),
//! [count tokens](https://platform.claude.com/docs/en/api/messages/count_tokens),
//! [versions](https://platform.claude.com/docs/en/api/versioning),
//! `message_create_params.py` of [the Python SDK](https://github.com/anthropics/anthropic-sdk-python).

mod block;
mod object;
mod output;
mod thinking;
mod tools;
mod turns;

use http::StatusCode;
use serde_json::{Map, Value};

use self::object::Object;
use crate::refusal::Refusal;

type Checked = Result<(), Refusal>;

/// What both endpoints know.
const KNOWN: [&str; 8] = [
    "model",
    "messages",
    "cache_control",
    "output_config",
    "system",
    "thinking",
    "tool_choice",
    "tools",
];
/// What a message knows too.
const MESSAGE: [&str; 7] = [
    "max_tokens",
    "container",
    "inference_geo",
    "metadata",
    "service_tier",
    "stop_sequences",
    "stream",
];
/// What a message knew until the version of 2026-10-21.
const SAMPLING: [&str; 3] = ["temperature", "top_k", "top_p"];
/// What is known where `anthropic-beta` names a beta.
const BETA: [&str; 6] = [
    "context_management",
    "diagnostics",
    "mcp_servers",
    "output_format",
    "speed",
    "user_profile_id",
];

/// A 400 that names a place in the body.
pub(super) fn refused(at: &str, message: &str) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, format!("{at}: {message}"))
}

/// The model's name, which every call has.
pub(super) fn model(fields: &Map<String, Value>) -> Result<&str, Refusal> {
    let body = Object {
        at: String::new(),
        fields,
    };
    match body.text("model")? {
        "" => Err(refused("model", "String should have at least 1 character")),
        name => Ok(name),
    }
}

/// What a call is, beside its body.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Kind {
    /// A count of tokens, not a message.
    pub(super) count: bool,
    /// `anthropic-beta` is there.
    pub(super) beta: bool,
    /// The version of 2026-10-21, not that of 2023-06-01.
    pub(super) newest: bool,
}

/// Checks the whole body.
pub(super) fn body(fields: &Map<String, Value>, kind: Kind) -> Checked {
    let Kind {
        count,
        beta,
        newest,
    } = kind;
    let body = Object {
        at: String::new(),
        fields,
    };
    let mut known = KNOWN.to_vec();
    if !count {
        known.extend(MESSAGE);
    }
    if !count && !newest {
        known.extend(SAMPLING);
    }
    if beta {
        known.extend(BETA);
    }
    body.only(&known)?;
    if !count {
        sampling(&body)?;
    }
    body.cache()?;
    system(&body)?;
    tools::check(&body)?;
    body.required("messages")?;
    turns::check(&body, newest)?;
    output::check(&body)?;
    thinking::check(&body)?;
    marks(&body)
}

fn sampling(body: &Object) -> Checked {
    body.required("max_tokens")?;
    body.integer("max_tokens", 1)?;
    body.share("temperature")?;
    body.share("top_p")?;
    body.integer("top_k", 0)?;
    body.boolean("stream")?;
    body.nullable("inference_geo")?;
    body.word("service_tier", &["auto", "standard_only"])?;
    if let Some(metadata) = body.object("metadata")? {
        metadata.only(&["user_id"])?;
        metadata.nullable("user_id")?;
    }
    for (at, stop) in body.list("stop_sequences")?.iter().enumerate() {
        let place = format!("stop_sequences.{at}");
        match stop.as_str() {
            None => return Err(refused(&place, "Input should be a valid string")),
            Some(stop) if stop.trim().is_empty() => {
                let message = "each stop sequence must contain non-whitespace";
                return Err(refused("stop_sequences", message));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn system(body: &Object) -> Checked {
    match body.given("system") {
        None | Some(Value::String(_)) => Ok(()),
        Some(Value::Array(blocks)) => blocks.iter().enumerate().try_for_each(|(at, value)| {
            let block = Object::of(format!("system.{at}"), value)?;
            block.tag(&["text"])?;
            block::text("system", &block)
        }),
        Some(_) => Err(refused("system", "Input should be a valid list")),
    }
}

/// At most four marks of the cache in all.
fn marks(body: &Object) -> Checked {
    fn count(value: &Value) -> usize {
        match value {
            Value::Array(items) => items.iter().map(count).sum(),
            Value::Object(fields) => {
                let block = Object {
                    at: String::new(),
                    fields,
                };
                let inner = ["content", "messages", "system", "tools"]
                    .iter()
                    .filter_map(|name| fields.get(*name));
                usize::from(block.cached()) + inner.map(count).sum::<usize>()
            }
            _ => 0,
        }
    }
    let marks = count(&Value::Object(body.fields.clone()));
    if marks <= 4 {
        return Ok(());
    }
    let message =
        format!("A maximum of 4 blocks with cache_control may be provided. Found {marks}.");
    Err(Refusal::new(StatusCode::BAD_REQUEST, message))
}

#[cfg(test)]
mod tests;
