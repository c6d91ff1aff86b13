//! A reply that is on record, given once more to whoever got it: `x-dragoman-replay: <request id>`. No backend is asked.
//!
//! Policies of the LLMProxy and the route admit and count the request like any other. A backend's own are not asked, and rules on replies were applied
//! when the reply was made.

use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use dragoman_dialects::{Framing, Wire};
use dragoman_logbook::fault::Fault;
use dragoman_logbook::replay::{Found, REPLAY, Reply, Wanted};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use hyper::body::Incoming;

use super::admission::{self, Judged, Question};
use super::body::Body;
use super::dispatch::Asked;
use super::error::{Blame, Log, Refusal, bounded};
use super::path::Operation;
use super::request_id::RequestId;
use super::{relay, reply, translated};
use crate::json;
use crate::log::Tried;

/// The header that asks for a reply by its request's id, and that tells whose reply it is.
pub(crate) static HEADER: HeaderName = HeaderName::from_static("x-dragoman-replay");

/// How long is waited for a row that may be on its way to the log, each time that it is not there.
const WAITS: [Duration; 2] = [Duration::from_millis(300), Duration::from_millis(900)];
/// How old a request may be whose row may be on its way. No reply takes longer, as a rule.
const YOUNG: Duration = Duration::from_mins(15);

/// Answers a request that asks for a reply that is on record.
///
/// # Errors
/// 403 where the route replays nothing, 404 where there is nothing for whoever asks, 400 for a request that its reply would be no answer to, 503 while the log is away, and what
/// policies refuse.
pub(crate) async fn answer(
    asked: &Asked,
    operation: Operation<'_>,
    body: Incoming,
) -> Result<Response<Body>, Refusal> {
    let body = asked.whole(body).await?;
    let route = asked.route();
    if !route.replays() {
        let message = format!(
            "LLMRoute {} replays nothing; set its spec.replay.enabled, or leave the header {HEADER} out.",
            route.key
        );
        return Err(Refusal::client(
            StatusCode::FORBIDDEN,
            "replay_disabled",
            message,
        ));
    }
    let members = json::scan(&body, &["model", "stream"]).ok();
    let in_body = members.as_ref().and_then(|it| it.text(&body, "model"));
    let model = operation
        .model()
        .or_else(|| asked.deployment.as_deref().map(Into::into));
    let model = model.or(in_body);
    let responses = operation == Operation::Other && relay::is_responses(&asked.path);
    let wire = operation.wire().or(responses.then_some(Wire::Responses));
    asked.notes.note(|draft| {
        draft.wire = wire;
        draft.model_requested = model.as_deref().map(str::to_owned);
        draft.streams = operation.streams();
    });
    let question = Question::plainly(members.is_some().then_some(&body), model.as_deref());
    let going = match admission::judge(asked, question).await? {
        Judged::Goes(going) => going,
        Judged::Answered(answer) => return Ok(answer),
    };
    // No model uses anything.
    let meter = admission::meter(None, going.reserved).map(|mut meter| {
        meter.refund();
        meter
    });
    let (id, reply) = found(asked).await?;
    let in_body = || {
        let members = members.as_ref()?;
        let ollamas = matches!(wire?, Wire::OllamaChat | Wire::OllamaGenerate);
        Some(members.is_true(&body, "stream") || (ollamas && members.get("stream").is_none()))
    };
    fits(asked, &reply, operation.streams().or_else(in_body))?;
    Ok(admission::held(response(id, reply)?, meter, false))
}

/// The reply that is asked for, and whose it is.
async fn found(asked: &Asked) -> Result<(RequestId, Reply), Refusal> {
    let id = {
        let headers = asked.headers();
        let text = headers.get(&HEADER).and_then(|id| id.to_str().ok());
        text.and_then(|text| RequestId::parse(text.trim()))
    };
    let id = id.ok_or_else(nothing)?;
    let caller = &asked.callers.first;
    let key = &asked.route().key;
    let wanted = Wanted {
        id: id.to_string(),
        proxy: asked.state.key.to_string(),
        namespace: key.namespace.clone(),
        route: key.name.clone(),
        user: caller.user.as_ref().map(|user| user.name.clone()),
        address: caller.address.to_string(),
    };
    let log = asked.worker.shared.log();
    let log = log.ok_or_else(|| away(&Fault::Away("no log is kept".into())))?;
    let began = Instant::now();
    let mut waits = WAITS.into_iter().filter(|_| is_young(id));
    let found = loop {
        let found = log.replays().find(wanted.clone()).await;
        let found = found.map_err(|fault| away(&fault))?;
        match waits.next() {
            Some(wait) if found == Found::Nothing => tokio::time::sleep(wait).await,
            _ => break found,
        }
    };
    match found {
        Found::Reply(reply) => {
            asked.notes.note(|draft| {
                draft.tried.push(Tried {
                    backend: REPLAY.to_owned(),
                    url: id.to_string(),
                    status: Some(reply.status),
                    fault: None,
                    from: began.saturating_duration_since(draft.began),
                    took: began.elapsed(),
                });
            });
            Ok((id, reply))
        }
        Found::NotWhole => {
            let message = format!(
                "The reply of request {id} cannot be replayed: it is not on record as it was sent (logging.bodies of the LLMProxy or of the LLMRoute kept less than Full of it, it was compressed, no text or too long, something in it was masked, or it broke off), or spec.replay.enabled of the LLMRoute was not set yet."
            );
            Err(Refusal::client(
                StatusCode::NOT_FOUND,
                "reply_not_kept",
                message,
            ))
        }
        Found::Nothing => Err(nothing()),
    }
}

