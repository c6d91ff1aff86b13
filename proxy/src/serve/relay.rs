//! Paths of no API that is known here: a body that names a model is judged and routed by it, everything else is relayed as it is.
//!
//! What is relayed without a model goes to backends that have no credential of ours, or whose `relay` lists it. The same holds,
//! whether or not the body names a model, for every path that is not known to make something new of its body alone
//! ([`is_by_model`]): nobody reads another team's files with our key.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use dragoman_crds::Dialect;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;

use super::admission::{self, Admitted, Going, Judged, MemberNames, Question, Reaching, Reserved};
use super::attempt;
use super::body::Body;
use super::call;
use super::candidates::{self, Nobody};
use super::content::{Content, refuse_encoded};
use super::dispatch::Asked;
use super::error::{Blame, Refusal, bounded};
use super::form::{self, Model};
use super::path::{self, Operation};
use super::worker::Worker;
use super::{collections, headers, intake, judged, kept, methods, mirror, reply};
use crate::json;
use crate::log::Notes;
use crate::upstream::{BoxError, Request, RequestBody};

/// The code of a refusal of what no backend takes.
pub(crate) const NOT_RELAYED: &str = "path_not_relayed";
/// How much of a form is read ahead to find its model.
const AHEAD: u64 = 64 << 10;
/// Paths whose forms name a model wherever they like, and are read whole.
const FORMS: [&str; 4] = [
    "/audio/transcriptions",
    "/audio/translations",
    "/images/edits",
    "/images/variations",
];
/// Paths that answer out of a model and a body alone, so that a body's model is enough to judge them.
const BY_MODEL: [&str; 11] = [
    "chat/completions",
    "classify",
    "completions",
    "detokenize",
    "embeddings",
    "moderations",
    "pooling",
    "rerank",
    "responses",
    "score",
    "tokenize",
];
/// The same, for any one segment below them.
const BY_MODEL_BELOW: [&str; 2] = ["audio", "images"];
/// The members of a body that are looked at.
pub(crate) const MEMBERS: [&str; 1] = ["model"];

/// Answers a request of such a path.
pub(crate) async fn answer(asked: &Asked, body: Incoming) -> Result<Response<Body>, Refusal> {
    // A closed route is closed for every path.
    call::names(asked.route())?;
    if let Some(answered) = methods::judge(asked)? {
        return Ok(answered);
    }
    if path::has_encoded_slash(&asked.path) {
        let message = "The path holds an encoded slash, which servers read in different ways.";
        return Err(Refusal::client(
            StatusCode::BAD_REQUEST,
            "ambiguous_path",
            message,
        ));
    }
    // What the path names nobody here reads, and a body that names another is no word on it.
    if asked.route().reading.models
        && collections::calls_unread(&asked.method, &asked.path)
        && !lists(asked)
    {
        return Err(judged::unnamed(asked));
    }
    if body.is_end_stream() {
        return pass(asked, RequestBody::Empty).await;
    }
    if asked.method != Method::POST && !names_model(asked) {
        return pass(asked, stream(asked, None, body)).await;
    }
    if asked.headers().get_all(header::CONTENT_TYPE).iter().count() > 1 {
        let (status, code) = (StatusCode::BAD_REQUEST, "ambiguous_content_type");
        let message = "The request has more than one Content-Type header.";
        return Err(Refusal::client(status, code, message));
    }
    let boundary = form::boundary(&asked.headers()).map_err(|fault| {
        let (status, code) = (StatusCode::BAD_REQUEST, "ambiguous_content_type");
        let message = format!("In its Content-Type header, {fault}; send it once, plainly.");
        Refusal::client(status, code, message)
    })?;
    // What is answered by the model is judged by it, whatever the body is said to be: not every server looks at the type.
    let by_model = is_by_model(&asked.path) && !takes_forms(&asked.path);
    match boundary {
        Some(boundary) if !by_model => form(asked, &boundary, body).await,
        _ if by_model || is_by_model(&asked.path) || may_be_json(&asked.headers()) => {
            json(asked, body).await
        }
        _ => pass(asked, stream(asked, None, body)).await,
    }
}

