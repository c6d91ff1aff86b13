//! What a request says: rules, models and limits, asked once its model is known.

use std::sync::Arc;

use bytes::Bytes;
use dragoman_config::{ObjectKey, PriceItem};
use dragoman_dialects::Wire;
use http::{Response, StatusCode};

use super::inner::Inner;
use super::told::{left, telling};
use super::{later, names, spelled};
use crate::access::caller::Callers;
use crate::access::facts::Facts;
use crate::access::limits::{self, Ask, Reservation};
use crate::access::metrics::{Line, Reason};
use crate::access::policy::Policy;
use crate::access::respond;
use crate::access::response::{Judging, ResponseRules};
use crate::access::rules::{self, Admitted, Decision, Failed};
use crate::access::usage::{Estimate, Meter};
use crate::serve::body::Body;
use crate::serve::dispatch::Asked;
use crate::serve::error::{Blame, Log, Refusal, bounded};
use crate::serve::metered::{self, Metered};
use crate::serve::{reply, translation};
use crate::state::reading::Reading;

/// The header by which a client chooses a backend, where a rule lets it.
const BACKEND: &str = "x-dragoman-backend";

/// What is judged.
#[derive(Clone, Copy)]
pub(crate) struct Question<'a> {
    /// The body, where it is JSON that was read.
    pub(crate) body: Option<&'a Bytes>,
    /// Whether the names of its members were looked at.
    pub(crate) plain: bool,
    /// The model that the client names.
    pub(crate) model: Option<&'a str>,
    /// Other names of it: what is denied or counted by one of them is so by all.
    pub(crate) others: &'a [&'a str],
    /// How a model's answer is told, where one is asked for.
    pub(crate) told: Option<Told<'a>>,
    /// What the model of a name and a body may cost at most.
    pub(crate) price: &'a dyn Fn(&str, Option<&Bytes>) -> Option<PriceItem>,
}

impl<'a> Question<'a> {
    /// About a request of no API that is known here, with this body where it is JSON that was read, and this model where it names one.
    pub(crate) fn plainly(body: Option<&'a Bytes>, model: Option<&'a str>) -> Self {
        Self {
            body,
            plain: false,
            model,
            others: &[],
            told: None,
            price: &|_, _| None,
        }
    }
}

/// How a model's answer is told.
#[derive(Clone, Copy)]
pub(crate) struct Told<'a> {
    /// The client's dialect.
    pub(crate) client: Wire,
    /// What the path says of the call.
    pub(crate) said: dragoman_dialects::Path<'a>,
}

/// What becomes of it.
pub(crate) enum Judged {
    /// It goes on.
    Goes(Going),
    /// It is answered.
    Answered(Response<Body>),
}

/// What goes on, with what rules changed.
#[derive(Default)]
pub(crate) struct Going {
    /// Another body.
    pub(crate) body: Option<Bytes>,
    /// Another model.
    pub(crate) model: Option<String>,
    /// The model that the client asked for, where rules were asked.
    pub(crate) requested: Option<String>,
    /// The backend that the client chose.
    pub(crate) backend: Option<String>,
    /// What was reserved of limits.
    pub(crate) reserved: Option<Reserved>,
    /// The rules on the reply.
    pub(crate) judging: Option<Judging>,
}

/// Judges a request by the policies of its route.
///
/// # Errors
/// What they refuse.
pub(crate) async fn judge(asked: &Asked, question: Question<'_>) -> Result<Judged, Refusal> {
    let policies = asked.policies();
    if policies.is_empty() {
        return Ok(Judged::Goes(Going::default()));
    }
    let with = (&asked.callers, &asked.route().reading);
    let judged = by(asked, policies, with, question).await?;
    if let Judged::Goes(Going {
        reserved: Some(reserved),
        ..
    }) = &judged
        && asked
            .route()
            .backends
            .iter()
            .any(|it| !it.policies.are_none())
    {
        asked.counted.borrow_mut().hold(&reserved.reservation);
    }
    Ok(judged)
}

