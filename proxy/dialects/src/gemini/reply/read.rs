//! A reply, read.

use serde_json::Value;

use crate::fields::Fields;
use crate::form::{Choice, Finish, Garbage, Malformed, Part, Reply};
use crate::gemini::calls::Calls;
use crate::gemini::spelling::{camel, object, objects};
use crate::gemini::usage::Tokens;
use crate::gemini::{finish, logprobs, parts};

/// Reads a reply.
///
/// # Errors
/// [`Garbage`] if it is not what the dialect says.
pub fn read(body: &[u8]) -> Result<Reply, Garbage> {
    let read = |fault: Malformed| Garbage::new(format!("The reply does not read: {fault}"), body);
    let reply = Fields::of_body(body)
        .and_then(camel)
        .and_then(of_fields)
        .map_err(read)?;
    if reply.choices.is_empty() {
        return Err(Garbage::new("The reply holds no candidates.", body));
    }
    Ok(reply)
}

fn of_fields(mut body: Fields) -> Result<Reply, Malformed> {
    let id = body.string("responseId")?.filter(|id| !id.is_empty());
    let model = body.string("modelVersion")?.filter(|name| !name.is_empty());
    let mut choices = Vec::new();
    for (place, candidate) in (0..).zip(objects(&mut body, "candidates")?) {
        choices.push(choice(candidate, place, id.as_deref())?);
    }
    if choices.is_empty()
        && let Some(feedback) = object(&mut body, "promptFeedback")?
        && feedback.has("blockReason")
    {
        choices.push(Choice {
            index: 0,
            parts: Vec::new(),
            finish: Some(Finish::ContentFilter),
            logprobs: None,
        });
    }
    let created = body.string("createTime").ok().flatten();
    let created = created.and_then(|time| time.parse::<jiff::Timestamp>().ok());
    let usage = body.value("usageMetadata").map(serde_json::from_value);
    Ok(Reply {
        id,
        model,
        created: created.map(jiff::Timestamp::as_second),
        choices,
        usage: usage.and_then(Result::ok).and_then(Tokens::read),
        ..Reply::default()
    })
}

fn choice(mut candidate: Fields, place: u32, reply: Option<&str>) -> Result<Choice, Malformed> {
    let index = candidate.small("index")?.unwrap_or(place);
    let mut calls = Calls::of_reply(reply, index);
    let parts = match object(&mut candidate, "content")? {
        Some(mut content) => parts::read(&mut content, &mut calls)?,
        None => Vec::new(),
    };
    let called = parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    let word = candidate.string("finishReason")?.unwrap_or_default();
    let logprobs: Option<Value> = candidate.value("logprobsResult");
    Ok(Choice {
        index,
        parts,
        finish: finish::read(&word, called),
        logprobs: logprobs.and_then(logprobs::read),
    })
}
