//! Paths that a route maps by itself: sent to the path of a backend that it names, with query and body.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use http_body::Body as _;
use hyper::body::Incoming;

use super::admission::{Judged, Question};
use super::body::Body;
use super::content::refuse_encoded;
use super::dispatch::Asked;
use super::error::{Blame, Refusal, bounded};
use super::mapped::{self, Mapped};
use super::{admission, call, headers, intake, judged, methods, mirror, path, relay, reply};
use crate::json;
use crate::state::paths::Path;
use crate::state::route::RouteBackend;
use crate::upstream::{Request, RequestBody};

/// Answers a request of the path at `listed` of the route's path map. `below` stands after the base URL.
pub(crate) async fn answer(
    asked: &Asked,
    listed: usize,
    below: &str,
    body: Incoming,
) -> Result<Response<Body>, Refusal> {
    let route = asked.route();
    call::names(route)?;
    if asked.method == Method::TRACE {
        return methods::judge(asked)
            .map(|answered| answered.unwrap_or_else(methods::options_of_all));
    }
    if path::has_encoded_slash(below) {
        let message = "The path holds an encoded slash, which servers read in different ways.";
        let status = StatusCode::BAD_REQUEST;
        return Err(Refusal::client(status, "ambiguous_path", message));
    }
    let found = route.paths.get(listed);
    let found = found.and_then(|path| Some((path, route.backends.get(path.backend)?)));
    let Some((listed, entry)) = found else {
        return Err(call::unusable(route, usize::MAX));
    };
    if let Some(why) = &listed.unusable {
        let message = format!("LLMRoute {} cannot serve this path: {why}.", route.key);
        return Err(Refusal::unavailable(Blame::Proxy, "path_unusable", message));
    }
    judged::refuse_unread(asked)?;
    let way = (listed, entry);
    if asked.policies().is_empty() {
        return send(asked, way, below, Brought::Unread(body)).await;
    }
    if body.is_end_stream() || !asked.judges_bodies() {
        let answered = send(asked, way, below, Brought::Unread(body));
        return Box::pin(admission::judged(asked, answered)).await;
    }
    Box::pin(read(asked, way, below, body)).await
}

/// Sends on what policies have read and judged: a path that a route maps by itself is no way around them.
async fn read(
    asked: &Asked,
    way: (&Path, &RouteBackend),
    below: &str,
    body: Incoming,
) -> Result<Response<Body>, Refusal> {
    refuse_encoded(&asked.headers())?;
    let body = intake::whole(body, asked.state.proxy.body_bytes).await?;
    let Ok(members) = json::scan(&body, &relay::MEMBERS) else {
        return Err(judged::unread(asked));
    };
    let model = members.text(&body, "model");
    let question = Question {
        body: Some(&body),
        model: model.as_deref(),
        told: None,
    };
    let mut going = match admission::judge(asked, question).await? {
        Judged::Goes(going) => going,
        Judged::Answered(answer) => return Ok(answer),
    };
    let mut changed = going.body.take().unwrap_or_else(|| body.clone());
    if let Some(model) = &going.model {
        changed = call::renamed(&changed, model).map_err(Refusal::malformed)?;
    }
    let answered = send(asked, way, below, Brought::Read(changed)).await?;
    Ok(going.holds(answered))
}

/// A body that is sent on.
enum Brought {
    /// As it comes.
    Unread(Incoming),
    /// Read and judged.
    Read(Bytes),
}

/// Sends it on.
async fn send(
    asked: &Asked,
    (listed, entry): (&Path, &RouteBackend),
    below: &str,
    body: Brought,
) -> Result<Response<Body>, Refusal> {
    let Ok(backend) = &entry.backend else {
        return Err(call::unusable(asked.route(), listed.backend));
    };
    let admitted = admission::of_backend(asked, entry, None, None).await?;
    let to = listed.leads_to(below);
    if !backend.relays(&asked.method, &to) {
        return Err(not_listed(asked, &entry.name, &to));
    }
    let mapper = listed.mapper.as_ref().or(backend.mapper.as_ref());
    let mapped = mapper.map(|mapper| Mapped {
        mapper: Arc::clone(mapper),
        // What comes back goes to the client as it is, not through a dialect.
        dialect: dragoman_crds::Dialect::OpenAI,
        operation: mapped::operation(None, false),
        model: String::new(),
        stream: Cell::new(None),
        headers: mapped::read_headers(mapper, &asked.headers()),
    });
    let body = match body {
        Brought::Read(body) => RequestBody::Bytes(body),
        Brought::Unread(body) if body.is_end_stream() => RequestBody::Empty,
        Brought::Unread(body) if mapped.is_some() => {
            refuse_encoded(&asked.headers())?;
            RequestBody::Bytes(intake::whole(body, asked.state.proxy.body_bytes).await?)
        }
        Brought::Unread(body) => relay::stream(None, body),
    };
    let body = RefCell::new(Some(body));
    let make = || {
        let to = match asked.uri.query() {
            Some(query) => format!("{to}?{query}"),
            None => to.clone().into_owned(),
        };
        let to = if listed.says_where() {
            backend.withheld(to.into())
        } else {
            backend.passed(to.into())
        };
        let to = backend.settings.endpoint.join(&to);
        let mut request = Request {
            method: asked.method.clone(),
            path: to.map_err(|_| call::bad_path())?,
            headers: headers::upstream(asked.headers().clone(), backend, mapped.is_some()),
            body: body.take().unwrap_or(RequestBody::Empty),
        };
        if backend.passes_credentials() {
            admitted.withhold(&mut request.headers);
        }
        if let Some(mapped) = &mapped {
            let before = request.path.clone();
            mapped.request(&mut request, backend)?;
            // An expression of the route's is no way around what the backend lists.
            let (below, base) = (request.path.path(), backend.settings.endpoint.base_path());
            let below = below.strip_prefix(base).unwrap_or(below);
            if request.path != before && !backend.relays(&asked.method, below) {
                return Err(not_listed(asked, &entry.name, below));
            }
        }
        Ok(request)
    };
    let outcome = asked.sender().send(backend, make).await?;
    let reply = outcome.map_err(|fault| Refusal::upstream(&entry.name, &fault))?;
    let reply = match mapped {
        Some(mapped) => mapped.reply(reply, &entry.name, backend).await?,
        None => reply,
    };
    let masks = reply.status.as_u16() >= 400
        && asked.method != Method::HEAD
        && backend.has_own_credential();
    let answered = if masks {
        mirror::relayed(reply, backend).await
    } else {
        reply::relay(reply, asked, &entry.name)
    };
    Ok(admitted.holds(answered))
}

fn not_listed(asked: &Asked, backend: &str, to: &str) -> Refusal {
    let to = bounded(to, 256);
    let message = format!(
        "This path leads to {to} of backend {backend:?}, which has a credential of ours, and its spec.relay (LLMBackend) does not list {} {to}.",
        asked.method
    );
    Refusal::client(StatusCode::NOT_FOUND, relay::NOT_RELAYED, message)
}
