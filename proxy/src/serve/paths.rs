//! Paths that a route maps by itself: sent to the path of a backend that it names, with query and body.

use std::borrow::Cow;
use std::cell::Cell;
use std::sync::Arc;

use bytes::Bytes;
use dragoman_config::PriceItem;
use http::{Method, Response, StatusCode};
use http_body::Body as _;
use hyper::body::Incoming;

use super::admission::{Going, Judged, Named, Question, Reaching, Reserved};
use super::body::Body;
use super::content::refuse_encoded;
use super::dispatch::Asked;
use super::error::{Blame, Refusal, bounded};
use super::mapped::{self, Mapped};
use super::{admission, call, collections, headers, judged, methods, mirror, path, relay, reply};
use crate::json;
use crate::state::backend::Backend;
use crate::state::dialect;
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
    let to = listed.leads_to(below);
    if asked.route().reading.models
        && collections::calls_unread(&asked.method, &to)
        && !lists(asked, entry, &to)
        && named_in(&to).is_none()
    {
        return Err(judged::unnamed(asked));
    }
    let reads = asked.judges_bodies() || entry.policies.judge_bodies() || entry.reading.models;
    if !reads || body.is_end_stream() {
        let named = named_in(&to);
        let question = Question::plainly(None, named.as_deref());
        return match admission::judge(asked, question).await? {
            Judged::Goes(going) => held(asked, way, below, Brought::Unread(body), going).await,
            Judged::Answered(answer) => Ok(answer),
        };
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
    let body = asked.whole(body).await?;
    let members = json::scan(&body, &relay::MEMBERS).ok();
    if members.is_none() && asked.judges_bodies() {
        return Err(judged::unread(asked));
    }
    let entry = way.1;
    let to = way.0.leads_to(below);
    // The path's own counts, whatever the body says besides.
    let in_path = named_in(&to);
    let in_body = members.as_ref().and_then(|it| it.text(&body, "model"));
    let model = in_path.clone().or(in_body);
    if model.is_none() && asked.route().reading.models && !lists(asked, entry, &to) {
        return Err(judged::unnamed(asked));
    }
    let price = |model: &str, _: Option<&Bytes>| price(entry, model);
    let question = Question {
        price: &price,
        ..Question::plainly(members.is_some().then_some(&body), model.as_deref())
    };
    let mut going = match admission::judge(asked, question).await? {
        Judged::Goes(going) => going,
        Judged::Answered(answer) => return Ok(answer),
    };
    let mut changed = going.body.take().unwrap_or_else(|| body.clone());
    if let Some(model) = &going.model {
        if in_path.is_some_and(|named| *named != **model) {
            // Another in the body would change nothing.
            return Err(judged::unnamed(asked));
        }
        changed = call::renamed(&changed, model).map_err(Refusal::malformed)?;
    }
    held(asked, way, below, Brought::Read(changed), going).await
}

/// The model that a path of an API that is known names.
fn named_in(to: &str) -> Option<Cow<'_, str>> {
    path::classify(path::after_base(to)).model()
}

/// Whether the owner of `entry`'s backend lists what is asked of it.
fn lists(asked: &Asked, entry: &RouteBackend, to: &str) -> bool {
    let backend = entry.backend.as_ref();
    backend.is_ok_and(|backend| backend.lists(&asked.method, to))
}

/// What the model costs that `entry`'s upstream knows by this name.
fn price(entry: &RouteBackend, model: &str) -> Option<PriceItem> {
    entry.names.price(Named::directly(entry, model).bare)
}

/// Sends it on, under the limits that it was counted under.
async fn held(
    asked: &Asked,
    way: (&Path, &RouteBackend),
    below: &str,
    body: Brought,
    going: Going,
) -> Result<Response<Body>, Refusal> {
    let counts =
        going.reserved.as_ref().is_some_and(Reserved::counts) || asked.route().backends_count();
    let tells = counts && matches!(body, Brought::Read(_));
    // A client that leaves from here on pays for its prompt.
    let mut meter = admission::meter(None, going.reserved);
    match send(asked, way, below, body, tells).await {
        Ok((answered, reserved, price)) => {
            let mut meter = admission::meter(meter, reserved);
            if let (Some(meter), Some(price)) = (&mut meter, price) {
                meter.price(price);
            }
            Ok(admission::held(answered, meter, tells))
        }
        Err(refusal) => {
            if let Some(meter) = &mut meter {
                meter.refund();
            }
            Err(refusal)
        }
    }
}

