//! Text Generation Inference's own API: a prompt and parameters, a text and its tokens.
//!
//! Sources: [its OpenAPI document](https://huggingface.github.io/text-generation-inference/), and where
//! that is silent `router/src/server.rs` and `router/src/validation.rs` of
//! [the router](https://github.com/huggingface/text-generation-inference). Fields that it does not
//! know pass, as serde lets them. A server of it has one model, and so each model has its own here:
//! `/tgi/MODEL/` stands for the server's `/`.

mod body;
mod check;
mod error;
mod reply;

use bytes::Bytes;
use http::{Method, StatusCode, request::Parts};
use serde_json::{Value, json};

pub(crate) use error::{LIMITS, error};

use self::body::Generate;
use crate::{
    answer::Choice,
    call::Call,
    dialect::Dialect,
    faults, openai,
    refusal::Refusal,
    reply::Reply,
    service::{Failed, authorize},
    shared::Shared,
    wire::Content,
};

/// Answers a request in this dialect.
pub(crate) async fn answer(
    shared: &Shared,
    head: &Parts,
    body: &Bytes,
    id: u64,
) -> Result<Reply, Failed> {
    let rest = head.uri.path().strip_prefix("/tgi/").unwrap_or_default();
    let (model, path) = rest.split_once('/').unwrap_or((rest, ""));
    let model = openai::decoded(model);
    let entries = shared.models.read().clone();
    if model.is_empty() || (shared.only_listed && openai::find(&entries, &model).is_err()) {
        return Ok(empty(StatusCode::NOT_FOUND));
    }
    let health = *shared.health.read();
    match (path, &head.method) {
        ("health" | "ping", &Method::GET) => {
            return if health == StatusCode::OK {
                Ok(empty(health))
            } else {
                Err(Refusal::new(health, "unhealthy").into())
            };
        }
        ("info", &Method::GET) if health == StatusCode::OK => {
            return Ok(Reply::ok(&info(&model)));
        }
        ("v1/models", &Method::GET) if health == StatusCode::OK => {
            return Ok(Reply::ok(&openai::list(&[openai::entry(&model)])));
        }
        ("info" | "v1/models", &Method::GET) => {
            return Err(Refusal::new(health, "Simulated ill health.").into());
        }
        ("generate" | "generate_stream" | "", &Method::POST) => {}
        ("generate" | "generate_stream" | "", _) => {
            return Ok(empty(StatusCode::METHOD_NOT_ALLOWED));
        }
        _ => return Ok(empty(StatusCode::NOT_FOUND)),
    }
    if authorize(shared, head).is_err() {
        return Ok(empty(StatusCode::UNAUTHORIZED));
    }
    let asked = match body::read(head, body) {
        Ok(_) if let Some(name) = shared.strict.then(|| body::unknown(body)).flatten() => {
            let why = format!("unknown field `{name}`");
            return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, why).into());
        }
        Ok(asked) => asked,
        Err((status, why)) => {
            let kind = "text/plain; charset=utf-8";
            return Ok(Reply::new(status, kind, Content::Whole(why.into())));
        }
    };
    let streamed = match path {
        "generate" => false,
        "generate_stream" => true,
        _ => asked.stream,
    };
    let behaviour = shared.called(&model);
    let call = Call::new(shared, head, id, &model, &behaviour);
    // A body that the server refuses is refused even where a fault was asked for: no fault hides it.
    if let Err(why) = check::values(&asked, streamed) {
        let refusal = Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, why);
        if streamed {
            // The status has left when the router looks at the parameters.
            let event = error::event(refusal.status, &refusal.message);
            return Ok(call.stream(std::iter::once(event), reply::form()));
        }
        return Err(refusal.into());
    }
    let mut reply = match faults::strike(&behaviour, head, id).await? {
        Some(reply) => reply,
        None => said(&call, &asked, streamed, path.is_empty()),
    };
    faults::headers(Dialect::Tgi, &behaviour.fault, &mut reply);
    Ok(reply)
}

/// Answers a checked request; in a list where the path was `/`.
fn said(call: &Call, asked: &Generate, streamed: bool, listed: bool) -> Reply {
    let mut answer = call.behaviour.answer.clone();
    // There is no place for them but the text, and nobody filters.
    (answer.tools, answer.reasoning) = (0, false);
    answer.filter = None;
    let choice = Choice::of(&answer, &asked.asked());
    let written = reply::Written {
        asked,
        choice: &choice,
        usage: (!answer.no_usage).then(|| choice.usage(asked.words(), 1)),
        answer: &answer,
    };
    if streamed {
        let done = !call.behaviour.wire.no_done;
        return call.stream(written.stream(done).into_iter(), reply::form());
    }
    let whole = written.plain();
    call.text(if listed { format!("[{whole}]") } else { whole })
}

/// What `/info` says.
fn info(model: &str) -> Value {
    json!({
        "model_id": model,
        "model_sha": "0".repeat(40),
        "model_pipeline_tag": "text-generation",
        "max_concurrent_requests": 128,
        "max_best_of": check::BEST_OF,
        "max_stop_sequences": check::STOPS,
        "max_input_tokens": check::INPUT,
        "max_total_tokens": check::TOTAL,
        "validation_workers": 2,
        "max_client_batch_size": 4,
        "router": "text-generation-router",
        "version": "3.3.4",
        "sha": null,
        "docker_label": null,
    })
}

fn empty(status: StatusCode) -> Reply {
    Reply::new(status, "text/plain", Content::Whole(Bytes::new()))
}