/// Judges a request by these policies, of which `reading` says what they look at.
///
/// # Errors
/// What they refuse.
pub(super) async fn by(
    asked: &Asked,
    policies: &[Arc<Policy>],
    (callers, reading): (&Callers, &Reading),
    question: Question<'_>,
) -> Result<Judged, Refusal> {
    if let Some(body) = question.body {
        if !question.plain {
            let judged = policies.iter().any(|policy| policy.judges_bodies());
            names::refuse_ambiguous(body, judged || reading.models)?;
        }
        if reading.members {
            spelled::refuse_other_case(body, reading)?;
        }
    }
    let admitted = match rule(asked, policies, callers, question).await? {
        Ok(admitted) => admitted,
        Err(answer) => return Ok(Judged::Answered(answer)),
    };
    let body = admitted.body.as_ref().or(question.body);
    let model = admitted.model.as_deref().or(question.model);
    if let Some(model) = model {
        for policy in policies {
            let denied = question.others.iter().any(|it| policy.models.denies(it));
            if denied || !policy.models.admits(model) {
                policy.metrics.refused(Reason::Model);
                // A backend's own name is nothing that clients are told.
                return Err(Refusal::no_model(question.others.first().unwrap_or(&model)));
            }
        }
    }
    let inner = match body {
        Some(body) if reading.lists => Inner::of(body),
        _ => Inner::default(),
    };
    let inner = inner.judged(policies, model, question.others)?;
    let judging = on_reply(asked, policies, callers, body, model)?;
    let others = [question.others, &inner].concat();
    let question = Question {
        others: &others,
        ..question
    };
    let reserved = reserve(asked, policies, callers, (body, model), question).await?;
    let backend = if admitted.backend_header {
        chosen(asked)?
    } else {
        None
    };
    Ok(Judged::Goes(Going {
        body: admitted.body,
        model: admitted.model,
        requested: None,
        backend,
        reserved,
        judging,
    }))
}

/// The rules that the reply will be judged by.
fn on_reply(
    asked: &Asked,
    policies: &[Arc<Policy>],
    callers: &Callers,
    body: Option<&Bytes>,
    model: Option<&str>,
) -> Result<Option<Judging>, Refusal> {
    // What the route has of a backend's policies judges the reply once.
    let again = !std::ptr::eq(policies, asked.policies());
    let judged = |key: &ObjectKey| again && asked.policies().iter().any(|one| one.key == *key);
    let with_rules = policies
        .iter()
        .filter(|policy| !policy.response_rules.is_empty() && !judged(&policy.key));
    let rules: Vec<_> = with_rules
        .map(|policy| (&policy.key, &*policy.response_rules, callers.of(policy)))
        .collect();
    if rules.is_empty() {
        return Ok(None);
    }
    let headers = asked.headers();
    let facts = Facts {
        body,
        headers: &headers,
        caller: &callers.first,
        route: &asked.route().key,
        model,
    };
    let begun = ResponseRules::begin(&rules, facts, &asked.worker.services);
    begun.map_err(|fault| failed(asked, policies, &fault))
}

/// Judges a request that names no model and whose body is not read, and answers it by `answer`.
///
/// # Errors
/// What the policies refuse, and what `answer` does.
pub(crate) async fn judged(
    asked: &Asked,
    answer: impl Future<Output = Result<Response<Body>, Refusal>>,
) -> Result<Response<Body>, Refusal> {
    match judge(asked, Question::plainly(None, None)).await? {
        Judged::Answered(answer) => Ok(answer),
        Judged::Goes(going) => Ok(going.holds(answer.await?)),
    }
}

impl Going {
    /// A reply whose tokens nobody counts: until its end the request counts as one that is under way.
    pub(crate) fn holds(self, response: Response<Body>) -> Response<Body> {
        held(response, meter(None, self.reserved), false)
    }
}

/// A reply to what is no call: until its end the request counts as one that is under way. `tells`: it is the answer to a body that was read, and may
/// tell what a model used.
pub(crate) fn held(response: Response<Body>, meter: Option<Meter>, tells: bool) -> Response<Body> {
    let Some(mut meter) = meter else {
        return response;
    };
    let response = telling(response, left(&meter));
    if tells {
        return metered::response(response, meter, Wire::Chat, false);
    }
    if response.status().as_u16() >= 400 {
        meter.refund();
    }
    response.map(|body| body.metered(Some(Metered::counted(meter))))
}

