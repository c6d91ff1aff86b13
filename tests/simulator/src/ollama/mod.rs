//! Ollama's API: chat, generate, embeddings, and its lists of models.
//!
//! Sources: [API reference](https://docs.ollama.com/api), and where it is silent `server/routes.go`
//! and `api/types.go` of [Ollama](https://github.com/ollama/ollama). Fields that it does not know
//! pass, as Go's decoder lets them.

mod asked;
mod check;
mod embed;
mod models;
mod reply;

use bytes::Bytes;
use http::{Method, StatusCode, request::Parts};
use serde_json::{Map, Value, json};

use crate::{
    answer::Choice,
    call::Call,
    dialect::Dialect,
    faults,
    refusal::Refusal,
    reply::Reply,
    service::{Failed, authorize},
    shared::Shared,
    wire::Content,
};

/// The version whose API this is.
const VERSION: &str = "0.12.6";

/// The JSON of an error.
///
/// Source: [errors](https://docs.ollama.com/api/errors).
pub(crate) fn error(message: &str) -> Value {
    json!({"error": message})
}

/// Answers a request in this dialect.
pub(crate) async fn answer(
    shared: &Shared,
    head: &Parts,
    body: &Bytes,
    id: u64,
) -> Result<Reply, Failed> {
    let path = head.uri.path();
    let read = head.method == Method::GET || head.method == Method::HEAD;
    if path == "/" && read {
        return Ok(plain(StatusCode::OK, "Ollama is running"));
    }
    if authorize(shared, head).is_err() {
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, "unauthorized").into());
    }
    let endpoint = match (path.strip_prefix("/api/").unwrap_or_default(), read) {
        ("version", true) => return Ok(Reply::ok(&json!({"version": VERSION}))),
        ("tags" | "ps", true) => {
            let status = *shared.health.read();
            if status != StatusCode::OK {
                return Err(Refusal::new(status, "Simulated ill health.").into());
            }
            let entries = shared.models.read();
            return Ok(Reply::ok(&models::list(&entries, path == "/api/ps")));
        }
        ("chat", false) => check::Endpoint::Chat,
        ("generate", false) => check::Endpoint::Generate,
        ("embed", false) => check::Endpoint::Embed,
        ("embeddings", false) => check::Endpoint::Embeddings,
        ("show", false) => check::Endpoint::Show,
        _ => return Ok(plain(StatusCode::NOT_FOUND, "404 page not found")),
    };
    if head.method != Method::POST {
        return Ok(plain(StatusCode::NOT_FOUND, "404 page not found"));
    }
    // A body that the server refuses is refused even where a fault was asked for: no fault hides it.
    let fields = check::body(endpoint, body)?;
    let name = check::model(endpoint, &fields)?;
    let listed = models::find(&shared.models.read(), name);
    if shared.only_listed && listed.is_none() {
        let message = format!("model '{name}' not found");
        return Err(Refusal::new(StatusCode::NOT_FOUND, message).into());
    }
    if endpoint == check::Endpoint::Show {
        return Ok(Reply::ok(&models::show(name, listed.as_ref())));
    }
    check::values(endpoint, &fields)?;
    if shared.strict {
        check::known(endpoint, &fields)?;
    }
    let behaviour = shared.called(models::bare(name));
    let call = Call::new(shared, head, id, name, &behaviour);
    let mut reply = match faults::strike(&behaviour, head, id).await? {
        Some(reply) => reply,
        None => match endpoint {
            check::Endpoint::Embed => call.json(&embed::embed(name, &fields)),
            check::Endpoint::Embeddings => call.json(&embed::embeddings(&fields)),
            _ => said(&call, &fields, endpoint == check::Endpoint::Chat),
        },
    };
    faults::headers(Dialect::Ollama, &behaviour.fault, &mut reply);
    Ok(reply)
}

fn said(call: &Call, fields: &Map<String, Value>, chat: bool) -> Reply {
    let lines = |answer| reply::Lines {
        id: call.id,
        model: call.model,
        chat,
        raw: fields.get("raw") == Some(&Value::Bool(true)),
        answer,
    };
    let mut answer = call.behaviour.answer.clone();
    if asked::empty(fields, chat) {
        return call.json(&lines(&answer).loaded(asked::unloads(fields)));
    }
    let asked = asked::asked(fields, chat);
    // A model that can think does so unless told not to.
    answer.reasoning &= fields.get("think") != Some(&Value::Bool(false));
    if !chat {
        answer.tools = 0;
    }
    let choice = Choice::of(&answer, &asked);
    let usage = choice.usage(asked.prompt, 1);
    let usage = (!answer.no_usage).then_some(usage);
    let lines = lines(&answer);
    if asked.stream {
        let done = !call.behaviour.wire.no_done;
        let events = lines.stream(&choice, usage, done);
        call.stream(events.into_iter(), reply::form())
    } else {
        call.text(lines.plain(&choice, usage))
    }
}

fn plain(status: StatusCode, text: &'static str) -> Reply {
    Reply::new(
        status,
        "text/plain; charset=utf-8",
        Content::Whole(text.into()),
    )
}
