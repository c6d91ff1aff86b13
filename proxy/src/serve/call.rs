//! A call that names a model: judged and renamed by the route's map, sent to who has the model, answered.

use bytes::Bytes;
use dragoman_config::cel::Input;
use dragoman_config::names::{Names, Refusal as NameRefusal, Step};
use http::{HeaderMap, Response, StatusCode, header};
use hyper::body::Incoming;
use serde_json::Value;

use super::attempt::{self, Outgoing};
use super::body::Body;
use super::candidates::{self, Nobody};
use super::dispatch::Asked;
use super::error::{Blame, Refusal};
use super::{headers, intake, reply};
use crate::json::{self, Members, Merge, ObjectEdit};
use crate::state::route::{Map, Route, RouteBackend};
use crate::upstream::{Reply, RequestBody};

/// The members of a body that are looked at.
const MEMBERS: [&str; 2] = ["model", "stream"];

/// Answers a POST whose body is JSON with a `model`.
pub(crate) async fn answer(asked: &Asked, body: Incoming) -> Result<Response<Body>, Refusal> {
    let names = names(asked.route())?;
    refuse_encoded(&asked.headers)?;
    let body = intake::whole(body, asked.state.proxy.body_bytes).await?;
    let members = json::scan(&body, &MEMBERS).map_err(Refusal::malformed)?;
    let Some(model) = members.text(&body, "model") else {
        let message = "The request's body has no \"model\", or it is not a string.";
        return Err(Refusal {
            param: Some("model"),
            ..Refusal::client(StatusCode::BAD_REQUEST, "missing_model", message)
        });
    };
    let call = Call { asked, body: &body, members: &members, model: &model };
    let (reply, backend) = call.send(names).await?;
    Ok(reply::relay(reply, &asked.method, &backend.name))
}

/// What names mean on a route.
pub(crate) fn names(route: &Route) -> Result<&Names, Refusal> {
    match &route.map {
        Map::Names(names) => Ok(names),
        Map::Closed(why) => {
            let message = format!("LLMRoute {} is closed: {why}.", route.key);
            Err(Refusal::unavailable(Blame::Proxy, "model_map_unusable", message))
        }
    }
}

/// A compressed body cannot be judged.
pub(crate) fn refuse_encoded(headers: &HeaderMap) -> Result<(), Refusal> {
    match headers.get(header::CONTENT_ENCODING) {
        Some(encoding) if !encoding.as_bytes().eq_ignore_ascii_case(b"identity") => {
            let message = "Request bodies are read here and must not be compressed; send it without Content-Encoding.";
            Err(Refusal::client(StatusCode::UNSUPPORTED_MEDIA_TYPE, "encoded_body", message))
        }
        _ => Ok(()),
    }
}

struct Call<'a> {
    asked: &'a Asked,
    body: &'a Bytes,
    members: &'a Members<'static, &'static str>,
    model: &'a str,
}

impl<'a> Call<'a> {
    /// Sends the call along its steps until a backend answers, or none is left: then the last answer stands.
    async fn send(&self, names: &Names) -> Result<(Reply, &'a RouteBackend), Refusal> {
        let route = self.asked.route();
        let mut last = None;
        for step in self.steps(names)? {
            let found = candidates::for_model(route, &step.model, step.backend, |_| None);
            let order = match found {
                Ok(order) => order,
                Err(nobody) => {
                    last.get_or_insert_with(|| Err(self.nobody(nobody)));
                    continue;
                }
            };
            for at in order.iter() {
                let entry = &route.backends[at];
                let Ok(backend) = &entry.backend else { continue };
                let outgoing = self.outgoing(&step, entry)?;
                let outcome = attempt::send(&self.asked.worker, route, backend, outgoing).await;
                if !attempt::fails_over(&outcome) {
                    return outcome
                        .map(|reply| (reply, entry))
                        .map_err(|fault| Refusal::upstream(&entry.name, &fault));
                }
                match outcome {
                    Ok(reply) => last = Some(Ok((reply, entry))),
                    // A real answer, even a refusal, says more than that another could not be reached.
                    Err(_) if matches!(last, Some(Ok(_))) => {}
                    Err(fault) => last = Some(Err(Refusal::upstream(&entry.name, &fault))),
                }
            }
        }
        last.unwrap_or_else(|| Err(Refusal::no_model(self.model)))
    }

    fn steps<'m>(&'m self, names: &'m Names) -> Result<Vec<Step<'m>>, Refusal> {
        let key = &self.asked.route().key;
        let header = |name: &str| {
            let value = self.asked.headers.get(name)?;
            Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let input = Input {
            request: &|| serde_json::from_slice(self.body).unwrap_or(Value::Null),
            header: &header,
            route: (&key.namespace, &key.name),
            now: jiff::Timestamp::now(),
        };
        names.resolve(self.model, &input).map_err(|refusal| match refusal {
            NameRefusal::NotFound => Refusal::no_model(self.model),
            NameRefusal::When { rule, fault } => {
                let message = format!("rules[{rule}].when of the route's ModelMap failed: {fault}.");
                let status = StatusCode::INTERNAL_SERVER_ERROR;
                Refusal { blame: Blame::Proxy, ..Refusal::client(status, "map_rule_failed", message) }
            }
        })
    }

    fn nobody(&self, nobody: Nobody) -> Refusal {
        match nobody {
            Nobody::NoModel => Refusal::no_model(self.model),
            Nobody::Unusable(at) => unusable(self.asked.route(), at),
        }
    }

    /// The request for one backend.
    fn outgoing(&self, step: &Step<'_>, entry: &RouteBackend) -> Result<Outgoing, Refusal> {
        let Ok(backend) = &entry.backend else { return Err(Refusal::no_model(self.model)) };
        let bare = entry.names.bare(&step.model).unwrap_or(&step.model);
        let name = entry.names.upstream(bare);
        let path = backend.settings.endpoint.join(&self.asked.path_and_query());
        Ok(Outgoing {
            method: self.asked.method.clone(),
            path: path.map_err(|_| bad_path())?,
            headers: headers::upstream(&self.asked.headers, backend, true),
            body: self.edited(step, name)?,
        })
    }

    fn edited(&self, step: &Step<'_>, name: &str) -> Result<RequestBody, Refusal> {
        if step.defaults.is_some() || step.overrides.is_some() {
            let none = serde_json::Map::new();
            let merge = Merge::new(step.defaults.unwrap_or(&none), step.overrides.unwrap_or(&none));
            let segments = merge.apply(self.body, Some(name)).map_err(Refusal::malformed)?;
            return Ok(RequestBody::Segments(segments));
        }
        if name == self.model {
            return Ok(RequestBody::Bytes(self.body.clone()));
        }
        let mut edit = ObjectEdit::new(self.members);
        edit.set("model", json::string::literal(name).into());
        Ok(RequestBody::Segments(json::splice(self.body, edit.finish())))
    }
}

/// No backend of the route can be used.
pub(crate) fn unusable(route: &Route, at: usize) -> Refusal {
    let entry = route.backends.get(at);
    let why = entry.and_then(|entry| entry.backend.as_ref().err().map(|why| (&entry.name, why)));
    let message = match why {
        Some((name, why)) => {
            format!("No backend of LLMRoute {} can be used; {name:?}: {why}.", route.key)
        }
        None => format!("LLMRoute {} has no backend.", route.key),
    };
    Refusal::unavailable(Blame::Proxy, "no_backend", message)
}

pub(crate) fn bad_path() -> Refusal {
    let message = "The path holds characters that a URL cannot.";
    Refusal::client(StatusCode::BAD_REQUEST, "ambiguous_path", message)
}