/// What was reserved of limits.
pub(crate) struct Reserved {
    reservation: Reservation,
    /// The estimated tokens of the prompt.
    prompt: u64,
    /// What the model may cost at most, until it is known who answers.
    price: Option<PriceItem>,
}

impl Reserved {
    /// Gives it back, so that another backend can be asked in this one's place.
    pub(super) fn give_back(self, asked: &Asked) {
        asked.counted.borrow_mut().give_back(self.reservation);
    }

    /// Whether tokens or cost are among it.
    pub(crate) fn counts(&self) -> bool {
        self.reservation.counts_tokens()
    }
}

/// What settles all that was reserved, by what the reply tells: `other` is what was reserved after `one`.
pub(crate) fn meter(one: Option<Meter>, other: Option<Reserved>) -> Option<Meter> {
    match (one, other) {
        (Some(mut meter), Some(reserved)) => {
            meter.hold(reserved.reservation);
            Some(meter)
        }
        (None, Some(reserved)) => {
            let mut meter = Meter::new(vec![reserved.reservation], reserved.prompt);
            // Whoever leaves before it is known who answers pays the highest price.
            if let Some(price) = reserved.price {
                meter.price(price);
            }
            Some(meter)
        }
        (meter, None) => meter,
    }
}

/// Whether every policy admits the model of this name.
pub(crate) fn lists(policies: &[Arc<Policy>], model: &str, others: &[&str]) -> bool {
    policies.iter().all(|policy| {
        policy.models.admits(model) && !others.iter().any(|it| policy.models.denies(it))
    })
}

/// What rules make of the request, or an answer in the model's place.
async fn rule(
    asked: &Asked,
    policies: &[Arc<Policy>],
    callers: &Callers,
    question: Question<'_>,
) -> Result<Result<Admitted, Response<Body>>, Refusal> {
    let with_rules = policies.iter().filter(|policy| !policy.rules.is_empty());
    let rules: Vec<_> = with_rules
        .map(|policy| (&policy.key, &policy.rules, callers.of(policy)))
        .collect();
    if rules.is_empty() {
        return Ok(Ok(Admitted::default()));
    }
    // Nobody else looks at them meanwhile.
    let headers = asked.headers.take();
    let facts = Facts {
        body: question.body,
        headers: &headers,
        caller: &callers.first,
        route: &asked.route().key,
        model: question.model,
    };
    let decided = rules::judge(&rules, facts, &asked.worker.services).await;
    asked.headers.replace(headers);
    let count = |key: &ObjectKey, reason| {
        if let Some(policy) = policies.iter().find(|policy| policy.key == *key) {
            policy.metrics.refused(reason);
        }
    };
    match decided {
        Ok(Decision::Admit(admitted)) => Ok(Ok(admitted)),
        Ok(Decision::Deny(denied)) => {
            count(&denied.policy, Reason::Rule);
            let status = StatusCode::from_u16(denied.status).unwrap_or(StatusCode::FORBIDDEN);
            Err(Refusal::client(status, "request_denied", denied.message))
        }
        Ok(Decision::Respond { policy, rule, text }) => {
            count(&policy, Reason::Rule);
            tracing::debug!(request_id = %asked.id, %policy, rule, "answered in the model's place");
            let (Some(Told { client, said }), Some(body)) = (question.told, question.body) else {
                // Where no model's words are asked for, there is nothing to say them in.
                return Err(Refusal::client(
                    StatusCode::FORBIDDEN,
                    "request_denied",
                    text,
                ));
            };
            let answered = respond::Answered {
                client,
                body,
                said,
                path: &asked.path,
                model: question.model.unwrap_or_default(),
                id: &asked.id.to_string(),
            };
            let told = respond::respond(answered, &text);
            let (headers, body) = told.map_err(|fault| translation::malformed(&fault))?;
            Ok(Err(reply::respond(StatusCode::OK, headers, body)))
        }
        Err(fault) => Err(failed(asked, policies, &fault)),
    }
}