/// Whether a path takes forms that name a model.
fn takes_forms(path: &str) -> bool {
    FORMS.contains(&path.trim_end_matches('/'))
}

/// Whether a body names a model though it is no POST's: Ollama's deletion of one, which must not reach a namesake.
fn names_model(asked: &Asked) -> bool {
    asked.method == Method::DELETE && asked.path.trim_end_matches('/') == "/api/delete"
}

/// Whether a body may be read as JSON: curl sends it as a form unless told otherwise, others without any type.
fn may_be_json(headers: &HeaderMap) -> bool {
    match headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes) {
        None => true,
        Some(value) => {
            let kind = value
                .split(|byte| *byte == b';')
                .next()
                .unwrap_or_default()
                .to_ascii_lowercase();
            kind.starts_with(b"text/")
                || kind == b"application/x-www-form-urlencoded"
                || memchr::memmem::find(&kind, b"json").is_some()
        }
    }
}

async fn json(asked: &Asked, body: Incoming) -> Result<Response<Body>, Refusal> {
    refuse_encoded(&asked.headers())?;
    let body = asked.whole(body).await?;
    let by_model = is_by_model(&asked.path);
    let mut names = MemberNames::default();
    let scanned = kept::scan(&body, &MEMBERS, is_responses(&asked.path), |name| {
        names.see(name);
    });
    let (members, suspect) = match scanned {
        Ok(scanned) => scanned,
        // What does not even say that it is JSON may be something else. JSON lines and arrays name no model.
        Err(_) if !by_model && (!reply::is_json(&asked.headers()) || body.starts_with(b"[")) => {
            return pass(asked, RequestBody::Bytes(body)).await;
        }
        Err(fault) => return Err(Refusal::malformed(fault)),
    };
    let named = asked.deployment.as_deref().map(Into::into);
    let model = named.or_else(|| members.text(&body, "model"));
    if by_model || model.is_some() {
        names.refuse_ambiguous(asked.judges_bodies())?;
    }
    match model {
        Some(model) => {
            let content = Content::Json {
                body: &body,
                members: &members,
                suspect,
            };
            call::named(asked, Operation::Other, content, &model, true).await
        }
        None => {
            refuse_nameless(asked)?;
            pass(asked, RequestBody::Bytes(body.clone())).await
        }
    }
}

/// Refuses a call by model that names none, where it matters which one is called. Elsewhere the server may have one that it means.
fn refuse_nameless(asked: &Asked) -> Result<(), Refusal> {
    if is_by_model(&asked.path) && asked.route().judges_models() && !lists(asked) {
        return Err(call::missing_model());
    }
    Ok(())
}

/// Whether a backend's `relay` lists what is asked.
fn lists(asked: &Asked) -> bool {
    methods::lists(asked.route(), &asked.method, &asked.path)
}

async fn form(
    asked: &Asked,
    boundary: &str,
    mut body: Incoming,
) -> Result<Response<Body>, Refusal> {
    let whole = takes_forms(&asked.path);
    let (start, rest) = if whole {
        (asked.whole(body).await?, None)
    } else {
        let start = intake::start(&mut body, AHEAD).await?;
        let rest = (!body.is_end_stream()).then_some(body);
        (start, rest)
    };
    let at = match form::model(&start, boundary) {
        Model::At(at) => at,
        Model::None => {
            refuse_nameless(asked)?;
            return match rest {
                Some(rest) => pass(asked, stream(asked, Some(vec![start]), rest)).await,
                None => pass(asked, RequestBody::Bytes(start)).await,
            };
        }
        Model::Several => {
            let message = "The form has more than one field \"model\", or parts whose heads or bounds servers read in different ways.";
            return Err(Refusal::client(
                StatusCode::BAD_REQUEST,
                "ambiguous_model",
                message,
            ));
        }
    };
    let model = String::from_utf8_lossy(&start[at.clone()]).into_owned();
    let rest = rest.map(|rest| Cell::new(Some(rest)));
    let content = Content::Form {
        start: &start,
        at,
        rest: rest.as_ref(),
    };
    call::named(asked, Operation::Other, content, &model, false).await
}

