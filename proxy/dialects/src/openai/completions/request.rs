//! Requests for text completions.
//!
//! Read: one prompt, also as a list of one; several prompts and prompts in tokens are told to come one by one, as text. `echo` is done here, when the
//! reply is written, but for the prompt's probabilities. `max_tokens` is 16 if it is absent, as documented. `best_of` is kept if it differs from `n`.
//!
//! Written: a prompt that is one, or a conversation of one user's text; all other conversations need the backend's prompt template first.
//! `max_tokens` is 1024 if no limit was asked for, because the server's own default is 16. Left out: the wish to reason, and whether tools may be called
//! at once.

use serde_json::{Map, Value, json};

use crate::codec::{Path, Target};
use crate::extra;
use crate::fields::Fields;
use crate::form::{
    Field, Format, Logprobs, Malformed, Message, Part, Refused, Request, Role, Source,
};
use crate::json::to_vec;
use crate::openai::chat::request::read::{extra, format, sampling, stream_options};
use crate::openai::chat::request::write::{
    KNOWN, OF_CHAT_ALONE, format as format_out, sampling as sampling_out,
};

const PAGE: &str = "https://platform.openai.com/docs/api-reference/completions/create";

/// Tokens that a reply may have if a client of another dialect sets no limit.
const UNLIMITED: u64 = 1024;

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
    let prompt = prompt(&mut fields)?;
    let said = fields.bool("stream")?.unwrap_or_default();
    let (stream_usage, options) = stream_options(&mut fields)?;
    let n = fields.small("n")?;
    if n == Some(0) {
        return Err(fields.fault("n", "The field must be at least 1."));
    }
    let best_of = fields.small("best_of")?;
    let top = fields.small("logprobs")?;
    let echo = fields.bool("echo")?.unwrap_or_default();
    let mut request = Request {
        model,
        stream: path.stream.unwrap_or(said),
        stream_usage,
        messages: vec![Message::text(Role::User, prompt, "prompt")],
        sampling: sampling(&mut fields)?,
        max_tokens: Some(fields.count("max_tokens")?.unwrap_or(16)),
        n,
        stop: fields.strings("stop")?.unwrap_or_default(),
        format: format(&mut fields)?,
        logprobs: top.map(|top| Logprobs {
            top: (top > 0).then_some(top),
        }),
        user: fields.string("user")?,
        keep_alive: fields.value("keep_alive"),
        raw: true,
        suffix: fields.string("suffix")?.filter(|text| !text.is_empty()),
        extra: extra(fields, options),
        ..Request::default()
    };
    if let Some(best_of) = best_of.filter(|best_of| *best_of != n.unwrap_or(1)) {
        request.extra.insert("best_of".into(), best_of.into());
    }
    if echo && request.logprobs.is_some() {
        // What only the server knows.
        request.extra.insert("echo".into(), true.into());
    }
    Ok(request)
}

fn prompt(fields: &mut Fields) -> Result<String, Malformed> {
    let one = match fields.value("prompt") {
        None => return Err(fields.missing("prompt")),
        Some(Value::Array(mut list)) if list.len() == 1 => list.pop(),
        Some(Value::Array(list)) if list.first().is_some_and(Value::is_string) => {
            let message = "Only one prompt in a request can be translated for this model; send one request for each.";
            return Err(fields.fault("prompt", message));
        }
        value => value,
    };
    match one {
        Some(Value::String(text)) => Ok(text),
        _ => {
            let message = "The prompt must be text for this model: tokens are another model's.";
            Err(fields.fault("prompt", message))
        }
    }
}

/// What replies need of the request: the prompt, if it is to be echoed.
#[must_use]
pub fn echo(body: &[u8]) -> Map<String, Value> {
    #[derive(serde::Deserialize)]
    struct Probe {
        echo: Option<bool>,
        logprobs: Option<u32>,
        prompt: Option<Value>,
    }

    let mut echo = Map::new();
    if memchr::memmem::find(body, b"\"echo\"").is_none() {
        return echo;
    }
    if let Ok(Probe {
        echo: Some(true),
        logprobs: None,
        prompt: Some(prompt),
    }) = serde_json::from_slice(body)
    {
        let text = match prompt {
            Value::Array(mut list) => list.pop().unwrap_or_default(),
            text => text,
        };
        echo.insert("prompt".into(), text);
    }
    echo
}

/// Writes a request.
///
/// # Errors
/// [`Refused`], naming the field.
pub fn write(request: &Request, target: Target<'_>) -> Result<Vec<u8>, Refused> {
    let prompt = plain(request)?;
    if !request.tools.is_empty() {
        let text = "A text completion cannot call tools; remove them, or call a chat model.";
        return Err(Refused::new(Field::Tools(None), text, PAGE));
    }
    let mut out = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            out.insert(name.to_owned(), value);
        }
    };
    put("model", Some(target.model.into()));
    put("prompt", Some(prompt.into()));
    put("suffix", request.suffix.as_deref().map(Value::from));
    put("stream", target.stream.then_some(Value::Bool(true)));
    let usage = target.stream && request.stream_usage;
    put(
        "stream_options",
        usage.then(|| json!({"include_usage": true})),
    );
    put(
        "max_tokens",
        Some(request.max_tokens.unwrap_or(UNLIMITED).into()),
    );
    put("n", request.n.map(Value::from));
    put(
        "stop",
        (!request.stop.is_empty()).then(|| json!(request.stop)),
    );
    let format = request
        .format
        .as_ref()
        .filter(|format| **format != Format::Text);
    put("response_format", format.map(format_out).transpose()?);
    let top = request.logprobs.map(|logprobs| logprobs.top.unwrap_or(0));
    put("logprobs", top.map(Value::from));
    put("user", request.user.as_deref().map(Value::from));
    sampling_out(request, &mut put);
    extra::carry(
        &request.extra,
        &KNOWN[OF_CHAT_ALONE..],
        &[],
        ("OpenAI's text completions", PAGE),
        &mut out,
    )?;
    Ok(to_vec(&out))
}

/// The conversation as the one text that it is.
fn plain(request: &Request) -> Result<String, Refused> {
    let refused =
        |message: &Message, text: &str| Refused::new(Field::At(message.at.clone()), text, PAGE);
    let message = match request.messages.as_slice() {
        [one] if one.role == Role::User => one,
        [one] => return Err(refused(one, TEMPLATE)),
        [_, second, ..] => return Err(refused(second, TEMPLATE)),
        [] => {
            let place = Field::At("messages".into());
            return Err(Refused::new(
                place,
                "A text completion needs a prompt; send one.",
                PAGE,
            ));
        }
    };
    let mut prompt = String::new();
    for part in &message.parts {
        if !prompt.is_empty() {
            prompt.push('\n');
        }
        match part {
            Part::Text { text, .. } => prompt.push_str(text),
            Part::Document {
                source: Source::Text(text),
                ..
            } => prompt.push_str(text),
            part => {
                let text = format!(
                    "A text completion takes text alone, not {}; leave it out, or call a chat model.",
                    part.described()
                );
                return Err(refused(message, &text));
            }
        }
    }
    Ok(prompt)
}

const TEMPLATE: &str = "A text completion takes one plain prompt, not a conversation; send one user message, or call a model whose backend speaks chat completions.";