/// One answer to what is not there, and to what is somebody else's.
fn nothing() -> Refusal {
    let message = format!(
        "No reply of a request with the id in {HEADER} is on record that was made by you to this route. The id is what a reply has in x-dragoman-request-id; a reply is on record a second after its end, and until its time is over."
    );
    Refusal::client(StatusCode::NOT_FOUND, "reply_not_found", message)
}

fn away(fault: &Fault) -> Refusal {
    let message = "The request log cannot be asked for a reply at the moment.";
    let refusal = Refusal::unavailable(Blame::Proxy, "replay_unavailable", message);
    refusal.logged(Log::Detail(format!("a reply cannot be replayed: {fault}")))
}

/// Whether the request is so young that its row may be on its way.
fn is_young(id: RequestId) -> bool {
    let made = id.made();
    made.and_then(|made| SystemTime::now().duration_since(made).ok())
        .is_some_and(|age| age < YOUNG)
}

/// Refuses a request that the reply would be no answer to. `streams`: whether it asks for a stream, where it says.
fn fits(asked: &Asked, reply: &Reply, streams: Option<bool>) -> Result<(), Refusal> {
    let path = reply.path.split('?').next().unwrap_or_default();
    let same = reply.method == asked.method.as_str() && path.ends_with(&asked.path);
    let what = if !same {
        format!("{} {}", reply.method, bounded(path, 256))
    } else if streams.is_some_and(|streams| streams != reply.stream) {
        let with = if reply.stream { "a" } else { "no" };
        format!("a request for {with} stream")
    } else {
        return Ok(());
    };
    let message =
        format!("The reply that is on record answers {what}; ask for it in the same way.");
    Err(Refusal::client(
        StatusCode::BAD_REQUEST,
        "replay_mismatch",
        message,
    ))
}

fn response(id: RequestId, reply: Reply) -> Result<Response<Body>, Refusal> {
    let unusable = || away(&Fault::Away("what is on record is no reply".into()));
    let status = StatusCode::from_u16(reply.status).map_err(|_| unusable())?;
    let mut headers = HeaderMap::new();
    if !reply.content_type.is_empty() {
        let kind = HeaderValue::try_from(reply.content_type).map_err(|_| unusable())?;
        headers.insert(header::CONTENT_TYPE, kind);
    }
    headers.insert(HEADER.clone(), id.header());
    let body = Bytes::from(reply.body);
    let body = match translated::framing(&headers) {
        Some(framing) => Body::segments(pieces(framing, body)),
        None => Body::whole(body),
    };
    Ok(reply::respond(status, headers, body))
}

/// A stream's events, each as it is.
fn pieces(framing: Framing, mut body: Bytes) -> Vec<Bytes> {
    let mut pieces = Vec::new();
    let mut begun = 0;
    let mut line = 0;
    let whole = body.clone();
    for end in memchr::memchr_iter(b'\n', &whole) {
        let is_blank = matches!(&whole[line..end], b"" | b"\r");
        line = end + 1;
        if is_blank || framing != Framing::Sse {
            pieces.push(body.split_to(line - begun));
            begun = line;
        }
    }
    if !body.is_empty() {
        pieces.push(body);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(framing: Framing, body: &str) -> Vec<String> {
        let pieces = pieces(framing, Bytes::copy_from_slice(body.as_bytes()));
        let text = |piece: &Bytes| String::from_utf8(piece.to_vec()).unwrap();
        pieces.iter().map(text).collect()
    }

    #[test]
    fn a_stream_is_given_event_by_event_to_the_byte() {
        let events = "event: a\ndata: 1\n\ndata: 2\r\n\r\n: tail";
        assert_eq!(
            cut(Framing::Sse, events),
            ["event: a\ndata: 1\n\n", "data: 2\r\n\r\n", ": tail"]
        );
        assert_eq!(cut(Framing::Ndjson, "{}\n{}\n"), ["{}\n", "{}\n"]);
        assert_eq!(cut(Framing::Sse, ""), Vec::<String>::new());
    }

    #[test]
    fn only_what_was_asked_a_moment_ago_may_be_on_its_way() {
        assert!(is_young(RequestId::new()));
        let old = RequestId::parse("01890000-0000-7000-8000-000000000000").unwrap();
        assert!(!is_young(old));
    }
}
