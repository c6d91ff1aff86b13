//! Anthropic's API: messages, their count of tokens, models.
//!
//! Sources: [API reference](https://platform.claude.com/docs/en/api/messages/create), and where it is
//! silent the types of [the Python SDK](https://github.com/anthropics/anthropic-sdk-python).

mod asked;
mod check;
mod error;
mod models;
mod reply;
mod stream;

use bytes::Bytes;
use http::{Method, StatusCode, request::Parts};
use serde_json::{Map, Value, json};

pub(crate) use error::{LIMITS, error};
pub use reply::signature;
pub(crate) use reply::signed;

use crate::{
    answer::{Choice, Usage},
    call::Call,
    dialect::Dialect,
    faults,
    refusal::Refusal,
    reply::Reply,
    service::Failed,
    shared::Shared,
    wire::Event,
};

/// The header that each request carries.
pub(crate) const VERSION: &str = "anthropic-version";

/// Answers a request in this dialect.
pub(crate) async fn answer(
    shared: &Shared,
    head: &Parts,
    body: &Bytes,
    id: u64,
) -> Result<Reply, Failed> {
    authorize(shared, head)?;
    let newest = newest(head)?;
    let path = head.uri.path();
    if let Some(rest) = path.strip_prefix("/v1/models") {
        let status = *shared.health.read();
        if status != StatusCode::OK {
            return Err(Refusal::new(status, "Simulated ill health.").into());
        }
        let entries = shared.models.read();
        let query = head.uri.query().unwrap_or_default();
        return Ok(Reply::ok(&match rest.strip_prefix('/') {
            Some(segment) => models::find(&entries, segment)?,
            None => models::page(&entries, query)?,
        }));
    }
    let count = match path {
        "/v1/messages" => false,
        "/v1/messages/count_tokens" => true,
        _ => return Err(Refusal::new(StatusCode::NOT_FOUND, "Not Found").into()),
    };
    if head.method != Method::POST {
        return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed").into());
    }
    let fields = object(body)?;
    let model = check::model(&fields)?;
    if shared.only_listed {
        models::find(&shared.models.read(), model)?;
    }
    let behaviour = shared.called(model);
    // A body that the API refuses is refused even where a fault was asked for: no fault hides it.
    let kind = check::Kind {
        count,
        beta: head.headers.contains_key("anthropic-beta"),
        newest,
    };
    check::body(&fields, kind)?;
    let call = Call::new(shared, head, id, model, &behaviour);
    let mut reply = match faults::strike(&behaviour, head, id).await? {
        Some(reply) => reply,
        None if count => call.json(&json!({"input_tokens": asked::asked(&fields).prompt})),
        None => message(&call, &fields),
    };
    faults::headers(Dialect::Anthropic, &behaviour.fault, &mut reply);
    Ok(reply)
}

fn message(call: &Call, fields: &Map<String, Value>) -> Reply {
    if asked::asked(fields).stream {
        call.stream(events(call, fields).into_iter(), stream::form())
    } else {
        call.text(plain(call, fields))
    }
}

/// Checks a body that came another way, and without its model. `newest`: as that of 2026-10-21.
pub(crate) fn checked(
    fields: &Map<String, Value>,
    beta: bool,
    newest: bool,
) -> Result<(), Refusal> {
    let kind = check::Kind {
        count: false,
        beta,
        newest,
    };
    check::body(fields, kind)
}

/// The body of the answer to a checked request.
pub(crate) fn plain(call: &Call, fields: &Map<String, Value>) -> String {
    composed(call, fields, |message| message.plain())
}

/// The events of the answer to a checked request.
pub(crate) fn events(call: &Call, fields: &Map<String, Value>) -> Vec<Event> {
    let done = !call.behaviour.wire.no_done;
    let chunk = call.behaviour.answer.chunk;
    composed(call, fields, |message| stream::events(message, chunk, done))
}

/// What the answer to a checked request consumes.
pub(crate) fn usage(call: &Call, fields: &Map<String, Value>) -> Usage {
    let prompt = asked::asked(fields).prompt;
    composed(call, fields, |message| message.choice.usage(prompt, 1))
}

fn composed<T>(
    call: &Call,
    fields: &Map<String, Value>,
    write: impl FnOnce(&reply::Message) -> T,
) -> T {
    let asked = asked::asked(fields);
    let thinking = asked::thinking(fields);
    let mut answer = call.behaviour.answer.clone();
    // Claude does not think aloud unless asked.
    answer.reasoning &= thinking != asked::Thinking::Off;
    let choice = Choice::of(&answer, &asked);
    let usage = choice.usage(asked.prompt, 1);
    write(&reply::Message {
        id: call.id,
        model: call.model,
        choice: &choice,
        usage: (!answer.no_usage).then_some(usage),
        omitted: thinking == asked::Thinking::Omitted,
        extras: answer.extras,
    })
}

fn object(body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    let refused = |message: String| Refusal::new(StatusCode::BAD_REQUEST, message);
    match serde_json::from_slice(body) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(refused("Input should be a valid dictionary".into())),
        Err(error) => Err(refused(format!(
            "The request body is not valid JSON: {error}"
        ))),
    }
}

/// Either header will do; where both are there, `x-api-key` counts.
///
/// Source: [authentication](https://platform.claude.com/docs/en/api/overview#authentication); the
/// SDKs of the version of 2026-10-21 send `Authorization: Bearer`.
fn authorize(shared: &Shared, head: &Parts) -> Result<(), Refusal> {
    let keys = shared.api_keys.read();
    let text = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = text("authorization").and_then(|given| given.strip_prefix("Bearer "));
    let refused = |message| Err(Refusal::new(StatusCode::UNAUTHORIZED, message));
    match (text("x-api-key"), bearer) {
        _ if keys.is_empty() => Ok(()),
        (Some(given), _) | (None, Some(given)) if keys.iter().any(|key| key == given) => Ok(()),
        (Some(_), _) => refused("invalid x-api-key"),
        (None, Some(_)) => refused("Invalid bearer token"),
        (None, None) => refused("x-api-key header is required"),
    }
}

/// Whether the request names the version of 2026-10-21; refuses one that no version is.
fn newest(head: &Parts) -> Result<bool, Refusal> {
    let version = head.headers.get(VERSION);
    match version.map(|value| value.to_str().unwrap_or_default()) {
        Some("2026-10-21") => Ok(true),
        Some("2023-06-01" | "2023-01-01") => Ok(false),
        Some(other) => Err(check::refused(
            VERSION,
            &format!("\"{other}\" is not a valid version"),
        )),
        None => Err(check::refused(VERSION, "header is required")),
    }
}
