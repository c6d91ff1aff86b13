//! Sends a request to one backend after another until one answers: retries, failover, and what each backend's health learns.

use std::sync::Arc;

use dragoman_crds::RetryOn;
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, StatusCode};

use super::worker::Worker;
use crate::state::backend::Backend;
use crate::state::health::Severity;
use crate::state::route::Route;
use crate::upstream::{Fault, Phase, Reply, Request, RequestBody};

/// What is sent, to be made for each attempt anew.
pub(crate) struct Outgoing {
    pub(crate) method: Method,
    pub(crate) path: PathAndQuery,
    pub(crate) headers: HeaderMap,
    pub(crate) body: RequestBody,
}

/// What came of a backend, its retries included.
pub(crate) type Outcome = Result<Reply, Fault>;

/// Whether another backend may do better than one that answered so.
pub(crate) fn fails_over(outcome: &Outcome) -> bool {
    match outcome {
        Ok(reply) => is_unavailable(reply.status),
        Err(Fault::DeniedAddress { .. }) => true,
        Err(fault) => fault.retryable() && !fault.reply_began(),
    }
}

fn is_unavailable(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502..=504)
}

/// Sends to one backend, and again as its `retries` say.
pub(crate) async fn send(
    worker: &Worker,
    route: &Route,
    backend: &Arc<Backend>,
    outgoing: Outgoing,
) -> Outcome {
    let cluster = worker.cluster(backend).map_err(|fault| Fault::Closed(fault.to_string()))?;
    let Outgoing { method, path, headers, mut body } = outgoing;
    let mut left = if body.replayable() { backend.retries.attempts } else { 0 };
    loop {
        // The last attempt takes what the earlier ones only lend.
        if left == 0 {
            let request = Request { method, path, headers, body };
            let outcome = cluster.send(request, None).await;
            note(worker, route, backend, &outcome);
            return outcome;
        }
        let again = body.replay().unwrap_or(RequestBody::Empty);
        let request = Request {
            method: method.clone(),
            path: path.clone(),
            headers: headers.clone(),
            body: std::mem::replace(&mut body, again),
        };
        let outcome = cluster.send(request, None).await;
        note(worker, route, backend, &outcome);
        if !retries(&backend.retries.on, &outcome) {
            return outcome;
        }
        left -= 1;
    }
}

fn retries(on: &[RetryOn], outcome: &Outcome) -> bool {
    let kind = match outcome {
        Ok(reply) if is_unavailable(reply.status) => RetryOn::Unavailable,
        Ok(_) | Err(Fault::Saturated { .. } | Fault::DeniedAddress { .. }) => return false,
        Err(fault) if fault.before_sending() => RetryOn::ConnectFailure,
        Err(Fault::Closed(_)) => RetryOn::Reset,
        Err(Fault::Timeout { phase: Phase::FirstByte, .. }) => RetryOn::Timeout,
        Err(_) => return false,
    };
    on.contains(&kind)
}

fn note(worker: &Worker, route: &Route, backend: &Backend, outcome: &Outcome) {
    if let Err(fault) = outcome {
        route.metrics.upstream_failed(worker.thread, fault.kind());
    }
    learn(backend, outcome);
}

/// What a backend's health learns of an exchange.
pub(crate) fn learn(backend: &Backend, outcome: &Outcome) {
    let health = &backend.lasting.health;
    match outcome {
        // A 429 says that the caller is too fast, not that the backend is ill.
        Ok(reply) if matches!(reply.status.as_u16(), 502..=504) => {
            health.failed(Severity::Failing, &format!("it answered {}", reply.status));
        }
        Ok(_) => health.succeeded(),
        Err(Fault::RequestBody(_) | Fault::Saturated { .. }) => {}
        Err(fault) if fault.before_sending() => health.failed(Severity::Down, &fault.to_string()),
        Err(fault) => health.failed(Severity::Failing, &fault.to_string()),
    }
}
