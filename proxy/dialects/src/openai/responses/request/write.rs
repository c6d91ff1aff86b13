//! Writes a request for a response.

use serde_json::{Map, Value, json};

use super::items_out::{PAGE, items};
use super::out::Body;
use super::tools::{OWN, choice_out};
use crate::codec::Target;
use crate::extra;
use crate::form::message::inline_bytes;
use crate::form::{Field, Format, Message, Part, Refused, Request, Role, Tool};
use crate::json::to_vec_of;
use crate::openai::chat::request::write::{anew, effort};
use crate::openai::models::drop_foreign;

/// Fields beyond the form.
const KNOWN: [&str; 13] = [
    "context_management",
    "max_tool_calls",
    "metadata",
    "moderation",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "store",
    "truncation",
    "chat_template_kwargs",
    "priority",
];

/// Writes a request.
///
/// # Errors
/// [`Refused`], naming the field.
pub fn write(request: &Request, target: Target<'_>) -> Result<Vec<u8>, Refused> {
    unsayable(request)?;
    anew(request, "OpenAI's Responses API answers", PAGE)?;
    let (instructions, rest) = split(&request.messages);
    let mut input = Vec::with_capacity(rest.len());
    for message in rest {
        items(message, &mut input)?;
    }
    if input.is_empty() {
        let place = Field::At("messages".into());
        let text = "The Responses API needs something to answer; send a message.";
        return Err(Refused::new(place, text, PAGE));
    }
    let body = Body {
        model: target.model,
        instructions,
        input,
        rest: fields(request, target)?,
    };
    Ok(to_vec_of(&body, inline_bytes(&request.messages)))
}

/// The first message as instructions, if it is the application's text, and what is left.
fn split(messages: &[Message]) -> (Option<&str>, &[Message]) {
    if let [first, rest @ ..] = messages
        && first.role == Role::System
        && !rest.is_empty()
        && let [Part::Text { text, .. }] = first.parts.as_slice()
    {
        return (Some(text), rest);
    }
    (None, messages)
}

/// What the Responses API has no field for. Values that change nothing are as good as none.
fn unsayable(request: &Request) -> Result<(), Refused> {
    let sampling = &request.sampling;
    let is = |value: Option<f64>, neutral: f64| value.is_some_and(|value| value != neutral);
    let biased = sampling
        .logit_bias
        .as_ref()
        .is_some_and(|bias| !bias.is_empty());
    let wrong = [
        (
            request.n.is_some_and(|n| n != 1),
            Field::N,
            "several alternatives",
        ),
        (!request.stop.is_empty(), Field::Stop, "stop texts"),
        (request.suffix.is_some(), Field::Suffix, "a suffix"),
        (sampling.seed.is_some(), Field::Seed, "a seed"),
        (
            is(sampling.frequency_penalty, 0.0),
            Field::FrequencyPenalty,
            "a frequency penalty",
        ),
        (
            is(sampling.presence_penalty, 0.0),
            Field::PresencePenalty,
            "a presence penalty",
        ),
        (
            is(sampling.repetition_penalty, 1.0),
            Field::RepetitionPenalty,
            "a repetition penalty",
        ),
        (
            sampling.top_k.is_some_and(|top| top > 0),
            Field::TopK,
            "top_k",
        ),
        (is(sampling.min_p, 0.0), Field::MinP, "min_p"),
        (is(sampling.typical_p, 1.0), Field::TypicalP, "typical_p"),
        (biased, Field::LogitBias, "a bias of tokens"),
        (
            matches!(request.format, Some(Format::Regex(_))),
            Field::Format,
            "a regular expression as format",
        ),
    ];
    for (found, field, what) in wrong {
        if found {
            let text = format!(
                "OpenAI's Responses API has no field for {what}; remove it, or call a model whose backend speaks chat completions."
            );
            return Err(Refused::new(field, text, PAGE));
        }
    }
    Ok(())
}

