//! The policies of one backend, asked once it is a candidate.
//!
//! They judge what would reach it: the body as it is sent, in the backend's dialect and with what a ModelMap sets, and the model by every name that
//! leads to it. What a client or a route's author calls it is no way around them. A backend's own Mapper is its owner's, and comes after them.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};

use super::enter::{applying, enter};
use super::judge::{self, Judged, Question, Reserved};
use crate::access::identity::Consumed;
use crate::access::response::Judging;
use crate::serve::dispatch::Asked;
use crate::serve::error::{Blame, Refusal};
use crate::serve::{judged, ollama};
use crate::state::backend::Backend;
use crate::state::dialect;
use crate::state::route::RouteBackend;

/// A request that a backend's policies admit.
#[derive(Default)]
pub(crate) struct Admitted {
    /// The headers that authenticated the caller here, which go no further.
    pub(crate) consumed: Consumed,
    /// What was reserved of its limits.
    pub(crate) reserved: Option<Reserved>,
    /// The rules on its reply.
    pub(crate) judging: Option<Judging>,
}

/// A request as it would reach a backend.
#[derive(Clone, Copy, Default)]
pub(crate) struct Reaching<'a> {
    /// What stands after the backend's base URL.
    pub(crate) path: &'a str,
    /// The body, where it is a JSON object.
    pub(crate) body: Option<&'a Bytes>,
    /// Whether there is one that nobody can read.
    pub(crate) unread: bool,
    /// Whether it may call a model that nobody here can name.
    pub(crate) unnamed: bool,
    /// The model, where one is named.
    pub(crate) model: Option<Named<'a>>,
}

/// The names of one model.
#[derive(Clone, Copy)]
pub(crate) struct Named<'a> {
    /// Which the client uses.
    pub(crate) client: &'a str,
    /// In the backend's catalog, or as it is called without one.
    pub(crate) bare: &'a str,
    /// Which the upstream knows.
    pub(crate) upstream: &'a str,
}

impl<'a> Named<'a> {
    /// Of what goes to `entry` by the upstream's own name.
    pub(crate) fn directly(entry: &'a RouteBackend, upstream: &'a str) -> Self {
        let known = entry.names.known_as(upstream).first();
        Self {
            client: upstream,
            bare: known.map_or(upstream, String::as_str),
            upstream,
        }
    }

    /// All but the bare one, the client's first.
    pub(crate) fn others(&self, entry: &'a RouteBackend) -> Vec<&'a str> {
        let known = entry.names.known_as(self.upstream).iter();
        let names = [self.client, self.upstream].into_iter();
        names.chain(known.map(String::as_str)).collect()
    }
}

impl Admitted {
    /// What authenticated the caller here goes no further, even where the client's own credentials do.
    pub(crate) fn withhold(&self, headers: &mut HeaderMap) {
        self.consumed.take_out_of(headers);
    }

    /// Gives back what was reserved, since another backend is asked in this one's place; the request stays counted, and is not counted again.
    pub(crate) fn give_back(&mut self, asked: &Asked) {
        if let Some(reserved) = self.reserved.take() {
            reserved.give_back(asked);
        }
    }
}

/// Asks the policies of `entry` about a request.
///
/// # Errors
/// What they refuse.
pub(crate) async fn of_backend(
    asked: &Asked,
    entry: &RouteBackend,
    reaching: Reaching<'_>,
) -> Result<Admitted, Refusal> {
    if entry.policies.are_none() {
        return Ok(Admitted::default());
    }
    Box::pin(admits(asked, entry, reaching)).await
}

/// Refuses what policies that judge bodies could not judge, unless the backend's owner lists it.
fn refuse_unjudged(
    asked: &Asked,
    entry: &RouteBackend,
    reaching: &Reaching<'_>,
) -> Result<(), Refusal> {
    let listed = |backend: &Arc<Backend>| backend.lists(&asked.method, reaching.path);
    let judge = entry.policies.judge_bodies() || entry.reading.models;
    if !judge || entry.backend.as_ref().is_ok_and(listed) {
        return Ok(());
    }
    // Who may make a copy of a model under another name is bound by no policy of models.
    let below = reaching.path.strip_prefix("/api/");
    if asked.method != Method::GET && below.is_some_and(dialect::manages) {
        return Err(ollama::forbidden(asked));
    }
    if reaching.unread {
        return Err(judged::unread(asked));
    }
    if reaching.unnamed && entry.reading.models {
        return Err(judged::unnamed(asked));
    }
    Ok(())
}

async fn admits(
    asked: &Asked,
    entry: &RouteBackend,
    reaching: Reaching<'_>,
) -> Result<Admitted, Refusal> {
    let name = format_args!("Backend {:?}", entry.name);
    let policies = applying(&entry.policies, &name)?;
    let memory = asked.worker.shared.memory();
    let entered = enter(
        memory,
        asked.route(),
        policies,
        asked.callers.first.address,
        &asked.credentials,
    )
    .await?;
    let callers = entered.callers.after(&asked.callers.first);
    refuse_unjudged(asked, entry, &reaching)?;
    let others = reaching.model.map_or_else(Vec::new, |it| it.others(entry));
    let price = |bare: &str, _: Option<&Bytes>| entry.names.price(bare);
    let question = Question {
        others: &others,
        price: &price,
        ..Question::plainly(reaching.body, reaching.model.map(|it| it.bare))
    };
    match judge::by(asked, policies, (&callers, &entry.reading), question).await? {
        // A service that a rule asks may want to; no rule says so by itself, or its policy would not compile here.
        Judged::Goes(going) if going.body.is_some() || going.model.is_some() => {
            let message = format!(
                "A rule on backend {:?} wants to change the request, when it is too late.",
                entry.name
            );
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            Err(Refusal {
                blame: Blame::Proxy,
                ..Refusal::client(status, "rule_failed", message)
            })
        }
        Judged::Goes(going) => Ok(Admitted {
            consumed: entered.consumed,
            reserved: going.reserved,
            judging: going.judging,
        }),
        Judged::Answered(_) => {
            let message = "A rule of the backend's AccessPolicy refuses this request.";
            let status = StatusCode::FORBIDDEN;
            Err(Refusal::client(status, "request_denied", message))
        }
    }
}
