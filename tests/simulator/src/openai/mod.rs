//! OpenAI's replies.
//!
//! Source: [API reference](https://platform.openai.com/docs/api-reference).

mod chat;
mod completions;
mod embeddings;
mod error;
mod filter;
mod head;
mod media;
mod models;
mod ranking;
mod responses;

use serde_json::{Map, Value};

pub(crate) use chat::{plain as chat_plain, stream as chat_stream};
pub(crate) use completions::{plain as completions_plain, stream as completions_stream};
pub(crate) use embeddings::{embeddings, vector};
pub(crate) use error::{LIMITS, error};
pub(crate) use filter::results as filter_results;
pub(crate) use head::{Head, Tail, form as stream_form, with_extras};
pub(crate) use media::{form, images, speech, transcription};
pub(crate) use models::{decoded, entry, find, list};
pub(crate) use ranking::{moderation, rerank};
pub(crate) use responses::{
    Response, asked as response_asked, events as response_events, form as response_form,
};

use crate::refusal::Refusal;

/// When everything was created, in seconds since 1970: replies are the same on every day.
pub(crate) const CREATED: u64 = 1_700_000_000;

/// Refuses a body without the fields that the endpoint cannot do without.
fn needs(fields: &Map<String, Value>, names: &[&str]) -> Result<(), Refusal> {
    match names
        .iter()
        .find(|name| fields.get(**name).is_none_or(Value::is_null))
    {
        Some(name) => Err(Refusal::of(
            name,
            "missing_required_parameter",
            format!("Missing required parameter: '{name}'."),
        )),
        None => Ok(()),
    }
}