fn fields(request: &Request, target: Target<'_>) -> Result<Map<String, Value>, Refused> {
    let mut out = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            out.insert(name.to_owned(), value);
        }
    };
    put("stream", target.stream.then_some(Value::Bool(true)));
    let tools = request.tools.iter().enumerate().map(tool);
    let tools = tools.collect::<Result<Vec<_>, _>>()?;
    put("tools", (!tools.is_empty()).then(|| tools.into()));
    let choice = request.tool_choice.as_ref();
    put(
        "tool_choice",
        choice.map(|choice| choice_out(choice, &request.tools)),
    );
    put(
        "parallel_tool_calls",
        request.parallel_tool_calls.map(Value::from),
    );
    put("max_output_tokens", request.max_tokens.map(Value::from));
    put("temperature", request.sampling.temperature.map(Value::from));
    put("top_p", request.sampling.top_p.map(Value::from));
    put("reasoning", reasoning(request, target.model));
    let mut include = Vec::new();
    if request.encrypted_reasoning {
        include.push("reasoning.encrypted_content");
    }
    if request.logprobs.is_some() {
        include.push("message.output_text.logprobs");
    }
    put("include", (!include.is_empty()).then(|| json!(include)));
    let top = request.logprobs.and_then(|logprobs| logprobs.top);
    put("top_logprobs", top.map(Value::from));
    put("user", request.user.as_deref().map(Value::from));
    put("text", text(request));
    put(
        "store",
        (!request.extra.contains_key("store")).then_some(false.into()),
    );
    let dropped = ["verbosity", "stream_options"];
    extra::carry(
        &request.extra,
        &KNOWN,
        &dropped,
        ("OpenAI's Responses API", PAGE),
        &mut out,
    )?;
    drop_foreign(&mut out);
    Ok(out)
}

fn tool((number, tool): (usize, &Tool)) -> Result<Value, Refused> {
    match tool {
        Tool::Function {
            name,
            description,
            parameters,
            strict,
            ..
        } => {
            let mut out = json!({"type": "function", "name": name});
            if let Some(description) = description {
                out["description"] = description.as_str().into();
            }
            out["parameters"] = json!(parameters);
            // Here, unlike in chat completions, true is the default.
            out["strict"] = strict.unwrap_or(false).into();
            Ok(out)
        }
        Tool::Other { kind, value } if OWN.contains(&kind.as_str()) || is_custom(kind, value) => {
            Ok(value.clone())
        }
        Tool::Other { kind, .. } => {
            let text = format!(
                "OpenAI's Responses API has no tool of type {kind:?}; remove it, or offer a function of your own."
            );
            Err(Refused::new(Field::Tools(Some(number)), text, PAGE))
        }
    }
}

/// Whether it is OpenAI's tool of free text. Anthropic's functions are of type `custom` too, and have a schema.
fn is_custom(kind: &str, value: &Value) -> bool {
    let has = |name: &str| value.get(name).is_some();
    kind == "custom" && has("type") && has("name") && !has("input_schema")
}

/// A wish without an amount is left to the model's default.
fn reasoning(request: &Request, model: &str) -> Option<Value> {
    let mut out = Map::new();
    if let Some(effort) = effort(request, model) {
        out.insert("effort".into(), effort.openai().into());
    }
    let summary = request.reasoning.as_ref();
    if let Some(summary) = summary.and_then(|reasoning| reasoning.summary.as_ref()) {
        out.insert("summary".into(), summary.as_str().into());
    }
    (!out.is_empty()).then(|| out.into())
}

fn text(request: &Request) -> Option<Value> {
    let mut out = Map::new();
    let format = match &request.format {
        None | Some(Format::Regex(_)) => None,
        Some(Format::Text) => Some(json!({"type": "text"})),
        Some(Format::JsonObject) => Some(json!({"type": "json_object"})),
        Some(Format::JsonSchema {
            name,
            description,
            schema,
            strict,
        }) => {
            let mut format = json!({
                "type": "json_schema",
                "name": name.as_deref().unwrap_or("response"),
                "schema": schema,
            });
            if let Some(description) = description {
                format["description"] = description.as_str().into();
            }
            if let Some(strict) = strict {
                format["strict"] = (*strict).into();
            }
            Some(format)
        }
    };
    if let Some(format) = format {
        out.insert("format".into(), format);
    }
    if let Some(verbosity) = request.extra.get("verbosity") {
        out.insert("verbosity".into(), verbosity.clone());
    }
    (!out.is_empty()).then(|| out.into())
}
