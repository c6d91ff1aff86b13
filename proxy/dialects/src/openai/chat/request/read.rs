//! Reads a request for a chat completion.

use serde_json::{Map, Value};

use super::messages::messages;
use super::{legacy, tools};
use crate::codec::Path;
use crate::fields::Fields;
use crate::form::{Effort, Format, Logprobs, Malformed, Reasoning, Request, Sampling};

/// Reads a request.
///
/// # Errors
/// [`Malformed`], naming the place.
pub fn read(body: &[u8], path: Path<'_>) -> Result<Request, Malformed> {
    let mut fields = Fields::of_request(body)?;
    let named = fields.string("model")?;
    let model = match path.model {
        Some(model) => model.to_owned(),
        None => named.ok_or_else(|| fields.missing("model"))?,
    };
    let list = fields.objects("messages")?;
    let list = list.ok_or_else(|| fields.missing("messages"))?;
    if list.is_empty() {
        return Err(fields.fault("messages", "The list must hold at least one message."));
    }
    let messages = messages(list)?;
    let said = fields.bool("stream")?.unwrap_or_default();
    let stream = path.stream.unwrap_or(said);
    let (stream_usage, stream_options) = stream_options(&mut fields)?;
    let mut tools = tools::read(&mut fields)?;
    let mut tool_choice = tools::choice(&mut fields)?;
    legacy::functions(&mut fields, &mut tools, &mut tool_choice)?;
    let newer = fields.count("max_completion_tokens")?;
    let older = fields.count("max_tokens")?;
    let n = fields.small("n")?;
    if n == Some(0) {
        return Err(fields.fault("n", "The field must be at least 1."));
    }
    let user = match fields.string("user")? {
        Some(user) => Some(user),
        None => fields.string("safety_identifier")?,
    };
    text_modality(&mut fields);
    Ok(Request {
        model,
        stream,
        stream_usage,
        messages,
        tools,
        tool_choice,
        parallel_tool_calls: fields.bool("parallel_tool_calls")?,
        sampling: sampling(&mut fields)?,
        max_tokens: newer.or(older),
        n,
        stop: fields.strings("stop")?.unwrap_or_default(),
        format: format(&mut fields)?,
        reasoning: reasoning(&mut fields)?,
        logprobs: logprobs(&mut fields)?,
        user,
        keep_alive: fields.value("keep_alive"),
        extra: extra(fields, stream_options),
        ..Request::default()
    })
}

/// Whether usage is wanted at a stream's end, and the options that are left. `include_obfuscation` pads events against eavesdroppers and is the
/// sender's own affair.
pub(crate) fn stream_options(fields: &mut Fields) -> Result<(bool, Map<String, Value>), Malformed> {
    let Some(mut options) = fields.object("stream_options")? else {
        return Ok((false, Map::new()));
    };
    let usage = options.bool("include_usage")?.unwrap_or_default();
    options.bool("include_obfuscation")?;
    Ok((usage, options.rest()))
}

/// `["text"]` is what everybody gets.
fn text_modality(fields: &mut Fields) {
    let text = |value: &Value| value.as_array().is_some_and(|list| *list == ["text"]);
    if fields.peek("modalities").is_some_and(text) {
        fields.value("modalities");
    }
}

pub(crate) fn sampling(fields: &mut Fields) -> Result<Sampling, Malformed> {
    let repetition = fields.float("repetition_penalty")?;
    Ok(Sampling {
        temperature: fields.float("temperature")?,
        top_p: fields.float("top_p")?,
        top_k: fields.integer("top_k")?,
        min_p: fields.float("min_p")?,
        typical_p: fields.float("typical_p")?,
        seed: fields.integer("seed")?,
        frequency_penalty: fields.float("frequency_penalty")?,
        presence_penalty: fields.float("presence_penalty")?,
        repetition_penalty: match repetition {
            Some(penalty) => Some(penalty),
            // llama.cpp's word.
            None => fields.float("repeat_penalty")?,
        },
        logit_bias: fields
            .object("logit_bias")?
            .map(Fields::rest)
            .filter(|bias| !bias.is_empty()),
    })
}

pub(crate) fn format(fields: &mut Fields) -> Result<Option<Format>, Malformed> {
    let Some(mut format) = fields.object("response_format")? else {
        return Ok(None);
    };
    let kind = format.required_string("type")?;
    let schema = match kind.as_str() {
        "text" => return Ok(Some(Format::Text)),
        // llama.cpp and Together take a schema beside this type.
        "json_object" => match format.schema("schema")? {
            None => return Ok(Some(Format::JsonObject)),
            Some(schema) => Format::JsonSchema {
                name: None,
                description: None,
                schema,
                strict: None,
            },
        },
        "json_schema" => {
            let inner = format.object("json_schema")?;
            let mut inner = inner.ok_or_else(|| format.missing("json_schema"))?;
            let schema = inner.schema("schema")?;
            Format::JsonSchema {
                name: inner.string("name")?,
                description: inner.string("description")?,
                schema: schema.ok_or_else(|| inner.missing("schema"))?,
                strict: inner.bool("strict")?,
            }
        }
        other => {
            let message = format!(
                "The type must be \"text\", \"json_object\" or \"json_schema\", not {other:?}."
            );
            return Err(format.fault("type", message));
        }
    };
    Ok(Some(schema))
}

pub(crate) fn effort(fields: &mut Fields, name: &str) -> Result<Option<Effort>, Malformed> {
    let Some(word) = fields.string(name)? else {
        return Ok(None);
    };
    match Effort::parse(&word) {
        Some(effort) => Ok(Some(effort)),
        None => Err(fields.fault(
            name,
            format!(
                "The effort must be none, minimal, low, medium, high, xhigh or max, not {word:?}."
            ),
        )),
    }
}

/// OpenAI's `reasoning_effort`, or OpenRouter's `reasoning`
/// ([its page](https://openrouter.ai/docs/use-cases/reasoning-tokens)).
fn reasoning(fields: &mut Fields) -> Result<Option<Reasoning>, Malformed> {
    let mut reasoning = Reasoning {
        effort: effort(fields, "reasoning_effort")?,
        ..Reasoning::default()
    };
    if let Some(mut object) = fields.object("reasoning")? {
        let inner = effort(&mut object, "effort")?;
        reasoning.effort = reasoning.effort.or(inner);
        reasoning.enabled = object.bool("enabled")?;
        reasoning.budget_tokens = object.count("max_tokens")?;
        reasoning.hidden = object.bool("exclude")?.unwrap_or_default();
        reasoning.summary = object.string("summary")?;
    }
    Ok((reasoning != Reasoning::default()).then_some(reasoning))
}

fn logprobs(fields: &mut Fields) -> Result<Option<Logprobs>, Malformed> {
    let wanted = fields.bool("logprobs")?.unwrap_or_default();
    let top = fields.small("top_logprobs")?;
    if top.is_some_and(|top| top > 0) && !wanted {
        let message = "The field needs logprobs to be true beside it.";
        return Err(fields.fault("top_logprobs", message));
    }
    Ok(wanted.then_some(Logprobs { top }))
}

pub(crate) fn extra(fields: Fields, stream_options: Map<String, Value>) -> Map<String, Value> {
    let mut extra = fields.extra();
    if !stream_options.is_empty() {
        extra.insert("stream_options".into(), stream_options.into());
    }
    extra
}
