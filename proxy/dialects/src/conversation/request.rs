//! Requests: a statement, what was said before it, and options.
//!
//! Rules of the reader: the model is `model_name`, or else `model`; a stream is wanted unless it is said otherwise; options that ask for nothing
//! (`repetition_penalty` and `typical_p` of 1, `top_k` of 0 or less) are left out, because clients send them always. Rules of
//! the writer: system messages become one `system_prompt`, and turns of user and model the history.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use crate::codec::{Path, Target};
use crate::extra;
use crate::fields::Fields;
use crate::form::message::joined_text;
use crate::form::{Field, Malformed, Message, Part, Reasoning, Refused, Request, Role};

/// The page that shows what a request can say.
const PAGE: &str = "https://github.com/radlab-dev-group/llm-router";

pub(super) fn read(body: &[u8], path: Path<'_>) -> Result<Request, Malformed> {
    let mut fields = Fields::of_request(body)?;
    let model = model(&mut fields, path)?;
    unneeded(&mut fields)?;
    let stream = fields.bool("stream")?;
    let mut messages = Vec::new();
    if let Some(prompt) = system_prompt(&mut fields)? {
        messages.push(prompt);
    }
    history(&mut fields, &mut messages)?;
    let last = fields.required_string("user_last_statement")?;
    if last.is_empty() {
        let message = "The field must say something.";
        return Err(fields.fault("user_last_statement", message));
    }
    messages.push(Message::text(Role::User, last, "user_last_statement"));
    let mut request = Request {
        model,
        stream: path.stream.or(stream).unwrap_or(true),
        stream_usage: true,
        messages,
        ..Request::default()
    };
    options(&mut fields, &mut request)?;
    request.keep_alive = crate::ollama::options::keep_alive(&mut fields)?;
    request.extra = fields.extra();
    Ok(request)
}

/// Takes the model's name.
pub(super) fn model(fields: &mut Fields, path: Path<'_>) -> Result<String, Malformed> {
    let named = fields.string("model_name")?;
    let other = fields.string("model")?;
    let model = path.model.map(str::to_owned).or(named).or(other);
    model.ok_or_else(|| fields.missing("model_name"))
}

/// Takes what is for the library.
pub(super) fn unneeded(fields: &mut Fields) -> Result<(), Malformed> {
    fields.string("language")?;
    fields.string("prompt_name")?;
    Ok(())
}

/// Takes the system prompt; an empty one is none.
pub(super) fn system_prompt(fields: &mut Fields) -> Result<Option<Message>, Malformed> {
    let prompt = fields.string("system_prompt")?;
    let prompt = prompt.filter(|text| !text.is_empty());
    Ok(prompt.map(|text| Message::text(Role::System, text, "system_prompt")))
}

/// Takes the turns before the last statement, in order.
fn history(fields: &mut Fields, messages: &mut Vec<Message>) -> Result<(), Malformed> {
    for mut turn in fields.objects("historical_messages")?.unwrap_or_default() {
        let before = messages.len();
        for (name, role) in [("user", Role::User), ("assistant", Role::Assistant)] {
            if let Some(text) = turn.string(name)? {
                messages.push(Message::text(role, text, turn.path(name)));
            }
        }
        if messages.len() == before {
            return Err(turn.fault("user", "A turn says what the user or the assistant said: {\"user\": \"…\", \"assistant\": \"…\"}."));
        }
        let at = turn.at().to_owned();
        if let Some(name) = turn.rest().keys().next() {
            let message = "A turn has the fields user and assistant alone.";
            return Err(Malformed::new(format!("{at}.{name}"), message));
        }
    }
    Ok(())
}

/// Takes the options by their names in this API. What is there already stays.
pub(super) fn options(fields: &mut Fields, request: &mut Request) -> Result<(), Malformed> {
    let sampling = &mut request.sampling;
    let put = |to: &mut Option<f64>, value: Option<f64>| {
        if to.is_none() {
            *to = value;
        }
    };
    put(&mut sampling.temperature, fields.float("temperature")?);
    put(&mut sampling.top_p, fields.float("top_p")?);
    let says = |value: &f64| (*value - 1.0).abs() > f64::EPSILON;
    let typical = fields.float("typical_p")?.filter(says);
    put(&mut sampling.typical_p, typical);
    let repetition = fields.float("repetition_penalty")?.filter(says);
    put(&mut sampling.repetition_penalty, repetition);
    let top_k = fields.integer("top_k")?.filter(|top| *top > 0);
    sampling.top_k = sampling.top_k.or(top_k);
    request.max_tokens = request.max_tokens.or(fields.count("max_new_tokens")?);
    Ok(())
}