/// Whether the model that a body names is enough to judge a request of this path, sent with our key.
pub(crate) fn is_by_model(path: &str) -> bool {
    let path = path.trim_matches('/');
    BY_MODEL.contains(&path)
        || path
            .split_once('/')
            .is_some_and(|(first, rest)| BY_MODEL_BELOW.contains(&first) && !rest.contains('/'))
}

/// Whether a path makes responses.
pub(crate) fn is_responses(path: &str) -> bool {
    path.trim_matches('/') == "responses"
}

pub(crate) fn not_relayed(asked: &Asked) -> Refusal {
    let message = format!(
        "{method} {} belongs to no API that this proxy answers; LLMRoute {} relays it only to a backend without a credential of its own, or one whose spec.relay (LLMBackend) lists {method} {}.",
        asked.shown_path(),
        asked.route().key,
        bounded(&asked.path, 256),
        method = asked.method,
    );
    Refusal::client(StatusCode::NOT_FOUND, NOT_RELAYED, message)
}

/// Relays a request that names no model to the first backend by priority, if that takes it.
async fn pass(asked: &Asked, mut body: RequestBody) -> Result<Response<Body>, Refusal> {
    judged::refuse_unread(asked)?;
    if asked.policies().is_empty() {
        return held(asked, body, Going::default()).await;
    }
    let unread = !matches!(body, RequestBody::Empty) && object(&body).is_none();
    if unread && asked.judges_bodies() && !lists(asked) {
        return Err(judged::unread(asked));
    }
    let has_body = !matches!(body, RequestBody::Empty);
    if has_body && asked.route().reading.models && !lists(asked) {
        return Err(judged::unnamed(asked));
    }
    let question = Question::plainly(object(&body), None);
    let mut going = match Box::pin(admission::judge(asked, question)).await? {
        Judged::Goes(going) => going,
        Judged::Answered(answer) => return Ok(answer),
    };
    if let Some(changed) = going.body.take() {
        body = RequestBody::Bytes(changed);
    }
    held(asked, body, going).await
}

