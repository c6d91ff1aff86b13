//! From a request's head to whoever answers it.

use std::cell::{Ref, RefCell};
use std::convert::Infallible;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use dragoman_crds::Api;
use dragoman_dialects::Wire;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header};
use http_body::Body as _;
use hyper::body::Incoming;

use super::admission;
use super::apis::{self, Place};
use super::attempt::Sender;
use super::body::Body;
use super::cors::{self, Cross};
use super::delivery::Delivery;
use super::error::{Blame, Refusal, bounded};
use super::path::{self, Operation, Shown};
use super::request_id::{self, RequestId};
use super::tracked::Tracked;
use super::worker::{Pinned, Worker};
use super::{call, conversation, intake, listings, methods, ollama, paths, query, relay, replay};
use crate::access::address;
use crate::access::caller::Callers;
use crate::access::identity::Consumed;
use crate::access::limits::Counted;
use crate::access::policy::{Policies, Policy};
use crate::log::Notes;
use crate::state::backend::CREDENTIAL_HEADERS;
use crate::state::route::Route;
use crate::state::table::Found;

/// A request whose route is known.
pub(crate) struct Asked {
    pub(crate) id: RequestId,
    pub(crate) worker: Rc<Worker>,
    pub(crate) state: Pinned,
    /// Who sends it, and from where.
    pub(crate) callers: Callers,
    /// The credential headers as they came, for backends whose policies ask for them.
    pub(crate) credentials: HeaderMap,
    /// Under which counts it was counted, where backends have policies that count too.
    pub(crate) counted: RefCell<Counted>,
    /// The route's number.
    pub(crate) at: usize,
    pub(crate) method: Method,
    /// The client's headers; gone once the last request that they are for was made, since to copy them all is dear.
    pub(crate) headers: RefCell<HeaderMap>,
    /// What stands after the base URL, with a leading slash. Azure's own part of it is taken off.
    pub(crate) path: String,
    /// Azure's own part of the path, if it had one.
    pub(crate) azure: Option<Box<str>>,
    /// The model that Azure's part of the path named.
    pub(crate) deployment: Option<String>,
    /// The target as it was asked for.
    pub(crate) uri: Uri,
    /// What is noted of it for the log.
    pub(crate) notes: Notes,
}

impl Asked {
    pub(crate) fn route(&self) -> &Route {
        &self.state.routes[self.at]
    }

    /// The policies that apply to every request of the route.
    pub(crate) fn policies(&self) -> &[Arc<Policy>] {
        match &self.route().policies {
            Policies::Apply(policies) => policies,
            // A closed route was refused before.
            Policies::Closed(_) => &[],
        }
    }

    /// Whether a policy has something to say of bodies, which the model stands in.
    pub(crate) fn judges_bodies(&self) -> bool {
        self.route().reading.models || self.policies().iter().any(|policy| policy.judges_bodies())
    }

    /// The client's headers.
    pub(crate) fn headers(&self) -> Ref<'_, HeaderMap> {
        self.headers.borrow()
    }

    pub(crate) fn sender(&self) -> Sender<'_> {
        Sender {
            worker: &self.worker,
            route: self.route(),
            id: self.id,
            notes: Some(&self.notes),
        }
    }

    /// Reads the client's body whole.
    ///
    /// # Errors
    /// As for [`intake::whole`].
    pub(crate) async fn whole(&self, body: Incoming) -> Result<Bytes, Refusal> {
        let body = intake::whole(body, self.state.proxy.body_bytes).await?;
        if let Some(desk) = &self.worker.desk {
            self.notes.note(|draft| draft.asked(&body, desk));
        }
        Ok(body)
    }

    /// What stands after the base URL, with the query; without what a query says to Azure alone.
    pub(crate) fn path_and_query(&self) -> std::borrow::Cow<'_, str> {
        let query = match self.deployment {
            None => self.uri.query().map(Into::into),
            Some(_) => query::without(self.uri.query(), &["api-version"]),
        };
        match query {
            Some(query) => format!("{}?{query}", self.path).into(),
            None => self.path.as_str().into(),
        }
    }

    /// The path as the client knows it.
    pub(crate) fn shown_path(&self) -> &str {
        bounded(self.uri.path(), 256)
    }
}