/// What this API calls a field of the request.
pub(super) fn name_of(field: &Field) -> Cow<'static, str> {
    Cow::Borrowed(match field {
        Field::MaxTokens => "max_new_tokens",
        Field::N => "n",
        Field::Stop => "stop",
        Field::Format => "format",
        Field::Reasoning => "reasoning",
        Field::Logprobs => "logprobs",
        Field::Suffix => "suffix",
        Field::Tools(_) => "tools",
        Field::ToolChoice => "tool_choice",
        Field::ParallelToolCalls => "parallel_tool_calls",
        Field::Temperature => "temperature",
        Field::TopP => "top_p",
        Field::TopK => "top_k",
        Field::MinP => "min_p",
        Field::TypicalP => "typical_p",
        Field::Seed => "seed",
        Field::FrequencyPenalty => "frequency_penalty",
        Field::PresencePenalty => "presence_penalty",
        Field::RepetitionPenalty => "repetition_penalty",
        Field::LogitBias => "logit_bias",
        Field::Dimensions => "dimensions",
        Field::At(place) | Field::Extra(place) => return Cow::Owned(place.clone()),
    })
}

pub(super) fn write(request: &Request, target: Target<'_>) -> Result<Vec<u8>, Refused> {
    refuse(request)?;
    let mut body = Map::new();
    body.insert("model_name".into(), target.model.into());
    turns(request, &mut body)?;
    let sampling = &request.sampling;
    let options = [
        ("temperature", sampling.temperature.map(Value::from)),
        ("max_new_tokens", request.max_tokens.map(Value::from)),
        ("top_k", sampling.top_k.map(Value::from)),
        ("top_p", sampling.top_p.map(Value::from)),
        ("typical_p", sampling.typical_p.map(Value::from)),
        (
            "repetition_penalty",
            sampling.repetition_penalty.map(Value::from),
        ),
        ("keep_alive", request.keep_alive.clone()),
    ];
    for (name, value) in options {
        if let Some(value) = value {
            body.insert(name.into(), value);
        }
    }
    extra::carry(
        &request.extra,
        &[],
        &[],
        ("The Conversation API", PAGE),
        &mut body,
    )?;
    body.insert("stream".into(), target.stream.into());
    Ok(Value::Object(body).to_string().into_bytes())
}

/// Refuses what there is no field for.
fn refuse(request: &Request) -> Result<(), Refused> {
    let sampling = &request.sampling;
    let faults = [
        (!request.tools.is_empty(), Field::Tools(None)),
        (request.n.is_some_and(|n| n > 1), Field::N),
        (!request.stop.is_empty(), Field::Stop),
        (request.format.is_some(), Field::Format),
        (request.logprobs.is_some(), Field::Logprobs),
        (request.suffix.is_some(), Field::Suffix),
        (
            request.reasoning.as_ref().is_some_and(Reasoning::is_on),
            Field::Reasoning,
        ),
        (sampling.min_p.is_some(), Field::MinP),
        (sampling.seed.is_some(), Field::Seed),
        (
            sampling.frequency_penalty.is_some(),
            Field::FrequencyPenalty,
        ),
        (sampling.presence_penalty.is_some(), Field::PresencePenalty),
        (sampling.logit_bias.is_some(), Field::LogitBias),
    ];
    match faults.into_iter().find(|(there, _)| *there) {
        Some((_, field)) => Err(Refused::new(
            field,
            "The Conversation API has no such field; leave it out.",
            PAGE,
        )),
        None => Ok(()),
    }
}

fn turns(request: &Request, body: &mut Map<String, Value>) -> Result<(), Refused> {
    let mut prompts: Vec<String> = Vec::new();
    let mut history: Vec<Map<String, Value>> = Vec::new();
    let Some((last, before)) = request.messages.split_last() else {
        return Err(refused(
            "messages",
            "The conversation must end with the user.",
        ));
    };
    for message in before {
        let text = text_of(message)?;
        match message.role {
            Role::System | Role::Developer if history.is_empty() => prompts.push(text),
            Role::User => history.push(Map::from_iter([("user".to_owned(), text.into())])),
            Role::Assistant => match history.last_mut() {
                Some(turn) if !turn.contains_key("assistant") => {
                    turn.insert("assistant".into(), text.into());
                }
                _ => history.push(Map::from_iter([("assistant".to_owned(), text.into())])),
            },
            _ => {
                let said = "The Conversation API has turns of user and assistant, after one system prompt.";
                return Err(refused(&message.at, said));
            }
        }
    }
    if last.role != Role::User {
        return Err(refused(
            &last.at,
            "The conversation must end with the user.",
        ));
    }
    if !prompts.is_empty() {
        body.insert("system_prompt".into(), prompts.join("\n\n").into());
    }
    if !history.is_empty() {
        body.insert("historical_messages".into(), json!(history));
    }
    let at = &last.at;
    let last = text_of(last)?;
    if last.is_empty() {
        return Err(refused(at, "The user's last statement must say something."));
    }
    body.insert("user_last_statement".into(), last.into());
    Ok(())
}

fn text_of(message: &Message) -> Result<String, Refused> {
    let other = |part: &&Part| !matches!(part, Part::Text { .. });
    match message.parts.iter().find(other) {
        Some(part) => Err(refused(
            &message.at,
            &format!(
                "The Conversation API takes text, and this is {}; leave it out.",
                part.described()
            ),
        )),
        None => Ok(joined_text(&message.parts)),
    }
}

fn refused(at: &str, message: &str) -> Refused {
    Refused::new(Field::At(at.to_owned()), message, PAGE)
}
