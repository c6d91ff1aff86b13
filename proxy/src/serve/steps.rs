//! A call along its steps, until a backend answers or none is left.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dragoman_config::PriceItem;
use dragoman_config::names::{Names, Refusal as NameRefusal, Step};
use http::{Response, StatusCode};

use super::admission::{self, Admitted, Named, Reaching};
use super::attempt;
use super::body::Body;
use super::call::unusable;
use super::candidates::{self, Candidates, Nobody};
use super::content::Content;
use super::counting::Counting;
use super::dispatch::Asked;
use super::embeddings::Vectors;
use super::error::{Blame, Refusal};
use super::mapped::{self, Mapped};
use super::path::Operation;
use super::translation::Translation;
use super::{collections, mirror, models, relay, tags};
use crate::access::facts::{Facts, Known, Unreadable};
use crate::state::backend::Backend;
use crate::state::route::RouteBackend;
use crate::upstream::Reply;

/// A reply, and who gave it.
pub(super) struct Answer<'a> {
    pub(super) reply: Reply,
    pub(super) entry: &'a RouteBackend,
    pub(super) backend: &'a Arc<Backend>,
    /// As what it knows the model.
    pub(super) name: String,
    /// What the backend's own policies made of the request.
    pub(super) admitted: Admitted,
    /// What the model costs.
    pub(super) price: Option<PriceItem>,
}

pub(super) struct Call<'a> {
    pub(super) asked: &'a Asked,
    pub(super) operation: Operation<'a>,
    pub(super) content: Content<'a>,
    pub(super) model: &'a str,
    /// Other models that the body names, where some are refused.
    pub(super) inner: Vec<&'a str>,
    /// Whether the path needs a backend that relays it.
    pub(super) owned: bool,
    /// For backends of another dialect than the client's.
    pub(super) translation: Option<Translation<'a>>,
    /// The same of a request for vectors.
    pub(super) vectors: Option<Vectors<'a>>,
    /// The same of a request to count tokens.
    pub(super) counting: Option<Counting<'a>>,
    /// The backend that the client chose.
    pub(super) chosen: Option<String>,
    /// Whether upstreams are asked to tell how many tokens a stream took, which the client did not ask: [`super::metered::hides`].
    pub(super) hides: bool,
}