/// The refusal of a request that a rule could not judge.
fn failed(asked: &Asked, policies: &[Arc<Policy>], failed: &Failed) -> Refusal {
    let Failed {
        policy, rule, why, ..
    } = failed;
    if failed.status == 400 {
        if let Some(of) = policies.iter().find(|of| of.key == *policy) {
            of.metrics.refused(Reason::Rule);
        }
        return Refusal::client(StatusCode::BAD_REQUEST, "request_denied", why.clone());
    }
    if let Some(of) = policies.iter().find(|of| of.key == *policy) {
        of.metrics.refused(Reason::RuleFailed);
        if of.metrics.tells(Line::RuleFailed) {
            tracing::warn!(request_id = %asked.id, %policy, rule, "a rule failed, so the request is refused: {why}");
        }
    }
    let refusal = if failed.status == 503 {
        // Where its service is, and what that said, is not the client's business.
        let message = format!(
            "The service that the rule {rule:?} of AccessPolicy {policy} asks gives no answer."
        );
        Refusal::unavailable(Blame::Proxy, "rule_unavailable", message)
    } else {
        let message =
            format!("The rule {rule:?} of AccessPolicy {policy} cannot judge this request: {why}.");
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Refusal {
            blame: Blame::Proxy,
            ..Refusal::client(status, "rule_failed", message)
        }
    };
    refusal.logged(Log::Told)
}

/// Counts the request under the limits of all policies at once.
async fn reserve(
    asked: &Asked,
    policies: &[Arc<Policy>],
    callers: &Callers,
    (body, model): (Option<&Bytes>, Option<&str>),
    question: Question<'_>,
) -> Result<Option<Reserved>, Refusal> {
    let bounding = policies.iter().filter(|policy| !policy.limits.is_empty());
    let limits: Vec<_> = bounding
        .map(|policy| (&policy.limits, callers.of(policy)))
        .collect();
    if limits.is_empty() {
        return Ok(None);
    }
    let counts = limits.iter().any(|(limits, _)| limits.counts_tokens());
    let estimate = match body {
        Some(body) if counts => Estimate::of(body),
        _ => Estimate::default(),
    };
    let price = match model {
        Some(model) if limits.iter().any(|(limits, _)| limits.counts_cost()) => {
            (question.price)(model, body)
        }
        _ => None,
    };
    let ask = Ask {
        route: &asked.route().key,
        model,
        others: question.others,
        tokens: estimate.tokens(),
        cost: price.map_or(0, |price| estimate.cost(&price)),
    };
    if counts && let Some(body) = body {
        later::refuse(policies, &ask, body)?;
    }
    let memory = asked.worker.shared.memory();
    // Nobody else looks at it meanwhile.
    let counted = asked.counted.take();
    let reserved = limits::reserve(&limits, &ask, &memory.counters, &counted).await;
    asked.counted.replace(counted);
    match reserved {
        Ok(reservation) => Ok(Some(Reserved {
            reservation,
            prompt: estimate.prompt,
            price,
        })),
        Err(exceeded) => {
            let over = exceeded.policy.as_deref();
            if let Some(policy) = policies.iter().find(|policy| Some(&policy.key) == over) {
                policy.metrics.refused(Reason::Limit);
            }
            let status = StatusCode::TOO_MANY_REQUESTS;
            Err(Refusal {
                retry: exceeded.retry_after.is_some(),
                retry_after: exceeded.retry_after,
                limits: exceeded.headers.into(),
                ..Refusal::client(status, "rate_limit_exceeded", exceeded.message)
            })
        }
    }
}

/// The backend that the client chose by its name within the route.
fn chosen(asked: &Asked) -> Result<Option<String>, Refusal> {
    let headers = asked.headers();
    let Some(value) = headers.get(BACKEND) else {
        return Ok(None);
    };
    let name = value.to_str().unwrap_or_default();
    if asked.route().backend(name).is_some() {
        return Ok(Some(name.to_owned()));
    }
    let names: Vec<&str> = asked
        .route()
        .backends
        .iter()
        .map(|entry| entry.name.as_str())
        .collect();
    let message = format!(
        "{BACKEND} names {:?}, and LLMRoute {} has the backends {}.",
        bounded(name, 64),
        asked.route().key,
        names.join(", ")
    );
    Err(Refusal::client(
        StatusCode::BAD_REQUEST,
        "unknown_backend",
        message,
    ))
}