/// Answers one request. Whatever happens is an answer.
pub(crate) async fn answer(
    worker: Rc<Worker>,
    peer: IpAddr,
    request: Request<Incoming>,
    delivery: Rc<Delivery>,
) -> Result<Response<Body>, Infallible> {
    let id = RequestId::new();
    let mut tracked = Tracked::begin(&worker, id, &request, &delivery);
    drop(delivery);
    let has_body = request.version() <= Version::HTTP_11 && !request.body().is_end_stream();
    // What an error looks like is the client's dialect's, and its path says which that is.
    let mut client = path::speaks(request.uri().path(), request.headers());
    let answered = route(worker, id, peer, request, &mut tracked, &mut client).await;
    tracked.notes().note(|draft| draft.speaks = client);
    let mut response = answered.unwrap_or_else(|refusal| {
        let fault = || format!("{}: {}", refusal.code, refusal.message);
        tracked.notes().note(|draft| draft.fault = Some(fault()));
        // A fault of an upstream was logged when it was met, and one of the client's is nobody's here.
        if refusal.blame == Blame::Proxy
            && let Some(line) = refusal.line()
        {
            tracing::warn!(request_id = %id, code = refusal.code, "{line}");
        }
        let mut response = refusal.response(client, id);
        if has_body && refusal.may_leave_the_body() {
            // Told beforehand, no client sends its next request on a connection that is about to close.
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        response
    });
    response
        .headers_mut()
        .insert(request_id::HEADER.clone(), id.header());
    tracked.mark(response.headers_mut());
    tracked.answered(&response);
    Ok(response.map(|body| body.tracked(tracked)))
}

async fn route(
    worker: Rc<Worker>,
    id: RequestId,
    peer: IpAddr,
    request: Request<Incoming>,
    tracked: &mut Tracked,
    client: &mut Wire,
) -> Result<Response<Body>, Refusal> {
    let (mut head, body) = request.into_parts();
    let state = worker.state();
    let host = host(&head)?;
    let plain = match path::plain(head.uri.path()) {
        Ok(plain) => plain,
        Err(_) if head.method == Method::OPTIONS && head.uri.path() == "*" => {
            return Ok(methods::options_of_all());
        }
        Err(fault) => {
            let (status, message) = (StatusCode::BAD_REQUEST, format!("Refused: {fault}."));
            return Err(Refusal::client(status, "ambiguous_path", message));
        }
    };
    let (at, below) = match state.find(host, &plain) {
        Found::Route(at, below) => (at, below),
        Found::Nothing(asked) => return Err(unknown(&asked)),
    };
    if let Some(closed) = state.closed(at) {
        // Nobody was let in yet: what is wrong with whose objects is told in the log and in status.
        let message = "The LLMRoute of this name cannot be used at the moment.";
        let code = "route_unusable";
        let refusal = Refusal::unavailable(Blame::Proxy, code, message);
        let fault = &closed.fault;
        return Err(refusal.told(&fault.told, || {
            format!("LLMRoute {} cannot be used: {}", closed.key, fault.why)
        }));
    }
    tracked.route(&state, at);
    let route = &state.routes[at];
    if let Some(rules) = &route.cors {
        if let Some(answer) = cors::preflight(rules, &head.method, &head.headers) {
            return Ok(answer);
        }
        tracked.cross(Cross::new(rules, &head.headers));
    }
    let policies = admission::applying(&route.policies, &format_args!("LLMRoute {}", route.key))?;
    let address = address::client(peer, &head.headers, &state.trusted);
    let notes = tracked.notes().clone();
    notes.note(|draft| draft.address = Some(address));
    let memory = worker.shared.memory();
    let entered = admission::enter(memory, route, policies, address, &head.headers).await?;
    notes.note(|draft| draft.user.clone_from(&entered.callers.first.user));
    let credentials = set_aside(route, &mut head.headers, entered.consumed);
    let is_root = matches!(below, "" | "/");
    let below = path::after_base(below);
    let listed = state.routes[at].paths.find(below);
    let listed = listed.map(|listed| (listed, below.to_owned()));
    let whole = below;
    let azures = path::azure(below);
    let (deployment, below) = azures.unwrap_or((None, below));
    let azure: Option<Box<str>> = azures.and_then(|_| Some(whole.strip_suffix(below)?.into()));
    let deployment = deployment.map(|name| path::percent_decode(name).into_owned());
    let mut path = String::with_capacity(below.len() + 1);
    path.push('/');
    path.push_str(below);
    let (method, headers) = (head.method, RefCell::new(head.headers));
    let uri = head.uri;
    let asked = Asked {
        id,
        worker,
        state: Rc::clone(&state),
        callers: entered.callers,
        credentials,
        counted: RefCell::default(),
        at,
        method,
        headers,
        path,
        azure,
        deployment,
        uri,
        notes,
    };
    asked
        .notes
        .note(|draft| draft.azure = asked.azure.is_some());
    let replays = asked.headers().contains_key(&replay::HEADER);
    // What a route maps by itself is no API.
    if let Some((listed, below)) = listed {
        if replays {
            return Box::pin(replay::answer(&asked, Operation::Other, body)).await;
        }
        return Box::pin(paths::answer(&asked, listed, &below, body)).await;
    }
    let place = Place {
        path: &asked.path[1..],
        azure: asked.azure.is_some(),
        root: is_root.then_some(if asked.method == Method::POST {
            Api::TGI
        } else {
            Api::Ollama
        }),
        client: *client,
    };
    let operation = apis::operation(asked.route(), path::classify(place.path), place)?;
    // What is rarely asked for is kept out of the future that every connection has.
    if replays {
        *client = operation.wire().unwrap_or(*client);
        return Box::pin(replay::answer(&asked, operation, body)).await;
    }
    match operation {
        Operation::Conversation(talk) => {
            *client = operation.wire().unwrap_or(*client);
            if asked.method != Method::POST {
                return methods::post_alone(&asked);
            }
            Box::pin(conversation::answer(&asked, talk, body)).await
        }
        // Servers that are not TGI have these paths too; who lists them means those.
        Operation::Tgi(_) if methods::lists(asked.route(), &asked.method, &asked.path) => {
            Box::pin(relay::answer(&asked, body)).await
        }
        operation @ (Operation::Chat
        | Operation::Completions
        | Operation::Embeddings
        | Operation::Messages
        | Operation::CountTokens
        | Operation::OllamaChat
        | Operation::OllamaGenerate
        | Operation::OllamaEmbed
        | Operation::OllamaEmbeddings
        | Operation::Tgi(_)
        | Operation::Converse(_)
        | Operation::Invoke(_)
        | Operation::Gemini(_)
        | Operation::GeminiEmbed(_)
        | Operation::GeminiEmbeds(_)
        | Operation::GeminiCount(_))
            if asked.method == Method::POST =>
        {
            call::answer(&asked, operation, body).await
        }
        Operation::Models if is_read(&asked.method) => {
            Box::pin(admission::judged(&asked, listings::list(&asked))).await
        }
        Operation::Model(id) if is_read(&asked.method) => {
            Box::pin(admission::judged(&asked, listings::one(&asked, id))).await
        }
        Operation::Shown(what) if is_read(&asked.method) => {
            Box::pin(admission::judged(&asked, listings::shown(&asked, what))).await
        }
        Operation::Other if is_root && is_read(&asked.method) => {
            Box::pin(admission::judged(
                &asked,
                listings::shown(&asked, Shown::Root),
            ))
            .await
        }
        Operation::Other if is_root && asked.method == Method::POST => {
            *client = Wire::Tgi;
            call::answer(&asked, Operation::Tgi(None), body).await
        }
        Operation::OllamaShow if asked.method == Method::POST => {
            Box::pin(admission::judged(&asked, ollama::show(&asked, body))).await
        }
        Operation::OllamaManages => Box::pin(ollama::manage(&asked, body)).await,
        _ => Box::pin(relay::answer(&asked, body)).await,
    }
}

/// Takes what authenticated the caller off its headers, since that goes no further; what backends' own policies may ask for is kept apart.
fn set_aside(route: &Route, headers: &mut HeaderMap, consumed: Consumed) -> HeaderMap {
    let mut credentials = HeaderMap::new();
    if route
        .backends
        .iter()
        .any(|entry| !entry.policies.are_none())
    {
        for name in &CREDENTIAL_HEADERS {
            for value in headers.get_all(name) {
                credentials.append(name.clone(), value.clone());
            }
        }
    }
    consumed.take_out_of(headers);
    credentials
}

fn is_read(method: &Method) -> bool {
    *method == Method::GET || *method == Method::HEAD
}

/// The host that is asked for: the target's own when it has one, else the `Host` header, of which there is exactly one.
/// Source: [RFC 9112 §3.2](https://www.rfc-editor.org/rfc/rfc9112#section-3.2).
fn host(head: &http::request::Parts) -> Result<&str, Refusal> {
    let bad = |message: &'static str| Refusal::client(StatusCode::BAD_REQUEST, "bad_host", message);
    let mut hosts = head.headers.get_all(header::HOST).iter();
    let first = hosts.next();
    if hosts.next().is_some() {
        return Err(bad("The request has more than one Host header."));
    }
    if let Some(authority) = head.uri.authority() {
        return Ok(authority.as_str());
    }
    match first {
        Some(host) => host
            .to_str()
            .map_err(|_| bad("The Host header is no host.")),
        None if head.version == Version::HTTP_10 => Ok(""),
        None => Err(bad("The request has no Host header.")),
    }
}

fn unknown(asked: &str) -> Refusal {
    let asked = bounded(asked, 256);
    let message = format!(
        "No LLMRoute answers to {asked:?}. Use a route's own host, http://<route>.<namespace>.svc/v1, or its path, /routes/<namespace>/<route>/v1, as base URL."
    );
    Refusal::client(StatusCode::NOT_FOUND, "route_not_found", message)
}
