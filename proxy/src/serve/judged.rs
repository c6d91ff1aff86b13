//! Replies under rules: what is held back until its end, and what becomes of a reply that may not reach the client.

use dragoman_dialects::form::{Event, Reply as Form};
use dragoman_dialects::{Codec, StreamReader};
use http::StatusCode;

use super::dispatch::Asked;
use super::error::{Blame, Refusal};
use super::path::Operation;
use super::request_id::RequestId;
use super::steps::Call;
use super::translated::{Way, is_stream};
use super::unreadable::Whose;
use crate::access::metrics::{Line, Reason};
use crate::access::response::{self, ContentDenied, Judging, LONGEST, Stopped};
use crate::access::usage::Meter;
use crate::state::Shared;
use crate::state::backend::Backend;
use crate::translate::frames::Frames;
use crate::translate::{Broken, Collected, stream};
use crate::upstream::{Reply, ReplyBody};

/// How a reply to `call` is read for rules: whatever the backend speaks, it is told anew from what was read and judged. None where it has no text
/// that a model wrote: errors and vectors.
///
/// # Errors
/// 502, where nobody could judge what it says.
pub(crate) fn way(
    call: &Call<'_>,
    backend: &Backend,
    reply: &Reply,
    judging: Judging,
    names: (&str, Option<String>),
) -> Result<Option<Way>, Refusal> {
    let counts = matches!(
        call.operation,
        Operation::CountTokens | Operation::GeminiCount(_)
    );
    if reply.status.as_u16() >= 400 || call.vectors.is_some() || counts {
        return Ok(None);
    }
    let Some(translation) = &call.translation else {
        let what = format!("Nobody can judge what {} answers.", call.asked.path);
        return Err(unjudged(&what));
    };
    Ok(Some(match translation.ends(backend) {
        Some(ends) => Way {
            judging: Some(judging),
            ..translation.way(ends, backend, call.asked, names)
        },
        None => {
            let streamed = is_stream(&reply.headers);
            translation.way_back(backend, call.asked, streamed, judging, names)
        }
    }))
}

/// Refuses a request whose reply would be relayed unread, where rules on replies may apply to it.
///
/// # Errors
/// 403.
pub(crate) fn refuse_unread(asked: &Asked) -> Result<(), Refusal> {
    let judges = asked.policies().iter().any(|policy| policy.judges());
    if !judges && !asked.route().backends_judge() {
        return Ok(());
    }
    let message = format!(
        "Rules apply to replies of LLMRoute {}, and nobody can judge what {} answers.",
        asked.route().key,
        asked.shown_path()
    );
    let status = StatusCode::FORBIDDEN;
    Err(Refusal::client(status, "content_unjudged", message))
}

/// Collects a streamed reply that a rule holds back.
///
/// # Errors
/// 502, where the stream cannot be read to its end, or says more than is held back.
pub(crate) async fn collected(
    mut body: ReplyBody,
    upstream: &dyn Codec,
    mut reader: Box<dyn StreamReader>,
    whose: Whose<'_>,
    mut meter: Option<&mut Meter>,
) -> Result<Form, Refusal> {
    let mut frames = Frames::new(upstream.framing());
    let mut collected = Collected::default();
    let mut take = |event: Event<'_>, collected: &mut Collected| {
        if let Some(meter) = &mut meter {
            meter.event(&event);
        }
        collected.take(event);
    };
    while let Some(chunk) = body.chunk().await {
        let chunk = chunk.map_err(|fault| whose.fault(&fault))?;
        let read = frames.push(chunk, |frame| {
            reader.read(frame, &mut |event| take(event, &mut collected))?;
            Ok(())
        });
        read.map_err(|fault: Broken| whose.broken(&fault))?;
        if collected.media() > stream::LONGEST {
            return Err(whose.did("sent a reply that is too long"));
        }
        if collected.length() > LONGEST {
            let too_long = "is longer than the 1 MiB that a rule on whole replies can judge";
            return Err(unjudged_of(whose.name, too_long));
        }
    }
    let read = frames.finish(|frame| {
        reader.read(frame, &mut |event| take(event, &mut collected))?;
        Ok(())
    });
    read.map_err(|fault: Broken| whose.broken(&fault))?;
    let complete = reader.end(&mut |event| take(event, &mut collected));
    if let Some(failure) = collected.failed() {
        return Err(whose.failed(failure));
    }
    if !complete && !collected.is_done() {
        return Err(whose.did("ended the stream before the answer was complete"));
    }
    Ok(collected.reply())
}

