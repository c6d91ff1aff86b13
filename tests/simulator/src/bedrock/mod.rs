//! Amazon Bedrock: conversations, and bodies of Anthropic's, whole and streamed.
//!
//! Sources: [API reference](https://docs.aws.amazon.com/bedrock/latest/APIReference/API_Operations_Amazon_Bedrock_Runtime.html),
//! the service's model as [botocore](https://github.com/boto/botocore) carries it.

mod asked;
mod auth;
mod check;
mod error;
mod invoke;
mod reply;
mod shape;

use bytes::Bytes;
use http::{HeaderName, Method, StatusCode, request::Parts};
use serde_json::{Map, Value};

pub(crate) use auth::AwsKey;
pub(crate) use error::{LIMITS, error, named};

use crate::{
    answer::Choice,
    anthropic,
    call::Call,
    dialect::Dialect,
    faults, openai,
    refusal::Refusal,
    reply::Reply,
    service::Failed,
    shared::Shared,
    wire::{Form, Frame},
};

/// Answers a request in this dialect.
pub(crate) async fn answer(
    shared: &Shared,
    head: &Parts,
    body: &Bytes,
    id: u64,
) -> Result<Reply, Failed> {
    auth::authorize(shared, head, body)?;
    let path = head.uri.path().strip_prefix("/model/");
    let Some((model, operation)) = path.and_then(|path| path.rsplit_once('/')) else {
        return Err(unknown().into());
    };
    let (converse, streamed) = match operation {
        "converse" => (true, false),
        "converse-stream" => (true, true),
        "invoke" => (false, false),
        "invoke-with-response-stream" => (false, true),
        _ => return Err(unknown().into()),
    };
    if head.method != Method::POST {
        return Err(unknown().into());
    }
    let model = openai::decoded(model);
    if shared.only_listed && openai::find(&shared.models.read(), &model).is_err() {
        return Err(shape::bad("The provided model identifier is invalid.").into());
    }
    let fields = object(body)?;
    let behaviour = shared.called(&model);
    // A body that the API refuses is refused even where a fault was asked for: no fault hides it.
    let fields = if converse {
        check::converse(&fields, behaviour.answer.strict)?;
        fields
    } else {
        invoke::check(fields)?
    };
    let call = Call::new(shared, head, id, &model, &behaviour);
    let mut reply = match faults::strike(&behaviour, head, id).await? {
        Some(reply) => reply,
        None if converse => said(&call, &fields, streamed),
        None if streamed => {
            let events = invoke::stream(&call, &fields);
            let mut reply = call.stream(events.into_iter(), form(&call));
            let kind = HeaderName::from_static("x-amzn-bedrock-content-type");
            reply.set(kind, "application/json");
            reply
        }
        None => call.text(anthropic::plain(&call, &fields)),
    };
    faults::headers(Dialect::Bedrock, &behaviour.fault, &mut reply);
    Ok(reply)
}

fn said(call: &Call, fields: &Map<String, Value>, streamed: bool) -> Reply {
    let asked = asked::asked(fields, streamed);
    let mut answer = call.behaviour.answer.clone();
    answer.reasoning &= asked::thinks(fields);
    let choice = Choice::of(&answer, &asked);
    let paths = check::list(fields.get("additionalModelResponseFieldPaths"));
    let written = reply::Written {
        id: call.id,
        choice: &choice,
        usage: (!answer.no_usage).then(|| choice.usage(asked.prompt, 1)),
        answer: &answer,
        tells_stop: paths.iter().any(|path| path == "/stop_sequence"),
    };
    if streamed {
        let done = !call.behaviour.wire.no_done;
        call.stream(written.stream(done).into_iter(), form(call))
    } else {
        call.text(written.plain())
    }
}

/// How this dialect's streams are written. Where a wait is named, they are throttled; else the model fails.
fn form(call: &Call) -> Form {
    Form {
        fault: error::event(call.behaviour.fault.retry_after.is_some()),
        frame: Frame::EventStream,
    }
}

fn object(body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(shape::unreadable("Unexpected field type")),
        Err(error) => Err(shape::unreadable(format!("Unexpected token: {error}"))),
    }
}

fn unknown() -> Refusal {
    Refusal::new(
        StatusCode::NOT_FOUND,
        "The requested operation is not known.",
    )
}
