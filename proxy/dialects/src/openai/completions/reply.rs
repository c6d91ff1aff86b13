//! Whole text completions.
//!
//! Written: a refusal is text like any other. Left out: reasoning and tool calls, for which there is no place.

use serde_json::{Value, json};

use crate::codec::Context;
use crate::fields::Fields;
use crate::form::{Choice, Finish, Garbage, Malformed, Part, Reply};
use crate::json::to_vec;
use crate::openai::chat::reply::{finish_of, seconds, stopped_by, word_of};
use crate::openai::{error, logprobs, usage};

/// Reads a reply.
///
/// # Errors
/// [`Garbage`] if it is no text completion, or an error that came as 200.
pub fn read(body: &[u8]) -> Result<Reply, Garbage> {
    let garbage = |message: String| Garbage::new(message, body);
    let mut fields = Fields::of_body(body)
        .map_err(|fault| garbage(format!("The reply is no completion: {}", fault.message)))?;
    if let Some(fault) = fields.value("error") {
        let message = error::of_value(500, fault).message;
        return Err(garbage(format!(
            "The upstream answered 200 with an error: {message}"
        )));
    }
    reply(&mut fields).map_err(|fault| garbage(format!("The reply is no completion, at {fault}")))
}

fn reply(fields: &mut Fields) -> Result<Reply, Malformed> {
    let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
    let list = fields.objects("choices")?;
    let list = list.ok_or_else(|| fields.missing("choices"))?;
    let choices = list
        .into_iter()
        .zip(0..)
        .map(|(inner, place)| choice(inner, place));
    Ok(Reply {
        choices: choices.collect::<Result<_, _>>()?,
        id: filled(fields.string("id")?),
        model: filled(fields.string("model")?),
        created: fields.float("created")?.map(seconds),
        usage: fields
            .value("usage")
            .and_then(|value| serde_json::from_value::<usage::Figures>(value).ok())
            .and_then(usage::Figures::usage),
        ..Reply::default()
    })
}

fn choice(mut fields: Fields, place: u32) -> Result<Choice, Malformed> {
    let text = fields.string("text")?;
    let text = text.ok_or_else(|| fields.missing("text"))?;
    let word = fields.string("finish_reason")?;
    let mut finish = word.as_deref().and_then(finish_of);
    if finish == Some(Finish::Stop)
        && let Some(stop) = stopped_by(&mut fields)
    {
        finish = Some(Finish::StopSequence(Some(stop)));
    }
    Ok(Choice {
        index: fields.small("index")?.unwrap_or(place),
        parts: if text.is_empty() {
            Vec::new()
        } else {
            vec![Part::text(text)]
        },
        finish,
        logprobs: fields
            .value("logprobs")
            .and_then(|value| logprobs::of_legacy(&value)),
    })
}

/// An id of ours, for a reply that has none.
pub(super) fn made(context: &Context) -> String {
    format!("cmpl-{}", context.request_id)
}

/// OpenAI's word for why a completion ended. There are no calls here.
pub(super) fn ended(finish: &Finish) -> &str {
    match finish {
        Finish::ToolCalls => "stop",
        finish => word_of(finish),
    }
}

/// Writes a reply.
#[must_use]
pub fn write(reply: &Reply, context: &Context) -> Vec<u8> {
    let choices: Vec<Value> = reply
        .choices
        .iter()
        .map(|each| written(each, context))
        .collect();
    let mut out = json!({
        "id": reply.id.clone().unwrap_or_else(|| made(context)),
        "object": "text_completion",
        "created": reply.created.unwrap_or_else(|| context.started.as_second()),
        "model": reply.model_or(&context.model),
        "choices": choices,
    });
    if let Some(figures) = &reply.usage {
        out["usage"] = usage::object(figures);
    }
    to_vec(&out)
}

fn written(choice: &Choice, context: &Context) -> Value {
    let echo = context.echo.get("prompt").and_then(Value::as_str);
    let mut text = echo.unwrap_or_default().to_owned();
    let mut offset = text.chars().count();
    for part in &choice.parts {
        if let Part::Text { text: piece, .. } | Part::Refusal(piece) = part {
            text.push_str(piece);
        }
    }
    let logprobs = choice.logprobs.as_ref();
    json!({
        "text": text,
        "index": choice.index,
        "logprobs": logprobs.map(|value| logprobs::to_legacy(value, &mut offset)),
        "finish_reason": choice.finish.as_ref().map_or("stop", ended),
    })
}