/// A body that is sent on.
enum Brought {
    /// As it comes.
    Unread(Incoming),
    /// Read and judged.
    Read(Bytes),
}

/// Sends it on. `tells`: the reply is looked into for what it used.
async fn send(
    asked: &Asked,
    (listed, entry): (&Path, &RouteBackend),
    below: &str,
    body: Brought,
    tells: bool,
) -> Result<(Response<Body>, Option<Reserved>, Option<PriceItem>), Refusal> {
    let Ok(backend) = &entry.backend else {
        return Err(call::unusable(asked.route(), listed.backend));
    };
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
            RequestBody::Bytes(asked.whole(body).await?)
        }
        Brought::Unread(body) => relay::stream(asked, None, body),
    };
    let target = match asked.uri.query() {
        Some(query) => format!("{to}?{query}"),
        None => to.clone().into_owned(),
    };
    let target = if listed.says_where() {
        backend.withheld(target.into())
    } else {
        backend.passed(target.into())
    };
    let target = backend.settings.endpoint.join(&target);
    let looks_into = tells || mapped.is_some();
    let mut request = Request {
        method: asked.method.clone(),
        path: target.map_err(|_| call::bad_path())?,
        headers: headers::upstream(asked.headers().clone(), backend, looks_into),
        body,
    };
    let map = |request: &mut Request| {
        let Some(mapped) = &mapped else {
            return Ok(());
        };
        let before = request.path.clone();
        mapped.request(request, backend)?;
        // An expression of the route's is no way around what the backend lists.
        let below = below_base(request, backend);
        if request.path != before && !backend.relays(&asked.method, below) {
            return Err(not_listed(asked, &entry.name, below));
        }
        Ok(())
    };
    // The backend's policies judge what the route's Mapper makes; its own comes after them.
    let of_route = listed.mapper.is_some();
    if of_route {
        map(&mut request)?;
    }
    let reads = tells || entry.policies.judge_bodies() || entry.reading.models;
    let json = reads.then(|| relay::object(&request.body)).flatten();
    let members = json.and_then(|body| Some((body, json::scan(body, &relay::MEMBERS).ok()?)));
    let reaches = below_base(&request, backend);
    let in_path = named_in(reaches);
    let unread_path = in_path.is_none() && collections::calls_unread(&asked.method, reaches);
    let in_body = || members.and_then(|(body, members)| members.text(body, "model"));
    let model = in_path.or_else(in_body);
    let named = model.as_deref().map(|model| Named::directly(entry, model));
    let has_body = !matches!(request.body, RequestBody::Empty);
    let reaching = Reaching {
        path: reaches,
        body: json,
        unread: json.is_none() && has_body,
        unnamed: unread_path || (has_body && named.is_none()),
        model: named,
    };
    let admitted = admission::of_backend(asked, entry, reaching).await?;
    let price = named.and_then(|named| entry.names.price(named.bare));
    if backend.passes_credentials() {
        admitted.withhold(&mut request.headers);
    }
    if !of_route {
        map(&mut request)?;
    }
    let outcome = asked.sender().send(backend, || Ok(request)).await?;
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
    Ok((answered, admitted.reserved, price))
}

/// The path of a request below the backend's base URL.
fn below_base<'r>(request: &'r Request, backend: &Backend) -> &'r str {
    let (path, base) = (request.path.path(), backend.settings.endpoint.base_path());
    path.strip_prefix(base).unwrap_or(path)
}

fn not_listed(asked: &Asked, backend: &str, to: &str) -> Refusal {
    let to = bounded(to, 256);
    let (status, why) = if to.strip_prefix("/api/").is_some_and(dialect::manages) {
        (
            StatusCode::FORBIDDEN,
            "which changes which models a server has",
        )
    } else {
        (StatusCode::NOT_FOUND, "which has a credential of ours")
    };
    let message = format!(
        "This path leads to {to} of backend {backend:?}, {why}, and its spec.relay (LLMBackend) does not list {} {to}.",
        asked.method
    );
    Refusal::client(status, relay::NOT_RELAYED, message)
}
