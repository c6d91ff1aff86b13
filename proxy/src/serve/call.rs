//! A call that names a model: judged and renamed by the route's map, sent to who has the model, answered.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dragoman_config::cel::Input;
use dragoman_config::names::{Names, Refusal as NameRefusal, Step};
use dragoman_dialects::Wire;
use http::{HeaderMap, Method, Response, StatusCode};
use hyper::body::Incoming;
use serde_json::Value;

use super::attempt;
use super::body::Body;
use super::candidates::{self, Candidates, Nobody};
use super::content::{Content, refuse_encoded};
use super::dispatch::Asked;
use super::embeddings::{self, Vectors};
use super::error::{Blame, Refusal};
use super::path::Operation;
use super::reply::{self, Edits};
use super::translated::{self, Translation};
use super::{form, headers, intake, mirror, models, path, relay, tags};
use crate::json::{self, Malformed, Members, Merge, ObjectEdit};
use crate::state::backend::Backend;
use crate::state::dialect;
use crate::state::route::{Map, Route, RouteBackend};
use crate::think::{self, disable};
use crate::upstream::{Reply, Request, RequestBody};

/// The members of a body that are looked at.
const MEMBERS: [&str; 1] = ["model"];

/// Answers a POST whose body is JSON with a `model`.
pub(crate) async fn answer(
    asked: &Asked,
    operation: Operation<'_>,
    body: Incoming,
) -> Result<Response<Body>, Refusal> {
    let names = names(asked.route())?;
    refuse_encoded(&asked.headers())?;
    let body = intake::whole(body, asked.state.proxy.body_bytes).await?;
    let members = json::scan(&body, &MEMBERS).map_err(Refusal::malformed)?;
    let Some(model) = members.text(&body, "model") else {
        let message = "The request's body has no \"model\", or it is not a string.";
        return Err(Refusal {
            param: Some("model".into()),
            ..Refusal::client(StatusCode::BAD_REQUEST, "missing_model", message)
        });
    };
    let content = Content::Json {
        body: &body,
        members: &members,
    };
    send(asked, names, operation, content, &model).await
}

/// Answers a call of `model`, wherever its body names it.
pub(crate) async fn named(
    asked: &Asked,
    operation: Operation<'_>,
    content: Content<'_>,
    model: &str,
) -> Result<Response<Body>, Refusal> {
    send(asked, names(asked.route())?, operation, content, model).await
}

async fn send(
    asked: &Asked,
    names: &Names,
    operation: Operation<'_>,
    content: Content<'_>,
    model: &str,
) -> Result<Response<Body>, Refusal> {
    let thinks = operation.wire().is_some();
    let known = operation != Operation::Other;
    let responses = operation == Operation::Other && relay::is_responses(&asked.path);
    let client = operation.wire().or(responses.then_some(Wire::Responses));
    let translation = match (client, &content) {
        (Some(client), Content::Json { body, .. }) => Some(Translation::new(client, body)),
        _ => None,
    };
    let vectors = match (embeddings::Form::of(operation), &content) {
        (Some(client), Content::Json { body, .. }) => Some(Vectors::new(client, body)),
        _ => None,
    };
    let rules = thinks
        .then_some(&asked.route().rules)
        .filter(|rules| !rules.is_inert());
    let shown = match (operation, rules, &content) {
        (Operation::Messages, Some(rules), Content::Json { body, .. }) => {
            rules.extracts() && think::wants_thinking(body)
        }
        _ => false,
    };
    let edits = Edits {
        dialect: client.unwrap_or_else(|| path::speaks(&asked.path, &asked.headers())),
        think: rules,
        shown,
        model: (known && names.reply_requested).then(|| json::string::literal(model).into()),
    };
    let looks_into = known && !edits.are_none();
    // A model in the body opens no door to what a key owns.
    let other = operation == Operation::Other;
    let owned = other && !relay::is_by_model(&asked.path);
    let kept = match &content {
        Content::Json { body, members } if other => relay::kept(&asked.path, body, members),
        _ => None,
    };
    let call = Call {
        asked,
        operation,
        content,
        model,
        owned,
        kept,
        translation,
        vectors,
    };
    if let Some(loaded) = call.loaded(names)? {
        return Ok(loaded);
    }
    let (reply, entry, backend) = call.send(names, looks_into).await?;
    if let Some(translation) = &call.translation
        && let Some(ends) = translation.ends(backend)
    {
        let model = names.reply_requested.then(|| model.to_owned());
        let way = translation.way(ends, asked, model);
        return Box::pin(translated::answer(reply, way, asked, &entry.name, backend)).await;
    }
    if let Some(vectors) = &call.vectors
        && let Some(form) = vectors.upstream(backend)?
    {
        let model = names.reply_requested.then(|| model.to_owned());
        let who = (&*entry.name, &**backend);
        return Box::pin(vectors.answer(reply, form, asked, who, model)).await;
    }
    reply::answer(reply, edits, asked, backend, &entry.name).await
}

