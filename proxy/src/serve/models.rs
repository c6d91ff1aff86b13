//! The list of models: the union of what the route's backends list, under the names that its clients see.
//!
//! Source: [OpenAI's models API](https://platform.openai.com/docs/api-reference/models).

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dragoman_config::names::Entry;
use futures::future::join_all;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::body::Body;
use super::dispatch::Asked;
use super::error::{Blame, Refusal};
use super::worker::Worker;
use super::{attempt, call, candidates, headers, path};
use crate::state::backend::{Backend, CREDENTIAL_HEADERS, Credential};
use crate::state::key_verdict::Purpose;
use crate::state::listing::{Failure, Listing, Outcome, Turn, Whose};
use crate::upstream::{Fault, Request, RequestBody};

/// How long one backend may take for its list.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest list that is read.
const LONGEST: usize = 16 << 20;

/// Answers `GET /v1/models`.
///
/// # Errors
/// When no backend gives a list and nothing is listed without one.
pub(crate) async fn list(asked: &Asked) -> Result<Response<Body>, Refusal> {
    let (entries, failure) = entries(asked).await?;
    if let Some(failure) = failure
        && entries.is_empty()
    {
        return Err(told(&failure.first));
    }
    let list = serde_json::json!({"object": "list", "data": entries});
    Ok(json(list.to_string()))
}

/// Answers `GET /v1/models/{id}` from the list.
///
/// # Errors
/// 404 when the list has no such model, as far as it is known; when no backend gave one, why.
pub(crate) async fn one(asked: &Asked, id: &str) -> Result<Response<Body>, Refusal> {
    let id = path::percent_decode(id);
    let (entries, failure) = entries(asked).await?;
    let found = entries
        .iter()
        .find(|entry| entry.get("id").is_some_and(|name| *name == *id));
    match (found, failure) {
        (Some(entry), _) => Ok(json(serde_json::to_string(entry).unwrap_or_default())),
        (None, Some(failure)) if failure.of_all => Err(told(&failure.first)),
        (None, _) => Err(Refusal::no_model(&id)),
    }
}

fn json(text: String) -> Response<Body> {
    let mut response = Response::new(Body::whole(text.into()));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

fn told(failure: &Failure) -> Refusal {
    let message = format!("No list of models could be had: {}.", failure.message);
    let blame = if failure.status.is_server_error() {
        Blame::Upstream
    } else {
        Blame::Client
    };
    let retry = failure.status.is_server_error();
    Refusal {
        blame,
        retry,
        ..Refusal::client(failure.status, "models_unavailable", message)
    }
}

/// What is missing of the route's list.
struct Missing {
    /// Why the first of the parts that are missing is.
    first: Failure,
    /// Whether every part is.
    of_all: bool,
}

/// The route's list, and what is missing of it.
async fn entries(asked: &Asked) -> Result<(Vec<Entry>, Option<Missing>), Refusal> {
    let route = asked.route();
    let names = call::names(route)?;
    let ttl = Duration::from_millis(names.cache_ttl_ms);
    let headers = asked.headers().clone();
    let outcomes = join_all(
        route
            .backends
            .iter()
            .map(async |entry| match &entry.backend {
                Ok(backend) => fetch(&asked.worker, backend, &headers, ttl).await,
                Err(why) => {
                    let why = format!("backend {:?} cannot be used: {why}", entry.name);
                    Err(Failure::new(StatusCode::SERVICE_UNAVAILABLE, why))
                }
            }),
    );
    let outcomes = outcomes.await;
    if candidates::for_path(route, |_| true).is_err() {
        return Err(call::unusable(route, 0));
    }
    let of_all = outcomes.iter().all(Result::is_err);
    let mut failure = None;
    let mut parts = Vec::new();
    for (entry, outcome) in route.backends.iter().zip(outcomes) {
        // What the catalog declares stands there without the upstream's word.
        let listed = outcome.as_ref().map_or(&[][..], |listing| &listing.entries);
        parts.extend(entry.names.list(listed.iter().cloned()));
        if let Err(fault) = outcome {
            failure.get_or_insert(fault);
        }
    }
    let missing = failure.map(|first| Missing { first, of_all });
    let has = |backend: &str| route.backend(backend).is_some();
    Ok((names.list(parts, has), missing))
}

/// Whose list a client sees of a backend.
pub(crate) fn whose(client: &HeaderMap, backend: &Backend) -> Whose {
    if !matches!(backend.credential, Credential::Passthrough) {
        return None;
    }
    let mut hash = Sha256::new();
    for name in &CREDENTIAL_HEADERS {
        for value in client.get_all(name) {
            hash.update(name.as_str());
            hash.update([0]);
            hash.update(value.as_bytes());
            hash.update([0]);
        }
    }
    Some(hash.finalize().into())
}

/// Looks after a backend's list in the background, so that calls go where their model is.
pub(crate) fn look_after(
    worker: &Rc<Worker>,
    backend: &Arc<Backend>,
    client: &HeaderMap,
    ttl: Duration,
) {
    const SELDOM: Duration = Duration::from_secs(30);
    if backend.lasting.health.left_out() || !backend.listings.is_due(ttl.max(SELDOM)) {
        return;
    }
    let client = credentials(client, backend);
    let (worker, backend) = (Rc::clone(worker), Arc::clone(backend));
    tokio::task::spawn_local(async move {
        // What comes of it is kept, or was told already.
        let _ = fetch(&worker, &backend, &client, ttl).await;
    });
}

fn credentials(client: &HeaderMap, backend: &Backend) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if matches!(backend.credential, Credential::Passthrough) {
        for name in &CREDENTIAL_HEADERS {
            for value in client.get_all(name) {
                headers.append(name.clone(), value.clone());
            }
        }
    }
    headers
}

