//! Whole replies: `{"response": "...", "generation_time": 1.5}`.
//!
//! Rules of the writer: the text of the first choice, a refusal among it, is the answer; reasoning and calls of tools, which the API has no
//! place for, are left out.

use serde::Deserialize;
use serde_json::json;

use crate::form::{Choice, Finish, Garbage, Part, Reply};
use crate::json::append;

#[derive(Deserialize)]
struct Body {
    response: String,
}

pub(super) fn read(body: &[u8]) -> Result<Reply, Garbage> {
    let read: Body = serde_json::from_slice(body).map_err(|fault| {
        let message = format!("The reply is not one of the Conversation API: {fault}.");
        Garbage::new(message, body)
    })?;
    let text = Some(read.response).filter(|text| !text.is_empty());
    Ok(Reply {
        choices: vec![Choice {
            index: 0,
            parts: text.into_iter().map(Part::text).collect(),
            finish: Some(Finish::Stop),
            logprobs: None,
        }],
        ..Reply::default()
    })
}

pub(super) fn write(reply: &Reply) -> Vec<u8> {
    let first = reply.choices.first();
    let parts = first.map_or(&[][..], |choice| &choice.parts);
    let texts = parts.iter().filter_map(|part| match part {
        Part::Text { text, .. } | Part::Refusal(text) => Some(text.as_str()),
        _ => None,
    });
    json!({"response": texts.collect::<String>()})
        .to_string()
        .into_bytes()
}

/// A whole reply with how long it took, in seconds.
#[must_use]
pub fn timed(mut reply: Vec<u8>, seconds: f64) -> Vec<u8> {
    if reply.pop() == Some(b'}') {
        reply.extend_from_slice(b",\"generation_time\":");
        append(&seconds, &mut reply);
        reply.push(b'}');
    }
    reply
}
