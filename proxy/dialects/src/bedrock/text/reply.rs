//! Whole replies: `{"type": "completion", "completion", "stop_reason", "stop"}`. The space that an answer begins with is not its own.

use serde::Deserialize;
use serde_json::json;

use crate::form::message::joined_text;
use crate::form::{Choice, Finish, Garbage, Part, Reply};

/// Where the model would let the person speak: the plain end of an answer.
const HUMAN: &str = "\n\nHuman:";

#[derive(Deserialize)]
struct Completion {
    completion: String,
    stop_reason: Option<String>,
    stop: Option<String>,
}

/// Reads a reply.
///
/// # Errors
/// [`Garbage`] if it is not what the dialect says.
pub fn read(body: &[u8]) -> Result<Reply, Garbage> {
    let said: Completion = serde_json::from_slice(body)
        .map_err(|fault| Garbage::new(format!("The reply does not read: {fault}."), body))?;
    Ok(Reply {
        choices: vec![Choice {
            index: 0,
            parts: vec![Part::text(said.completion.trim_start())],
            finish: said.stop_reason.map(|reason| finish(&reason, said.stop)),
            logprobs: None,
        }],
        ..Reply::default()
    })
}

/// Why it ended.
#[must_use]
pub fn finish(reason: &str, stop: Option<String>) -> Finish {
    match reason {
        "stop_sequence" => match stop {
            Some(stop) if stop != HUMAN => Finish::StopSequence(Some(stop)),
            _ => Finish::Stop,
        },
        "max_tokens" => Finish::Length,
        other => Finish::Other(other.to_owned()),
    }
}

/// `stop_reason` and `stop`.
#[must_use]
pub fn stop(finish: Option<&Finish>) -> (&str, Option<&str>) {
    match finish {
        Some(Finish::Length | Finish::Pause) => ("max_tokens", None),
        Some(Finish::StopSequence(stop)) => ("stop_sequence", stop.as_deref()),
        Some(Finish::Other(word)) => (word, None),
        _ => ("stop_sequence", Some(HUMAN)),
    }
}

/// Writes a reply: the first choice's text.
#[must_use]
pub fn write(reply: &Reply) -> Vec<u8> {
    let choice = reply.choices.first();
    let text = choice.map(|choice| joined_text(&choice.parts));
    let (stop_reason, stop) = stop(choice.and_then(|choice| choice.finish.as_ref()));
    let body = json!({
        "type": "completion",
        "completion": text.unwrap_or_default(),
        "stop_reason": stop_reason,
        "stop": stop,
    });
    body.to_string().into_bytes()
}