async fn fetch(
    worker: &Rc<Worker>,
    backend: &Arc<Backend>,
    client: &HeaderMap,
    ttl: Duration,
) -> Outcome {
    let whose = whose(client, backend);
    let flight = match backend.listings.turn(whose, ttl) {
        Turn::Kept(listing) => return Ok(listing),
        Turn::Wait(flight) => flight,
        Turn::Fetch(sender, flight) => {
            let client = credentials(client, backend);
            let (worker, backend) = (Rc::clone(worker), Arc::clone(backend));
            // On its own: that the client who asked first leaves is nothing to those who wait.
            tokio::task::spawn_local(async move {
                let outcome = ask(&worker, &backend, &client).await;
                if let (Ok(listing), None) = (&outcome, whose) {
                    backend
                        .lasting
                        .health
                        .lists(u32::try_from(listing.entries.len()).unwrap_or(u32::MAX));
                }
                if let Err(failure) = &outcome {
                    tracing::warn!(backend = %backend.name, "no list of models: {}", failure.message);
                }
                backend
                    .listings
                    .landed(whose, &sender, outcome.map(Arc::new));
            });
            flight
        }
    };
    flight.outcome().await
}

async fn ask(
    worker: &Worker,
    backend: &Arc<Backend>,
    client: &HeaderMap,
) -> Result<Listing, Failure> {
    let failed = |why: String| Failure::new(StatusCode::BAD_GATEWAY, why);
    let cluster = worker
        .cluster(backend)
        .map_err(|fault| failed(fault.to_string()))?;
    let path = backend
        .settings
        .endpoint
        .join("/models")
        .map_err(|fault| failed(fault.to_string()))?;
    let mut headers = headers::upstream(client.clone(), backend, true);
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    let mut request = Request {
        method: Method::GET,
        path,
        headers,
        body: RequestBody::Empty,
    };
    let end = Instant::now() + PATIENCE;
    let sent = cluster
        .send_following(&mut request, &backend.secrets, Some(end))
        .await;
    attempt::learn(backend, &sent, Purpose::List);
    let reply = sent.map_err(|fault| unreachable(backend, &fault))?;
    match reply.status.as_u16() {
        200..=299 => {}
        404 | 405 | 501 => return Ok(Listing::none()),
        status => {
            let said = format!("{} answered {}", backend.name, reply.status);
            // A client's own key that the upstream refuses is the client's to know of.
            let theirs = matches!(backend.credential, Credential::Passthrough);
            let status = if theirs && status < 500 {
                reply.status
            } else {
                StatusCode::BAD_GATEWAY
            };
            return Err(Failure::new(status, said));
        }
    }
    let body = reply
        .body
        .collect(LONGEST)
        .await
        .map_err(|fault| unreachable(backend, &fault))?;
    let body = body.ok_or_else(|| failed(format!("the list of {} is too long", backend.name)))?;
    read(&body).ok_or_else(|| failed(format!("{} gave no list of models", backend.name)))
}

/// In words that name no address.
fn unreachable(backend: &Backend, fault: &Fault) -> Failure {
    let refusal = Refusal::upstream("", fault);
    Failure::new(
        refusal.status,
        format!("{} did not give one ({})", backend.name, fault.kind()),
    )
}

fn read(body: &Bytes) -> Option<Listing> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Shape {
        OpenAi { data: Vec<Entry> },
        Bare(Vec<Entry>),
    }
    match serde_json::from_slice(body).ok()? {
        Shape::OpenAi { data } | Shape::Bare(data) => Some(Listing::new(data)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_with_all_its_fields_in_their_order() {
        let listing =
            read(&r#"{"object":"list","data":[{"z":1,"id":"a","permission":[{}]}]}"#.into())
                .unwrap();
        assert_eq!(
            serde_json::to_string(&listing.entries).unwrap(),
            r#"[{"z":1,"id":"a","permission":[{}]}]"#
        );
        assert!(listing.lacks("b") && !listing.lacks("a"));
        assert!(read(&r#"[{"id":"a"}]"#.into()).is_some());
        assert!(read(&"<html>".into()).is_none());
        assert!(!Listing::none().lacks("anything"));
    }
}