impl<'a> Call<'a> {
    /// Sends the call along its steps until a backend answers, or none is left: then the last answer stands.
    pub(super) async fn send(
        &self,
        names: &Names,
        looks_into: bool,
    ) -> Result<Answer<'a>, Refusal> {
        let route = self.asked.route();
        let mut last = None;
        let mut steps = self.steps(names)?;
        if self.chosen.is_some() {
            // Who chooses a backend wants that one, or to hear why not.
            steps.truncate(1);
        }
        let last_step = steps.len().saturating_sub(1);
        for (number, step) in steps.into_iter().enumerate() {
            let whose = |backend: &Backend| models::whose(&self.asked.headers(), backend);
            let wanted = self.chosen.as_deref().or(step.backend);
            let found = candidates::for_model(route, &step.model, wanted, whose);
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
                if let Some(hidden) = self.inner.iter().find(|it| !entry.names.admits(it)) {
                    last.get_or_insert_with(|| Err(Refusal::no_model(hidden)));
                    continue;
                }
                // Filters may hold expressions: the name is worked out once.
                let bare = entry.names.bare(&step.model).unwrap_or(&step.model);
                let name = entry.names.upstream(bare);
                let body = match self.translated(&step, backend, name) {
                    Ok(body) => body,
                    // Another backend may be able to express what this one cannot.
                    Err(refusal) => {
                        last.get_or_insert(Err(refusal));
                        continue;
                    }
                };
                if let Err(refusal) = self.judge(&step, backend, name, body.as_ref()) {
                    last.get_or_insert(Err(refusal));
                    continue;
                }
                let sent = match self.judged(&step, entry, backend, name, body.as_ref()) {
                    Ok(sent) => sent,
                    Err(refusal) => {
                        last.get_or_insert(Err(refusal));
                        continue;
                    }
                };
                // Who failed is asked no more, and holds no place that this one may need.
                if let Some(Ok(Answer { admitted, .. })) = &mut last {
                    admitted.give_back(self.asked);
                }
                let reaching = Reaching {
                    path: &self.asked.path,
                    body: sent.as_ref(),
                    unread: false,
                    unnamed: self.operation == Operation::Other
                        && collections::calls_unread(&self.asked.method, &self.asked.path),
                    model: Some(Named {
                        client: self.model,
                        bare,
                        upstream: name,
                    }),
                };
                let reached = admission::of_backend(self.asked, entry, reaching).await;
                let mut admitted = match reached {
                    Ok(admitted) => admitted,
                    Err(refusal) => {
                        last.get_or_insert(Err(refusal));
                        continue;
                    }
                };
                let price = entry.names.price(bare);
                let is_last = number == last_step && place == last_place;
                self.asked.notes.note(|draft| {
                    draft.model_sent = Some(name.to_owned());
                    draft.price = price;
                });
                let mapped = self.mapped(backend, name);
                let looks_into = looks_into || mapped.is_some();
                let make = || {
                    let mut request = match body {
                        Some(body) => self.foreign(backend, name, body, is_last),
                        None => self.outgoing(&step, backend, name, sent, looks_into, is_last),
                    }?;
                    if backend.passes_credentials() {
                        admitted.withhold(&mut request.headers);
                    }
                    if let Some(mapped) = &mapped {
                        mapped.request(&mut request, backend)?;
                    }
                    Ok(request)
                };
                let outcome = self.asked.sender().send(backend, make).await?;
                if self.content.is_spent() || !attempt::fails_over(backend, &outcome) {
                    let reply = outcome.map_err(|fault| Refusal::upstream(&entry.name, &fault))?;
                    let reply = match mapped {
                        Some(mapped) => Box::pin(mapped.reply(reply, &entry.name, backend)).await?,
                        None => reply,
                    };
                    return Ok(Answer {
                        reply,
                        entry,
                        backend,
                        name: name.to_owned(),
                        admitted,
                        price,
                    });
                }
                match outcome {
                    Ok(reply) => {
                        let reply = Box::pin(mirror::held(reply)).await;
                        let reply = match mapped {
                            Some(mapped) => {
                                Box::pin(mapped.reply(reply, &entry.name, backend)).await
                            }
                            None => Ok(reply),
                        };
                        last = Some(reply.map(|reply| Answer {
                            reply,
                            entry,
                            backend,
                            name: name.to_owned(),
                            admitted,
                            price,
                        }));
                    }
                    Err(fault) => {
                        admitted.give_back(self.asked);
                        // A real answer, even a refusal, says more than that another could not be reached.
                        if !matches!(last, Some(Ok(_))) {
                            last = Some(Err(Refusal::upstream(&entry.name, &fault)));
                        }
                    }
                }
            }
        }
        last.unwrap_or_else(|| Err(Refusal::no_model(self.model)))
    }

    /// The part of the backend's Mapper, if it has one.
    fn mapped(&self, backend: &Backend, name: &str) -> Option<Mapped> {
        let mapper = backend.mapper.as_ref()?;
        let wire = match &self.translation {
            Some(translation) => Some(translation.upstream(backend)),
            None => self.operation.wire(),
        };
        let asked_for = match &self.translation {
            Some(translation) => Some(translation.streams()),
            None => self.operation.streams(),
        };
        Some(Mapped {
            mapper: Arc::clone(mapper),
            dialect: backend.dialect,
            operation: mapped::operation(wire, self.vectors.is_some()),
            model: name.to_owned(),
            stream: Cell::new(asked_for.map(|asked_for| asked_for && backend.streams())),
            headers: mapped::read_headers(mapper, &self.asked.headers()),
        })
    }

    /// The answer to a request that only loads a model, where the backend that would be asked first has no such request.
    pub(super) fn loaded(&self, names: &Names) -> Result<Option<Response<Body>>, Refusal> {
        let translation = self.translation.as_ref().filter(|it| it.may_load());
        if translation.is_none() && self.vectors.is_none() {
            return Ok(None);
        }
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
            Ok(backend) => match (translation, &self.vectors) {
                (Some(translation), _) => translation.loaded(backend, self.asked),
                (None, Some(vectors)) => vectors.loaded(backend),
                (None, None) => None,
            },
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
            let entry = &self.asked.route().backends[at];
            // Whom a backend's own policies admit is known when it is asked.
            if !entry.policies.are_none() {
                continue;
            }
            if let Ok(backend) = &entry.backend {
                models::look_after(&self.asked.worker, backend, &self.asked.headers(), ttl);
            }
        }
    }

    fn steps<'m>(&'m self, names: &'m Names) -> Result<Vec<Step<'m>>, Refusal> {
        let body = self.content.json();
        resolved(
            self.asked,
            names,
            self.operation,
            body,
            (self.model, &self.inner),
        )
    }

    fn nobody(&self, nobody: Nobody) -> Refusal {
        match nobody {
            Nobody::NoModel | Nobody::Refuses => Refusal::no_model(self.model),
            Nobody::Unusable(at) => unusable(self.asked.route(), at),
        }
    }
}

/// What the map makes of a call of `model`. It renames none of those of `inner`, so that they are refused unless they mean themselves.
fn resolved<'m>(
    asked: &Asked,
    names: &'m Names,
    operation: Operation<'_>,
    body: Option<&Bytes>,
    (model, inner): (&'m str, &[&str]),
) -> Result<Vec<Step<'m>>, Refusal> {
    let route = asked.route();
    let headers = asked.headers();
    let known = Known::new(Facts {
        body,
        headers: &headers,
        caller: &asked.callers.first,
        route: &route.key,
        model: Some(model),
    });
    if names.reads("request") {
        let unreadable = |fault: Unreadable| {
            Refusal::client(StatusCode::BAD_REQUEST, "invalid_json", fault.to_string())
        };
        known.read().map_err(unreadable)?;
    }
    for name in inner {
        let means = names.resolve(name, &known);
        if !means.is_ok_and(|steps| steps.first().is_some_and(|step| step.model == *name)) {
            return Err(Refusal::no_model(name));
        }
    }
    let steps = tags::resolve(names, route, operation, model, &known);
    steps.map_err(|refusal| match refusal {
        NameRefusal::NotFound => Refusal::no_model(model),
        NameRefusal::When(failed) => {
            let map = route.map_key();
            let map = map.map_or_else(String::new, |map| format!(" {map}"));
            let message = format!("ModelMap{map} cannot say what this request is for: {failed}.");
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            Refusal {
                blame: Blame::Proxy,
                ..Refusal::client(status, "map_rule_failed", message)
            }
        }
    })
}

/// The highest price of all that a call of `model` may come to; absent: it costs nothing, or comes to nothing.
pub(super) fn dearest(
    asked: &Asked,
    names: &Names,
    operation: Operation<'_>,
    body: Option<&Bytes>,
    model: &str,
) -> Option<PriceItem> {
    let steps = resolved(asked, names, operation, body, (model, &[])).ok()?;
    let models = steps.iter().map(|step| (&*step.model, step.backend));
    asked.route().dearest(models)
}
