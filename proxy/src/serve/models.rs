//! The list of models: the union of what the route's backends list, under the names that its clients see.

use std::borrow::Cow;
use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dragoman_config::names::Entry;
use futures::future::join_all;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::admission::{Named, Reaching};
use super::dispatch::Asked;
use super::error::{Blame, Refusal};
use super::worker::Worker;
use super::{admission, attempt, call, candidates, headers, upstream_list};
use crate::access::policy::{Policies, Policy};
use crate::state::backend::{Backend, CREDENTIAL_HEADERS, Credential};
use crate::state::dialect;
use crate::state::key_verdict::{self, Purpose, Refused};
use crate::state::listing::{Failure, Listing, Outcome, Turn, Whose};
use crate::state::route::RouteBackend;
use crate::upstream::{Fault, Request, RequestBody};

/// How long one backend may take for its list.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest page of a list that is read.
const LONGEST: usize = 16 << 20;
/// The most pages of a list that are read.
const PAGES: usize = 16;

/// The route's list, as its clients see it.
///
/// # Errors
/// When no backend gives a list and nothing is listed without one.
pub(crate) async fn listed(asked: &Asked) -> Result<Vec<Entry>, Refusal> {
    let (entries, failure) = entries(asked).await?;
    match failure {
        Some(failure) if entries.is_empty() => Err(told(&failure.first)),
        _ => Ok(entries),
    }
}

/// The entry of the list that clients know by one of these names, the first that there is.
///
/// # Errors
/// 404 when the list has no such model, as far as it is known; when no backend gave one, why.
pub(crate) async fn find(asked: &Asked, names: &[&str]) -> Result<Entry, Refusal> {
    let (mut entries, failure) = entries(asked).await?;
    let at = |name: &&str| {
        let mut ids = entries.iter().map(|entry| entry.get("id"));
        ids.position(|id| id.is_some_and(|id| id == *name))
    };
    match (names.iter().find_map(at), failure) {
        (Some(at), _) => Ok(entries.swap_remove(at)),
        (None, Some(failure)) if failure.of_all => Err(told(&failure.first)),
        (None, _) => Err(Refusal::no_model(names.first().unwrap_or(&""))),
    }
}

fn told(failure: &Failure) -> Refusal {
    let message = format!("No list of models could be had: {}.", failure.message);
    let failed = failure.status.is_server_error();
    let blame = match failure.of_our_key {
        true => Blame::Proxy,
        false if failed => Blame::Upstream,
        false => Blame::Client,
    };
    let retry = failed && !failure.of_our_key;
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
    let mut refused = HashSet::new();
    let mut fetches = Vec::with_capacity(route.backends.len());
    for entry in &route.backends {
        let known: Result<_, Failure> = match &entry.backend {
            Ok(backend) if entry.policies.are_none() => Ok((backend, Cow::Borrowed(&headers))),
            // Whom the backend's own policies do not admit sees nothing of it, and what they take goes no further.
            Ok(backend) => {
                let reached = admission::of_backend(asked, entry, Reaching::default());
                match reached.await {
                    Ok(mut admitted) => {
                        // A list takes no place that the next backend's may need.
                        admitted.give_back(asked);
                        let mut headers = headers.clone();
                        admitted.withhold(&mut headers);
                        Ok((backend, Cow::Owned(headers)))
                    }
                    Err(refusal) => {
                        refused.insert(entry.name.as_str());
                        Err(Failure::new(refusal.status, refusal.message.into_owned()))
                    }
                }
            }
            Err(why) => {
                let why = format!("backend {:?} cannot be used: {why}", entry.name);
                Err(Failure::new(StatusCode::SERVICE_UNAVAILABLE, why))
            }
        };
        fetches.push(async move {
            let (backend, headers) = known?;
            fetch(&asked.worker, backend, &headers, ttl).await
        });
    }
    let outcomes = join_all(fetches).await;
    if candidates::for_path(route, |_| true).is_err() {
        return Err(call::unusable(route, 0));
    }
    let of_all = outcomes.iter().all(Result::is_err);
    let mut failure = None;
    let mut parts = Vec::new();
    for (entry, outcome) in route.backends.iter().zip(outcomes) {
        // What the catalog declares stands there without the upstream's word.
        let listed = outcome.as_ref().map_or(&[][..], |listing| &listing.entries);
        if refused.contains(entry.name.as_str()) {
            continue;
        }
        let mut listed = entry.names.list(listed.iter().cloned());
        match &entry.policies {
            Policies::Apply(policies) if policies.is_empty() => {}
            Policies::Apply(policies) => listed.retain(|model| admits(entry, policies, model)),
            Policies::Closed(_) => listed.clear(),
        }
        parts.extend(listed);
        if let Err(fault) = outcome {
            failure.get_or_insert(fault);
        }
    }
    let missing = failure.map(|first| Missing { first, of_all });
    let has = |backend: &str| route.backend(backend).is_some();
    let mut listed = names.list(parts, has);
    listed.retain(|entry| admitted(asked.policies(), entry));
    Ok((listed, missing))
}

