//! An API server for tests: a function from requests to answers.

use std::convert::Infallible;

use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

/// What the API server answers.
pub(crate) type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// A client whose requests, with their bodies, `answer` answers.
pub(crate) fn client(answer: impl Fn(Request<Value>) -> Answer + Clone + Send + 'static) -> Client {
    let service = tower::service_fn(move |request: Request<Body>| {
        let answer = answer.clone();
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let body = serde_json::from_slice(&body).unwrap_or_default();
            Ok::<_, Infallible>(answer(Request::from_parts(head, body)))
        }
    });
    Client::new(service, "default")
}

/// An object, or a list of them.
pub(crate) fn object(value: &Value) -> Answer {
    lines(200, std::slice::from_ref(value), false)
}

/// A refusal, as the API server words it.
pub(crate) fn refusal(code: u16, reason: &str) -> Answer {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": reason, "reason": reason, "code": code,
    });
    lines(code, &[status], false)
}

/// Events of a watch that goes on after them.
pub(crate) fn events(events: &[Value]) -> Answer {
    lines(200, events, true)
}

fn lines(code: u16, values: &[Value], goes_on: bool) -> Answer {
    let lines: Vec<Bytes> = values
        .iter()
        .map(|value| format!("{value}\n").into())
        .collect();
    let rest = if goes_on {
        stream::pending().left_stream()
    } else {
        stream::empty().right_stream()
    };
    let frames = stream::iter(lines)
        .chain(rest)
        .map(|line| Ok(Frame::data(line)));
    let mut answer = Response::new(UnsyncBoxBody::new(StreamBody::new(frames)));
    *answer.status_mut() = code.try_into().unwrap();
    answer
}
