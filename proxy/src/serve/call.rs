//! A call that names a model: judged and renamed by the route's map, sent to who has the model, answered.

use bytes::Bytes;
use dragoman_config::names::Names;
use dragoman_dialects::Wire;
use http::{Response, StatusCode};
use hyper::body::Incoming;

use super::admission::{self, Going, Inner, Judged, MemberNames, Question, Reserved, Told};
use super::body::Body;
use super::content::{Content, refuse_encoded};
use super::counting::Counting;
use super::dispatch::Asked;
use super::embeddings::{self, Vectors};
use super::error::{Blame, Refusal};
use super::kept::Suspect;
use super::path::Operation;
use super::reply::{self, Edits};
use super::steps::{Answer, Call};
use super::translated;
use super::translation::Translation;
use super::{judged, kept, metered, path, relay, steps};
use crate::access::response::Judging;
use crate::access::usage::Meter;
use crate::json::{self, Malformed, ObjectEdit};
use crate::state::route::{Map, Route};
use crate::think;

/// Answers a POST whose body is JSON, with a `model` where the path names none.
pub(crate) async fn answer(
    asked: &Asked,
    operation: Operation<'_>,
    body: Incoming,
) -> Result<Response<Body>, Refusal> {
    let names = names(asked.route())?;
    refuse_encoded(&asked.headers())?;
    let body = asked.whole(body).await?;
    let mut member_names = MemberNames::default();
    let scanned = kept::scan(&body, &relay::MEMBERS, false, |name| member_names.see(name));
    let (members, suspect) = scanned.map_err(Refusal::malformed)?;
    member_names.refuse_ambiguous(asked.judges_bodies())?;
    let named = operation.model();
    let named = named.or_else(|| asked.deployment.as_deref().map(Into::into));
    let Some(model) = named.or_else(|| members.text(&body, "model")) else {
        return Err(missing_model());
    };
    let content = Content::Json {
        body: &body,
        members: &members,
        suspect,
    };
    send(asked, names, operation, content, &model, true).await
}

/// The refusal of a call whose body names no model.
pub(crate) fn missing_model() -> Refusal {
    let message = "The request's body has no \"model\", or it is not a string.";
    Refusal {
        param: Some("model".into()),
        ..Refusal::client(StatusCode::BAD_REQUEST, "missing_model", message)
    }
}

/// Answers a call of `model`, wherever its body names it. `plain`: the names of the body's members were looked at.
pub(crate) async fn named(
    asked: &Asked,
    operation: Operation<'_>,
    content: Content<'_>,
    model: &str,
    plain: bool,
) -> Result<Response<Body>, Refusal> {
    let names = names(asked.route())?;
    send(asked, names, operation, content, model, plain).await
}

/// As for [`named`].
async fn send(
    asked: &Asked,
    names: &Names,
    operation: Operation<'_>,
    content: Content<'_>,
    model: &str,
    plain: bool,
) -> Result<Response<Body>, Refusal> {
    asked.notes.note(|draft| {
        draft.model_requested = Some(model.to_owned());
        draft.streams = operation.streams();
    });
    if asked.policies().is_empty() {
        return go(asked, names, operation, content, model, Going::default()).await;
    }
    let question = Question {
        told: client(asked, operation, &content)?.map(|client| Told {
            client,
            said: said(asked, operation, model),
        }),
        plain,
        price: &|model, body| steps::dearest(asked, names, operation, body, model),
        ..Question::plainly(content.json(), Some(model))
    };
    let mut going = match Box::pin(admission::judge(asked, question)).await? {
        Judged::Goes(going) => going,
        Judged::Answered(answer) => return Ok(answer),
    };
    going.requested = Some(model.to_owned());
    let chosen = going.model.take();
    let model = chosen.as_deref().unwrap_or(model);
    let changed = match (&content, &chosen) {
        // What the path does not say, the body does: it must not go on under the name that came.
        (Content::Json { body, .. }, Some(model))
            if operation.model().is_none() && asked.deployment.is_none() =>
        {
            let body = going.body.as_ref().unwrap_or(body);
            Some(renamed(body, model).map_err(Refusal::malformed)?)
        }
        _ => going.body.take(),
    };
    match &changed {
        None => go(asked, names, operation, content, model, going).await,
        Some(body) => {
            let responses = relay::is_responses(&asked.path);
            let scanned = kept::scan(body, &relay::MEMBERS, responses, |_| ());
            let (members, suspect) = scanned.map_err(Refusal::malformed)?;
            let content = Content::Json {
                body,
                members: &members,
                suspect,
            };
            Box::pin(go(asked, names, operation, content, model, going)).await
        }
    }
}