/// What names mean on a route.
pub(crate) fn names(route: &Route) -> Result<&Names, Refusal> {
    match &route.map {
        Map::Names(names) => Ok(names),
        Map::Closed(why) => {
            let message = format!("LLMRoute {} is closed: {why}.", route.key);
            Err(Refusal::unavailable(
                Blame::Proxy,
                "model_map_unusable",
                message,
            ))
        }
    }
}

/// A reply, and who gave it.
type Answer<'a> = (Reply, &'a RouteBackend, &'a Arc<Backend>);

struct Call<'a> {
    asked: &'a Asked,
    operation: Operation<'a>,
    content: Content<'a>,
    model: &'a str,
    /// Whether the path needs a backend that relays it.
    owned: bool,
    /// The member that leads to what a key owns, which needs the same.
    kept: Option<&'static str>,
    /// For backends of another dialect than the client's.
    translation: Option<Translation<'a>>,
    /// The same of a request for vectors.
    vectors: Option<Vectors<'a>>,
}

impl<'a> Call<'a> {
    /// Sends the call along its steps until a backend answers, or none is left: then the last answer stands.
    async fn send(&self, names: &Names, looks_into: bool) -> Result<Answer<'a>, Refusal> {
        let route = self.asked.route();
        let mut last = None;
        let steps = self.steps(names)?;
        let last_step = steps.len().saturating_sub(1);
        for (number, step) in steps.into_iter().enumerate() {
            let whose = |backend: &Backend| models::whose(&self.asked.headers(), backend);
            let found = candidates::for_model(route, &step.model, step.backend, whose);
            let order = match found {
                Ok(order) => order,
                Err(nobody) => {
                    last.get_or_insert_with(|| Err(self.nobody(nobody)));
                    continue;
                }
            };
            self.look_after_lists(&order, names);
            let last_place = order.iter().count().saturating_sub(1);
            for (place, at) in order.iter().enumerate() {
                let entry = &route.backends[at];
                let Ok(backend) = &entry.backend else {
                    continue;
                };
                if self.owned && !backend.relays(&self.asked.method, &self.asked.path) {
                    last.get_or_insert_with(|| Err(relay::not_relayed(self.asked)));
                    continue;
                }
                if let Some(field) = self.kept
                    && !backend.relays(&self.asked.method, &self.asked.path)
                {
                    last.get_or_insert_with(|| Err(relay::is_kept(self.asked, field)));
                    continue;
                }
                let body = match self.translated(&step, entry, backend) {
                    Ok(body) => body,
                    // Another backend may be able to express what this one cannot.
                    Err(refusal) => {
                        last.get_or_insert(Err(refusal));
                        continue;
                    }
                };
                let is_last = number == last_step && place == last_place;
                let make = || match body {
                    Some(body) => self.foreign(backend, body, is_last),
                    None => self.outgoing(&step, entry, backend, looks_into, is_last),
                };
                let outcome = self.asked.sender().send(backend, make).await?;
                if self.content.is_spent() || !attempt::fails_over(backend, &outcome) {
                    return outcome
                        .map(|reply| (reply, entry, backend))
                        .map_err(|fault| Refusal::upstream(&entry.name, &fault));
                }
                match outcome {
                    Ok(reply) => {
                        let reply = Box::pin(mirror::held(reply)).await;
                        last = Some(Ok((reply, entry, backend)));
                    }
                    // A real answer, even a refusal, says more than that another could not be reached.
                    Err(_) if matches!(last, Some(Ok(_))) => {}
                    Err(fault) => last = Some(Err(Refusal::upstream(&entry.name, &fault))),
                }
            }
        }
        last.unwrap_or_else(|| Err(Refusal::no_model(self.model)))
    }

    /// The answer to a request that only loads a model, where the backend that would be asked first has no such request.
    fn loaded(&self, names: &Names) -> Result<Option<Response<Body>>, Refusal> {
        let Some(translation) = self.translation.as_ref().filter(|it| it.may_load()) else {
            return Ok(None);
        };
        let route = self.asked.route();
        let steps = self.steps(names)?;
        let Some(step) = steps.first() else {
            return Ok(None);
        };
        let whose = |backend: &Backend| models::whose(&self.asked.headers(), backend);
        let found = candidates::for_model(route, &step.model, step.backend, whose);
        let Some(at) = found.ok().and_then(|order| order.iter().next()) else {
            return Ok(None);
        };
        Ok(match &route.backends[at].backend {
            Ok(backend) => translation.loaded(backend, self.asked),
            Err(_) => None,
        })
    }

    /// Where several backends may have the model, their lists tell which do.
    fn look_after_lists(&self, order: &Candidates, names: &Names) {
        if order.iter().nth(1).is_none() {
            return;
        }
        let ttl = Duration::from_millis(names.cache_ttl_ms);
        for at in order.iter() {
            if let Ok(backend) = &self.asked.route().backends[at].backend {
                models::look_after(&self.asked.worker, backend, &self.asked.headers(), ttl);
            }
        }
    }

    fn steps<'m>(&'m self, names: &'m Names) -> Result<Vec<Step<'m>>, Refusal> {
        let route = self.asked.route();
        let key = &route.key;
        let headers = self.asked.headers();
        let header = |name: &str| {
            let value = headers.get(name)?;
            Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let input = Input {
            request: &|| match &self.content {
                Content::Json { body, .. } => serde_json::from_slice(body).unwrap_or(Value::Null),
                Content::Form { .. } => Value::Null,
            },
            header: &header,
            route: (&key.namespace, &key.name),
            now: jiff::Timestamp::now(),
        };
        let steps = tags::resolve(names, route, self.operation, self.model, &input);
        steps.map_err(|refusal| match refusal {
            NameRefusal::NotFound => Refusal::no_model(self.model),
            NameRefusal::When(failed) => {
                let map = route.map_key();
                let map = map.map_or_else(String::new, |map| format!(" {map}"));
                let message =
                    format!("ModelMap{map} cannot say what this request is for: {failed}.");
                let status = StatusCode::INTERNAL_SERVER_ERROR;
                Refusal {
                    blame: Blame::Proxy,
                    ..Refusal::client(status, "map_rule_failed", message)
                }
            }
        })
    }

    fn nobody(&self, nobody: Nobody) -> Refusal {
        match nobody {
            Nobody::NoModel | Nobody::Refuses => Refusal::no_model(self.model),
            Nobody::Unusable(at) => unusable(self.asked.route(), at),
        }
    }

    /// The request for one backend, to which the client's headers move when it is the last.
    fn outgoing(
        &self,
        step: &Step<'_>,
        entry: &RouteBackend,
        backend: &Backend,
        looks_into: bool,
        is_last: bool,
    ) -> Result<Request, Refusal> {
        let bare = entry.names.bare(&step.model).unwrap_or(&step.model);
        let name = entry.names.upstream(bare);
        let path = backend.passed(self.asked.path_and_query());
        let path = backend.settings.endpoint.join(&path);
        Ok(Request {
            method: self.asked.method.clone(),
            path: path.map_err(|_| bad_path())?,
            headers: headers::upstream(self.client_headers(is_last), backend, looks_into),
            body: self.edited(step, name)?,
        })
    }

    /// The client's headers, which move to the last request that they are for.
    fn client_headers(&self, is_last: bool) -> HeaderMap {
        if is_last {
            self.asked.headers.take()
        } else {
            self.asked.headers().clone()
        }
    }

    /// The body for a backend of another dialect than the client's; none where it speaks the same.
    ///
    /// # Errors
    /// 400, where the backend's dialect has no such operation, or cannot express this request.
    fn translated(
        &self,
        step: &Step<'_>,
        entry: &RouteBackend,
        backend: &Backend,
    ) -> Result<Option<Bytes>, Refusal> {
        let bare = entry.names.bare(&step.model).unwrap_or(&step.model);
        let name = entry.names.upstream(bare);
        let body = match (&self.translation, &self.vectors) {
            (Some(translation), _) => translation.ends(backend).map(|ends| {
                let quiet = self.asked.route().thinking.disable;
                translation.write(ends, name, quiet)
            }),
            (None, Some(vectors)) => vectors
                .upstream(backend)?
                .map(|form| vectors.write(form, name)),
            (None, None) => {
                translated::passes(self.asked, self.operation, backend)?;
                None
            }
        };
        let Some(body) = body.transpose()? else {
            return Ok(None);
        };
        if step.defaults.is_none() && step.overrides.is_none() {
            return Ok(Some(body));
        }
        let merged = merge(step).apply(&body, Some(name));
        let merged = merged.map_err(Refusal::malformed)?;
        Ok(Some(merged.concat().into()))
    }

    /// The request for a backend of another dialect.
    fn foreign(&self, backend: &Backend, body: Bytes, is_last: bool) -> Result<Request, Refusal> {
        let vectors = match &self.vectors {
            Some(vectors) => vectors.upstream(backend)?,
            None => None,
        };
        let path = vectors.map_or_else(|| dialect::path(backend.dialect), embeddings::Form::path);
        let path = backend.settings.endpoint.join(path);
        Ok(Request {
            method: Method::POST,
            path: path.map_err(|_| bad_path())?,
            headers: headers::foreign(self.client_headers(is_last), backend),
            body: RequestBody::Bytes(body),
        })
    }

    fn edited(&self, step: &Step<'_>, name: &str) -> Result<RequestBody, Refusal> {
        match &self.content {
            Content::Json { body, members } => {
                let edited = if self.asked.route().thinking.disable {
                    self.without_thinking(body, step, name)
                } else {
                    self.renamed(body, members, step, name)
                };
                edited.map_err(Refusal::malformed)
            }
            Content::Form { start, at, rest } => {
                let segments = form::renamed(start, at, name);
                Ok(match rest.and_then(Cell::take) {
                    Some(rest) => relay::stream(Some(segments), rest),
                    None => RequestBody::Segments(segments.into()),
                })
            }
        }
    }

    fn renamed(
        &self,
        body: &Bytes,
        members: &Members<'_, &'static str>,
        step: &Step<'_>,
        name: &str,
    ) -> Result<RequestBody, Malformed> {
        if step.defaults.is_some() || step.overrides.is_some() {
            return Ok(RequestBody::Segments(
                merge(step).apply(body, Some(name))?.into(),
            ));
        }
        if name == self.model && members.all("model").count() == 1 {
            return Ok(RequestBody::Bytes(body.clone()));
        }
        let mut edit = ObjectEdit::new(members);
        edit.set("model", json::string::literal(name).into());
        Ok(RequestBody::Segments(
            json::splice(body, edit.finish()).into(),
        ))
    }

    /// Everything at once where the route asks the model not to think: edits must not touch each other.
    fn without_thinking(
        &self,
        body: &Bytes,
        step: &Step<'_>,
        name: &str,
    ) -> Result<RequestBody, Malformed> {
        let merge = merge(step);
        let wanted: Vec<&str> = merge
            .names()
            .iter()
            .map(String::as_str)
            .chain(disable::NAMES)
            .collect();
        let members = json::scan(body, &wanted)?;
        let mut edit = ObjectEdit::new(&members);
        let mut edits = match self.operation.wire() {
            Some(wire) => disable::request(wire, name, body, &members, &mut edit)?,
            None => Vec::new(),
        };
        merge.edit(&mut edit, Some(name));
        edits.extend(edit.finish());
        Ok(RequestBody::Segments(json::splice(body, edits).into()))
    }
}

fn merge(step: &Step<'_>) -> Merge {
    let none = serde_json::Map::new();
    Merge::new(
        step.defaults.unwrap_or(&none),
        step.overrides.unwrap_or(&none),
    )
}

/// No backend of the route can be used.
pub(crate) fn unusable(route: &Route, at: usize) -> Refusal {
    let entry = route.backends.get(at);
    let why = entry.and_then(|entry| entry.backend.as_ref().err().map(|why| (&entry.name, why)));
    let message = match why {
        Some((name, why)) => {
            format!(
                "No backend of LLMRoute {} can be used; {name:?}: {why}.",
                route.key
            )
        }
        None => format!("LLMRoute {} has no backend.", route.key),
    };
    Refusal::unavailable(Blame::Proxy, "no_backend", message)
}

pub(crate) fn bad_path() -> Refusal {
    let message = "The path holds characters that a URL cannot.";
    Refusal::client(StatusCode::BAD_REQUEST, "ambiguous_path", message)
}
