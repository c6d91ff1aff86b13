//! Gemini's API: generateContent and its stream, tokens, vectors, models.
//!
//! Sources: [API reference](https://ai.google.dev/api), and where it is silent the converters of
//! [the Python SDK](https://github.com/googleapis/python-genai).

mod asked;
mod check;
mod embed;
mod error;
mod key;
mod models;
mod proto;
mod reply;

use bytes::Bytes;
use http::{Method, StatusCode, request::Parts};
use serde_json::{Map, Value, json};

pub(crate) use error::{LIMITS, error};
pub(crate) use key::HEADER as KEY;

use crate::{
    answer::Choice,
    call::Call,
    dialect::Dialect,
    faults, openai,
    refusal::Refusal,
    reply::Reply,
    service::Failed,
    shared::Shared,
    wire::{Form, Frame},
};

/// What can be asked of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Generate,
    Stream,
    Embed,
    EmbedMany,
    Count,
}

impl Verb {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "generateContent" => Self::Generate,
            "streamGenerateContent" => Self::Stream,
            "embedContent" => Self::Embed,
            "batchEmbedContents" => Self::EmbedMany,
            "countTokens" => Self::Count,
            _ => return None,
        })
    }
}

/// Whether a path below `/v1/models/` is one of this API's.
pub(crate) fn claims(path: &str) -> bool {
    path.rsplit_once(':')
        .is_some_and(|(_, verb)| Verb::of(verb).is_some())
}

/// Answers a request in this dialect.
pub(crate) async fn answer(
    shared: &Shared,
    head: &Parts,
    body: &Bytes,
    id: u64,
) -> Result<Reply, Failed> {
    key::authorize(shared, head)?;
    let path = head.uri.path();
    let path = path
        .strip_prefix("/v1beta")
        .or_else(|| path.strip_prefix("/v1"));
    let Some(rest) = path.and_then(|path| path.strip_prefix("/models")) else {
        return Err(not_found().into());
    };
    let query = head.uri.query().unwrap_or_default();
    if head.method == Method::GET {
        let status = *shared.health.read();
        if status != StatusCode::OK {
            return Err(Refusal::new(status, "Simulated ill health.").into());
        }
        let entries = shared.models.read();
        return Ok(Reply::ok(&match rest.strip_prefix('/') {
            Some(name) => models::find(&entries, &openai::decoded(name))?,
            None => models::page(&entries, query)?,
        }));
    }
    let call = rest
        .strip_prefix('/')
        .and_then(|rest| rest.rsplit_once(':'));
    let call = call.and_then(|(model, verb)| Some((openai::decoded(model), Verb::of(verb)?)));
    let Some((model, verb)) = call.filter(|_| head.method == Method::POST) else {
        return Err(not_found().into());
    };
    known(query)?;
    let events = query.split('&').any(|pair| pair == "alt=sse");
    match told(shared, head, body, id, (&model, verb, events)).await {
        // An array that was begun holds an error too.
        Err(Failed::Refused(refusal)) if verb == Verb::Stream && !events => {
            let error = error(
                refusal.status,
                &refusal.message,
                refusal.param.as_deref(),
                refusal.code,
            );
            Ok(Reply::json(refusal.status, &json!([error])))
        }
        told => told,
    }
}

async fn told(
    shared: &Shared,
    head: &Parts,
    body: &Bytes,
    id: u64,
    (model, verb, events): (&str, Verb, bool),
) -> Result<Reply, Failed> {
    let fields = fields(body, verb)?;
    if shared.only_listed && openai::find(&shared.models.read(), model).is_err() {
        let message = format!(
            "models/{model} is not found for API version v1beta, or is not supported for generateContent. Call ListModels to see the list of available models and their supported methods."
        );
        return Err(Refusal::new(StatusCode::NOT_FOUND, message).into());
    }
    // A body that the API refuses is refused even where a fault was asked for: no fault hides it.
    match verb {
        Verb::Generate | Verb::Stream => check::generate(&fields)?,
        Verb::Embed => embed::check(&fields)?,
        Verb::EmbedMany => embed::check_batch(&fields, model)?,
        Verb::Count => {}
    }
    let behaviour = shared.called(model);
    let call = Call::new(shared, head, id, model, &behaviour);
    let mut reply = match faults::strike(&behaviour, head, id).await? {
        Some(reply) => reply,
        None => match verb {
            Verb::Generate => said(&call, &fields, None),
            Verb::Stream if events => said(&call, &fields, Some(Frame::Google)),
            Verb::Stream => said(&call, &fields, Some(Frame::Array)),
            Verb::Embed => call.json(&embed::embed(&fields)),
            Verb::EmbedMany => call.json(&embed::batch(&fields)),
            Verb::Count => call.json(&count(&fields)),
        },
    };
    faults::headers(Dialect::Gemini, &behaviour.fault, &mut reply);
    Ok(reply)
}

fn said(call: &Call, fields: &Map<String, Value>, frame: Option<Frame>) -> Reply {
    let asked = asked::asked(fields, frame.is_some());
    let answer = &call.behaviour.answer;
    let choice = Choice::of(answer, &asked);
    let written = reply::Written {
        id: call.id,
        model: call.model,
        choice: &choice,
        n: asked.n,
        usage: (!answer.no_usage).then(|| choice.usage(asked.prompt, asked.n)),
        answer,
        shown: asked::shows_thoughts(fields),
    };
    let Some(frame) = frame else {
        return call.text(written.plain());
    };
    let done = !call.behaviour.wire.no_done;
    let form = Form {
        fault: error::event(),
        frame,
    };
    call.stream(written.stream(done).into_iter(), form)
}

fn count(fields: &Map<String, Value>) -> Value {
    let request = fields.get("generate_content_request");
    let fields = request.and_then(Value::as_object).unwrap_or(fields);
    let count = asked::counted(fields);
    json!({
        "totalTokens": count,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": count}],
    })
}

/// Reads a body into the message of its verb.
fn fields(body: &[u8], verb: Verb) -> Result<Map<String, Value>, Refusal> {
    let message = match verb {
        Verb::Generate | Verb::Stream => &proto::GENERATE,
        Verb::Embed => &proto::EMBED,
        Verb::EmbedMany => &proto::BATCH,
        Verb::Count => &proto::COUNT,
    };
    let value: Value = serde_json::from_slice(body)
        .map_err(|error| check::bad(format!("Invalid JSON payload received. {error}")))?;
    proto::read(message, &value).map_err(|found| {
        // Each line of the message belongs to the field in the same line.
        let lines: Vec<_> = found
            .iter()
            .map(|one| one.description.replace('\n', " "))
            .collect();
        let fields = found.iter().map(|one| match &*one.field {
            "" => ".",
            field => field,
        });
        let fields: Vec<_> = fields.collect();
        check::bad(lines.join("\n")).param(&fields.join("\n"))
    })
}

/// Refuses parameters of the query that the service does not know.
fn known(query: &str) -> Result<(), Refusal> {
    const KNOWN: [&str; 6] = ["alt", "$alt", "fields", "prettyPrint", "quotaUser", "hop"];
    let names = query
        .split('&')
        .map(|pair| pair.split('=').next().unwrap_or(pair));
    for name in names.filter(|name| !name.is_empty()) {
        if !KNOWN.contains(&name) {
            let message = format!(
                "Invalid JSON payload received. Unknown name \"{name}\": Cannot bind query parameter. Field '{name}' could not be found in request message."
            );
            return Err(check::bad(message).param("."));
        }
    }
    Ok(())
}

fn not_found() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "Requested entity was not found.")
}