/// Whether the policies let the model of an entry be called.
fn admitted(policies: &[Arc<Policy>], entry: &Entry) -> bool {
    let name = entry.get("id").and_then(Value::as_str);
    policies.is_empty() || name.is_some_and(|name| admission::lists(policies, name, &[]))
}

/// The same of a backend's own policies, which judge every name of it.
fn admits(entry: &RouteBackend, policies: &[Arc<Policy>], model: &Entry) -> bool {
    let client = model.get("id").and_then(Value::as_str);
    let named = client.and_then(|client| {
        let bare = entry.names.bare(client)?;
        Some(Named {
            client,
            bare,
            upstream: entry.names.upstream(bare),
        })
    });
    named.is_some_and(|named| admission::lists(policies, named.bare, &named.others(entry)))
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

/// Asks a backend in the background for its list, although it may be known: whether that is refused as a call was tells a key that no
/// longer counts from one that does not open what was called.
pub(crate) fn look_into(worker: &Rc<Worker>, backend: &Arc<Backend>) {
    let (worker, backend) = (Rc::clone(worker), Arc::clone(backend));
    tokio::task::spawn_local(async move {
        // What is learnt of it is all that is wanted.
        let _ = ask(&worker, &backend, &HeaderMap::new()).await;
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
                    let why = &failure.message;
                    // What was told as a verdict on the key is no news with each list.
                    if failure.of_our_key && backend.lasting.health.key().refuses() {
                        tracing::debug!(backend = %backend.name, "no list of models: {why}");
                    } else {
                        tracing::warn!(backend = %backend.name, "no list of models: {why}");
                    }
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
    let end = Instant::now() + PATIENCE;
    let Some(first) = dialect::models(backend.dialect) else {
        return Ok(Listing::none());
    };
    let mut path = Cow::Borrowed(first);
    let mut entries = Vec::new();
    for _ in 0..PAGES {
        let Some(body) = page(worker, backend, client, &path, end).await? else {
            return Ok(Listing::none());
        };
        let page = upstream_list::read(backend.dialect, &body)
            .ok_or_else(|| failed(format!("{} gave no list of models", backend.name)))?;
        entries.extend(page.entries);
        match page.next {
            None => return Ok(Listing::of(backend.dialect, entries)),
            Some(next) => path = Cow::Owned(format!("{first}&{next}")),
        }
    }
    Err(failed(format!(
        "the list of {} has too many pages",
        backend.name
    )))
}

/// One page of a backend's list; none of one that has no list.
async fn page(
    worker: &Worker,
    backend: &Arc<Backend>,
    client: &HeaderMap,
    path: &str,
    end: Instant,
) -> Result<Option<Bytes>, Failure> {
    let failed = |why: String| Failure::new(StatusCode::BAD_GATEWAY, why);
    let cluster = worker
        .cluster(backend)
        .map_err(|fault| failed(fault.to_string()))?;
    let path = backend
        .settings
        .endpoint
        .join(path)
        .map_err(|fault| failed(fault.to_string()))?;
    let mut headers = headers::upstream(client.clone(), backend, true);
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    let mut request = Request {
        method: Method::GET,
        path,
        headers,
        body: RequestBody::Empty,
    };
    let sent = cluster
        .send_following(&mut request, &backend.secrets, Some(end))
        .await;
    if attempt::learn(backend, &sent, Purpose::List) == Some(Refused::Turned) {
        let why = key_verdict::words(&backend.name);
        tracing::warn!(backend = %backend.name, kind = "key_refused", "{why}");
    }
    let reply = sent.map_err(|fault| unreachable(backend, &fault))?;
    match reply.status.as_u16() {
        200..=299 => {}
        404 | 405 | 501 => return Ok(None),
        status => {
            // As with calls: a 403 is about what the configured key may, too.
            let of_our_key = matches!(status, 401 | 403) && backend.sends_own_key_only();
            let said = if attempt::refuses_our_key(backend, &reply) {
                key_verdict::words(&backend.name)
            } else {
                format!("{} answered {}", backend.name, reply.status)
            };
            // A client's own key that the upstream refuses is the client's to know of.
            let theirs = matches!(backend.credential, Credential::Passthrough);
            let status = if theirs && status < 500 {
                reply.status
            } else {
                StatusCode::BAD_GATEWAY
            };
            return Err(Failure {
                of_our_key,
                ..Failure::new(status, said)
            });
        }
    }
    let body = reply
        .body
        .collect(LONGEST)
        .await
        .map_err(|fault| unreachable(backend, &fault))?;
    let body = body.ok_or_else(|| failed(format!("the list of {} is too long", backend.name)))?;
    Ok(Some(body))
}

/// In words that name no address.
fn unreachable(backend: &Backend, fault: &Fault) -> Failure {
    let refusal = Refusal::upstream("", fault);
    Failure::new(
        refusal.status,
        format!("{} did not give one ({})", backend.name, fault.kind()),
    )
}
