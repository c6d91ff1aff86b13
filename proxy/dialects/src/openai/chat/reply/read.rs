//! Reads a chat completion.

use serde_json::{Map, Value};

use super::{finish_of, made_id};
use crate::fields::Fields;
use crate::form::{Choice, Finish, Garbage, Malformed, Part, Reply};
use crate::openai::chat::request::{read_content, read_tool_calls};
use crate::openai::error;
use crate::openai::usage::Figures;

/// Documented fields that another dialect's client may be shown.
const SHOWN: [&str; 2] = ["system_fingerprint", "service_tier"];

/// Reads a reply.
///
/// # Errors
/// [`Garbage`] if it is no chat completion, or an error that came as 200.
pub fn read(body: &[u8]) -> Result<Reply, Garbage> {
    let garbage = |message: String| Garbage::new(message, body);
    let mut fields = Fields::of_body(body).map_err(|fault| {
        garbage(format!(
            "The reply is no chat completion: {}",
            fault.message
        ))
    })?;
    if let Some(fault) = fields.value("error") {
        let message = error::of_value(500, fault).message;
        return Err(garbage(format!(
            "The upstream answered 200 with an error: {message}"
        )));
    }
    reply(&mut fields)
        .map_err(|fault| garbage(format!("The reply is no chat completion, at {fault}")))
}

fn reply(fields: &mut Fields) -> Result<Reply, Malformed> {
    let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
    let id = filled(fields.string("id")?);
    let list = fields.objects("choices")?;
    let list = list.ok_or_else(|| fields.missing("choices"))?;
    let choices = list
        .into_iter()
        .zip(0..)
        .map(|(inner, place)| choice(inner, place, id.as_deref()));
    let choices = choices.collect::<Result<_, _>>()?;
    let extra = SHOWN.iter().filter_map(|name| {
        let value = fields.value(name)?;
        Some(((*name).to_owned(), value))
    });
    Ok(Reply {
        choices,
        extra: extra.collect(),
        model: filled(fields.string("model")?),
        created: fields.float("created")?.map(seconds),
        usage: usage(fields.value("usage")),
        id,
    })
}

/// Usage that nobody can read is as good as none.
pub(crate) fn usage(value: Option<Value>) -> Option<crate::form::Usage> {
    let figures: Figures = serde_json::from_value(value?).ok()?;
    figures.usage()
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a float is cut to what fits"
)]
pub(crate) fn seconds(value: f64) -> i64 {
    value as i64
}

fn choice(mut fields: Fields, place: u32, id: Option<&str>) -> Result<Choice, Malformed> {
    let index = fields.small("index")?.unwrap_or(place);
    let message = fields.object("message")?;
    let message = message.ok_or_else(|| fields.missing("message"))?;
    let parts = message_parts(message, index, id)?;
    let word = fields.string("finish_reason")?;
    let mut finish = word.as_deref().and_then(finish_of);
    let calls = parts.iter().any(|part| match part {
        Part::ToolCall(_) => true,
        Part::Other { kind, .. } => kind == "custom",
        _ => false,
    });
    if finish == Some(Finish::Stop) {
        if calls {
            finish = Some(Finish::ToolCalls);
        } else if let Some(stop) = stopped_by(&mut fields) {
            finish = Some(Finish::StopSequence(Some(stop)));
        }
    }
    Ok(Choice {
        index,
        parts,
        finish,
        logprobs: fields.value("logprobs"),
    })
}

/// The text that vLLM and SGLang say they stopped at; a token's number is nothing to show.
pub(crate) fn stopped_by(fields: &mut Fields) -> Option<String> {
    let said = [fields.value("stop_reason"), fields.value("matched_stop")];
    said.into_iter().flatten().find_map(|value| match value {
        Value::String(text) => Some(text),
        _ => None,
    })
}

fn message_parts(mut fields: Fields, index: u32, id: Option<&str>) -> Result<Vec<Part>, Malformed> {
    let mut parts = Vec::new();
    for name in ["reasoning_content", "reasoning"] {
        if let Some(Value::String(text)) = fields.value(name)
            && !text.is_empty()
            && parts.is_empty()
        {
            parts.push(Part::Reasoning {
                text,
                signature: None,
                encrypted: None,
                id: None,
            });
        }
    }
    let mut content = read_content(&mut fields)?;
    content.retain(|part| !matches!(part, Part::Text { text, .. } if text.is_empty()));
    let annotations = fields.list("annotations")?;
    if let Some(annotations) = annotations.filter(|list| !list.is_empty())
        && let Some(Part::Text { citations, .. }) = content.first_mut()
    {
        *citations = Some(annotations.into());
    }
    parts.append(&mut content);
    if let Some(refusal) = fields.string("refusal")?.filter(|text| !text.is_empty()) {
        parts.push(Part::Refusal(refusal));
    }
    let mut count = 0;
    let mut make = |given: Option<String>| {
        let made = given.unwrap_or_else(|| made_id(id, index, count));
        count += 1;
        made
    };
    if let Some(list) = fields.objects("tool_calls")? {
        parts.append(&mut read_tool_calls(list, &mut make)?);
    } else if let Some(older) = fields.value("function_call") {
        let wrapped = Map::from_iter([("function".to_owned(), older)]);
        let list = vec![Fields::of(wrapped.into(), fields.at())?];
        parts.append(&mut read_tool_calls(list, &mut make)?);
    }
    if let Some(audio) = fields.value("audio") {
        let kind = "audio".to_owned();
        let value = Value::Object(Map::from_iter([(kind.clone(), audio)]));
        parts.push(Part::Other { kind, value });
    }
    Ok(parts)
}