/// A body that names another model.
pub(super) fn renamed(body: &Bytes, model: &str) -> Result<Bytes, Malformed> {
    let members = json::scan(body, &relay::MEMBERS)?;
    let mut edit = ObjectEdit::new(&members);
    edit.set("model", json::string::literal(model).into());
    Ok(json::splice(body, edit.finish()).concat().into())
}

/// The client's dialect; none where no conversation is asked for.
fn client(
    asked: &Asked,
    operation: Operation<'_>,
    content: &Content<'_>,
) -> Result<Option<Wire>, Refusal> {
    let responses = operation == Operation::Other && relay::is_responses(&asked.path);
    Ok(match (operation.wire(), content) {
        (Some(Wire::BedrockInvoke), Content::Json { body, .. }) => Some(invoked(body)?),
        (None, _) if responses => Some(Wire::Responses),
        (client, _) => client,
    })
}

/// What the path says of a call.
fn said<'a>(
    asked: &Asked,
    operation: Operation<'_>,
    model: &'a str,
) -> dragoman_dialects::Path<'a> {
    dragoman_dialects::Path {
        model: (operation.model().is_some() || asked.deployment.is_some()).then_some(model),
        stream: operation.streams(),
    }
}

/// Sends a call that is admitted, and answers it.
async fn go(
    asked: &Asked,
    names: &Names,
    operation: Operation<'_>,
    content: Content<'_>,
    model: &str,
    going: Going,
) -> Result<Response<Body>, Refusal> {
    let client = client(asked, operation, &content)?;
    asked.notes.note(|draft| draft.wire = client);
    let requested = going.requested.as_deref().unwrap_or(model);
    // What a reply is edited in place for.
    let edited = operation.wire().is_some_and(think::edits);
    let response = client == Some(Wire::Responses);
    let known = response || (operation != Operation::Other && client.is_none_or(think::edits));
    let said = said(asked, operation, model);
    let counts =
        going.reserved.as_ref().is_some_and(Reserved::counts) || asked.route().backends_count();
    let judges = going.judging.is_some() || asked.route().backends_judge();
    let translation = match (client, &content) {
        (Some(client), Content::Json { body, .. }) => {
            let translation = Translation::new(client, body, said, asked.route());
            let translation = translation.betas(&asked.headers());
            Some(translation.metered(counts).judged(judges))
        }
        _ => None,
    };
    // OpenAI's streams tell of tokens only to those that ask.
    let hides = match (client, &content) {
        (Some(client), Content::Json { body, .. }) if counts => metered::hides(client, body),
        _ => false,
    };
    let vectors = match (embeddings::Form::of(operation), &content) {
        (Some(client), Content::Json { body, .. }) => Some(Vectors::new(client, body, said)),
        _ => None,
    };
    let counting = match &content {
        Content::Json { body, .. } => Counting::of(operation, body, said),
        Content::Form { .. } => None,
    };
    let rules = edited
        .then_some(&asked.route().rules)
        .filter(|rules| !rules.is_inert());
    let extracts = rules.is_some_and(|rules| rules.extracts());
    let shown = match (client, &content) {
        _ if !extracts => false,
        (Some(Wire::Messages | Wire::BedrockInvoke), Content::Json { body, .. }) => {
            think::wants_thinking(body)
        }
        (Some(Wire::Gemini | Wire::BedrockConverse), _) => {
            let translation = translation.as_ref();
            translation.is_some_and(Translation::wants_reasoning)
        }
        _ => false,
    };
    // Neither names a model in its replies.
    let named = known && !matches!(client, Some(Wire::BedrockConverse | Wire::Tgi));
    let edits = Edits {
        dialect: client.unwrap_or_else(|| path::speaks(&asked.path, &asked.headers())),
        array: matches!(operation, Operation::Gemini(named) if named.stream),
        think: rules,
        shown,
        model: (named && names.reply_requested).then(|| json::string::literal(requested).into()),
    };
    if let Some(denied) = going.judging.as_ref().and_then(Judging::refuses) {
        judged::note(&denied, asked.id, &asked.worker.shared);
        return Err(judged::denied(&denied));
    }
    let looks_into = (known && !edits.are_none()) || judges || counts;
    let inner = match &content {
        Content::Json { body, suspect, .. }
            if (*suspect == Suspect::Maybe || response) && asked.route().sorts_models() =>
        {
            Inner::of(body)
        }
        _ => Inner::default(),
    };
    if asked.route().restricts_models() {
        inner.refuse_unnamed()?;
    }
    // A model in the body opens no door to what a key owns.
    let other = operation == Operation::Other;
    let owned = other && !relay::is_by_model(&asked.path);
    let call = Call {
        asked,
        operation,
        content,
        model,
        inner: inner.besides(&[model, requested]).collect(),
        owned,
        translation,
        vectors,
        counting,
        chosen: going.backend,
        hides,
    };
    if let Some(loaded) = call.loaded(names)? {
        return Ok(loaded);
    }
    // A client that leaves from here on pays for its prompt.
    let mut meter = admission::meter(None, going.reserved);
    let Answer {
        reply,
        entry,
        backend,
        name,
        admitted,
        price,
    } = match call.send(names, looks_into).await {
        Ok(answer) => answer,
        Err(refusal) => {
            if let Some(meter) = &mut meter {
                meter.refund();
            }
            return Err(refusal);
        }
    };
    let mut meter = admission::meter(meter, admitted.reserved);
    if let (Some(meter), Some(price)) = (&mut meter, price) {
        meter.price(price);
    }
    let left = meter.as_ref().and_then(admission::left);
    let answered = async {
        if let Some(judging) = Judging::and(going.judging, admitted.judging) {
            let names = (&*name, names.reply_requested.then(|| requested.to_owned()));
            if let Some(way) = judged::way(&call, backend, &reply, judging, names)? {
                let who = (&*entry.name, backend);
                return Box::pin(translated::answer(reply, way, asked, who, &mut meter)).await;
            }
        }
        if let Some(translation) = &call.translation
            && let Some(ends) = translation.ends(backend)
        {
            let names = (&*name, names.reply_requested.then(|| requested.to_owned()));
            let way = translation.way(ends, backend, asked, names);
            let who = (&*entry.name, backend);
            return Box::pin(translated::answer(reply, way, asked, who, &mut meter)).await;
        }
        if let Some(vectors) = &call.vectors
            && let Some(form) = vectors.upstream(backend)?
        {
            let names = (&*name, names.reply_requested.then(|| requested.to_owned()));
            let who = (&*entry.name, &**backend);
            let answered = Box::pin(vectors.answer(reply, form, asked, who, names)).await?;
            return Ok(metered(answered, meter.take(), Wire::Chat, false));
        }
        if let Some(counting) = &call.counting
            && let Some(upstream) = counting.upstream(asked, backend)
        {
            let who = (&*entry.name, &**backend);
            let answered = Box::pin(counting.answer(reply, upstream, asked, who)).await?;
            return Ok(metered(answered, meter.take(), edits.dialect, false));
        }
        let dialect = edits.dialect;
        let answered = reply::answer(reply, edits, asked, backend, &entry.name).await?;
        Ok(metered(answered, meter.take(), dialect, hides))
    };
    match answered.await {
        Ok(answered) => Ok(admission::telling(answered, left)),
        Err(refusal) => {
            // Nothing of an answer is delivered, and that is not what the client asked for.
            if let Some(meter) = meter.as_mut().filter(|_| refusal.blame != Blame::Client) {
                meter.refund();
            }
            Err(refusal)
        }
    }
}

/// A reply that is looked into for tokens, where they count.
fn metered(
    response: Response<Body>,
    meter: Option<Meter>,
    client: Wire,
    hides: bool,
) -> Response<Body> {
    match meter {
        Some(meter) => metered::response(response, meter, client, hides),
        None => response,
    }
}

/// Which of Bedrock's models an invocation is written for: Claude 2's took a text.
fn invoked(body: &Bytes) -> Result<Wire, Refusal> {
    let members = json::scan(body, &["prompt", "messages"]).map_err(Refusal::malformed)?;
    let text = members.get("prompt").is_some() && members.get("messages").is_none();
    Ok(if text {
        Wire::BedrockText
    } else {
        Wire::BedrockInvoke
    })
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