/// The answer in the place of a reply that may not reach the client, which is counted and told in the log. `backend` is its name within the route.
pub(crate) fn stopped(stopped: &Stopped, backend: &str, asked: &Asked) -> Refusal {
    note_stopped(stopped, asked.id, &asked.worker.shared);
    refusal(stopped, backend)
}

/// Counts a reply that may not reach the client, and tells it in the log.
pub(crate) fn note_stopped(stopped: &Stopped, id: RequestId, shared: &Shared) {
    match stopped {
        Stopped::Denied(denied) => note(denied, id, shared),
        Stopped::Failed(failed) => {
            if shared.refused_reply(&failed.policy, Reason::RuleFailed, Line::ReplyFailed) {
                tracing::error!(request_id = %id, policy = %failed.policy, rule = &*failed.rule, "a rule on a reply failed, so the reply is refused: {}", failed.why);
            }
        }
        Stopped::Unjudged(what) => {
            tracing::debug!(request_id = %id, "a reply is refused, since it {what}");
        }
    }
}

/// The answer in the place of a reply that may not reach the client.
pub(crate) fn refusal(stopped: &Stopped, backend: &str) -> Refusal {
    match stopped {
        Stopped::Denied(denied) => self::denied(denied),
        Stopped::Failed(failed) => {
            let message = format!(
                "The rule {:?} on this reply could not be judged, so it is refused.",
                failed.rule
            );
            let status =
                StatusCode::from_u16(failed.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            Refusal {
                blame: Blame::Proxy,
                retry: status == StatusCode::SERVICE_UNAVAILABLE,
                ..Refusal::client(status, "rule_failed", message)
            }
        }
        Stopped::Unjudged(what) => unjudged_of(backend, what),
    }
}

fn unjudged_of(backend: &str, what: &str) -> Refusal {
    unjudged(&format!("The reply of backend {backend:?} {what}."))
}

/// The refusal of a body that policies have something to say of, and nobody can read.
pub(crate) fn unread(asked: &Asked) -> Refusal {
    let message = format!(
        "{} takes a body that nobody here can read, and an AccessPolicy judges bodies: send a JSON object, or have spec.relay of the LLMBackend list the path.",
        asked.shown_path()
    );
    Refusal::client(StatusCode::FORBIDDEN, "body_unjudged", message)
}

/// The refusal of what may call a model that policies have something to say of, and nobody here can name.
pub(crate) fn unnamed(asked: &Asked) -> Refusal {
    let message = format!(
        "{} names no model that could be judged here, and an AccessPolicy judges models: call one by an API that is known here, or by a \"model\" in the body; or have spec.relay of the LLMBackend list the path.",
        asked.shown_path()
    );
    Refusal::client(StatusCode::FORBIDDEN, "body_unjudged", message)
}

/// The refusal of a reply by a rule.
pub(crate) fn denied(denied: &ContentDenied) -> Refusal {
    Refusal::client(
        StatusCode::FORBIDDEN,
        "content_denied",
        denied.message.clone(),
    )
}

/// The refusal of a reply that rules apply to and nobody can judge.
pub(crate) fn unjudged(what: &str) -> Refusal {
    let message = response::unjudged(what);
    Refusal {
        blame: Blame::Proxy,
        ..Refusal::client(StatusCode::BAD_GATEWAY, "content_unjudged", message)
    }
}

/// Notes that a rule refused a reply.
pub(crate) fn note(denied: &ContentDenied, id: RequestId, shared: &Shared) {
    let ContentDenied { policy, rule, .. } = denied;
    if shared.refused_reply(policy, Reason::Response, Line::ReplyRefused) {
        tracing::warn!(request_id = %id, %policy, rule, "a rule refused a reply");
    }
}