/// Sends it, under the limits that it was counted under.
async fn held(asked: &Asked, body: RequestBody, going: Going) -> Result<Response<Body>, Refusal> {
    let counts =
        going.reserved.as_ref().is_some_and(Reserved::counts) || asked.route().backends_count();
    let tells = counts && object(&body).is_some();
    // A client that leaves from here on pays for its prompt.
    let mut meter = admission::meter(None, going.reserved);
    match send(asked, body, going.backend.as_deref(), tells).await {
        Ok((answered, admitted)) => {
            let meter = admission::meter(meter, admitted.reserved);
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

/// A body that is a JSON object.
pub(super) fn object(body: &RequestBody) -> Option<&Bytes> {
    body.whole()
        .filter(|body| json::scan(body, &MEMBERS).is_ok())
}

/// Sends it to the first backend by priority, or to the one that the client chose. `looks_into`: the reply is read.
async fn send(
    asked: &Asked,
    mut body: RequestBody,
    chosen: Option<&str>,
    looks_into: bool,
) -> Result<(Response<Body>, Admitted), Refusal> {
    let route = asked.route();
    let order = match chosen {
        None => candidates::for_path(route, |backend| backend.relays(&asked.method, &asked.path)),
        Some(name) => candidates::named(route, name, |backend| {
            backend.relays(&asked.method, &asked.path)
        }),
    };
    let order = order.map_err(|nobody| match nobody {
        Nobody::Refuses => not_relayed(asked),
        Nobody::NoModel => call::unusable(route, 0),
        Nobody::Unusable(at) => call::unusable(route, at),
    })?;
    let mut last: Option<Result<(Response<Body>, Admitted), Refusal>> = None;
    for at in order.iter() {
        let entry = &route.backends[at];
        let Ok(backend) = &entry.backend else {
            continue;
        };
        // Who failed is asked no more, and holds no place that this one may need.
        if let Some(Ok((_, admitted))) = &mut last {
            admitted.give_back(asked);
        }
        let json = object(&body);
        let reaching = Reaching {
            path: &asked.path,
            body: json,
            unread: json.is_none() && !matches!(body, RequestBody::Empty),
            unnamed: !matches!(body, RequestBody::Empty)
                || collections::calls_unread(&asked.method, &asked.path),
            model: None,
        };
        let mut admitted = match admission::of_backend(asked, entry, reaching).await {
            Ok(admitted) => admitted,
            Err(refusal) => {
                last.get_or_insert(Err(refusal));
                continue;
            }
        };
        let again = body.replay();
        let once = Cell::new(Some(body));
        let make = || {
            // Azure's own part of a path was taken off; what is no model's stands where it stood.
            let path = match &asked.azure {
                Some(azure) if backend.dialect == Dialect::AzureOpenAI => {
                    let query = asked.uri.query().map(|query| format!("?{query}"));
                    let below = asked.path.trim_start_matches('/');
                    format!("/{azure}{below}{}", query.unwrap_or_default()).into()
                }
                _ => backend.passed(asked.path_and_query()),
            };
            let path = backend.settings.endpoint.join(&path);
            let body = again
                .as_ref()
                .and_then(RequestBody::replay)
                .or_else(|| once.take());
            let mut headers = headers::upstream(asked.headers().clone(), backend, looks_into);
            if backend.passes_credentials() {
                admitted.withhold(&mut headers);
            }
            Ok(Request {
                method: asked.method.clone(),
                path: path.map_err(|_| call::bad_path())?,
                headers,
                body: body.unwrap_or(RequestBody::Empty),
            })
        };
        let outcome = asked.sender().send(backend, make).await?;
        let fails_over = attempt::fails_over(backend, &outcome);
        let kept = fails_over && again.is_some();
        let answer = match outcome {
            Ok(reply) => {
                let reply = if kept {
                    mirror::held(reply).await
                } else {
                    reply
                };
                let masks = reply.status.as_u16() >= 400
                    && asked.method != Method::HEAD
                    && backend.has_own_credential();
                Ok(if masks {
                    mirror::relayed(reply, backend).await
                } else {
                    reply::relay(reply, asked, &entry.name)
                })
            }
            Err(fault) => Err(Refusal::upstream(&entry.name, &fault)),
        };
        if answer.is_err() {
            admitted.give_back(asked);
        }
        let answer = answer.map(|answer| (answer, admitted));
        match again {
            Some(again) if kept => {
                // A real answer, even a refusal, says more than that another could not be reached.
                if answer.is_ok() || last.is_none() {
                    last = Some(answer);
                }
                body = again;
            }
            // A body that is on its way cannot be sent to another.
            _ => return answer,
        }
    }
    last.unwrap_or_else(|| {
        Err(Refusal::unavailable(
            Blame::Proxy,
            "no_backend",
            "No backend of the route can be used.",
        ))
    })
}

/// A body that is relayed while it arrives, after what was read of it already.
pub(crate) fn stream(asked: &Asked, start: Option<Vec<Bytes>>, rest: Incoming) -> RequestBody {
    let start = start
        .unwrap_or_default()
        .into_iter()
        .filter(|piece| !piece.is_empty())
        .collect();
    RequestBody::Stream(Box::pin(Upload {
        start,
        rest,
        notes: asked.notes.clone(),
        worker: Rc::clone(&asked.worker),
    }))
}

struct Upload {
    start: std::collections::VecDeque<Bytes>,
    rest: Incoming,
    notes: Notes,
    worker: Rc<Worker>,
}

impl http_body::Body for Upload {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = match self.start.pop_front() {
            Some(piece) => Some(Ok(Frame::data(piece))),
            None => ready!(Pin::new(&mut self.rest).poll_frame(cx)),
        };
        let piece = frame
            .as_ref()
            .and_then(|frame| frame.as_ref().ok()?.data_ref());
        if let (Some(piece), Some(desk)) = (piece, &self.worker.desk) {
            self.notes.note(|draft| draft.asking(piece, desk));
        }
        Poll::Ready(frame.map(|frame| frame.map_err(BoxError::from)))
    }

    fn is_end_stream(&self) -> bool {
        self.start.is_empty() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let start: u64 = self.start.iter().map(|piece| piece.len() as u64).sum();
        match self.rest.size_hint().exact() {
            Some(rest) => SizeHint::with_exact(start + rest),
            None => SizeHint::new(),
        }
    }
}

#[cfg(test)]
mod tests;
