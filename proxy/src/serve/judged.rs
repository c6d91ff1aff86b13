//! Replies under rules: what is held back until its end, and what becomes of a reply that may not reach the client.

use dragoman_dialects::form::{Event, Garbage, Reply as Form};
use dragoman_dialects::{Codec, StreamReader};
use http::StatusCode;

use super::dispatch::Asked;
use super::error::{Blame, Refusal};
use super::path::Operation;
use super::request_id::RequestId;
use super::steps::Call;
use super::translated::{Way, garbage, is_stream, unreadable};
use crate::access::response::{ContentDenied, Judging, LONGEST, Stopped};
use crate::access::usage::Meter;
use crate::state::Shared;
use crate::state::backend::Backend;
use crate::translate::frames::{Frames, Uncut};
use crate::translate::{Broken, Collected};
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
    model: Option<String>,
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
            ..translation.way(ends, backend, call.asked, model)
        },
        None => {
            let streamed = is_stream(&reply.headers);
            Way {
                model,
                ..translation.way_back(backend, call.asked, streamed, judging)
            }
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
    name: &str,
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
        let chunk = chunk.map_err(|fault| Refusal::upstream(name, &fault))?;
        let read = frames.push(chunk, |frame| {
            reader.read(frame, &mut |event| take(event, &mut collected))?;
            Ok(())
        });
        read.map_err(|fault: Unread| fault.refusal(name))?;
        if collected.length() > LONGEST {
            let too_long = Stopped::Unjudged(
                "is longer than the 1 MiB that a rule on whole replies can judge",
            );
            return Err(stopped(too_long, name));
        }
    }
    let read = frames.finish(|frame| {
        reader.read(frame, &mut |event| take(event, &mut collected))?;
        Ok(())
    });
    read.map_err(|fault: Unread| fault.refusal(name))?;
    let complete = reader.end(&mut |event| take(event, &mut collected));
    if collected.failed().is_some() {
        return Err(unreadable(name, "broke its reply off with an error"));
    }
    if !complete && !collected.is_done() {
        return Err(unreadable(
            name,
            "ended the stream before the answer was complete",
        ));
    }
    Ok(collected.reply())
}

/// Why a stream could not be read.
enum Unread {
    Uncut(Uncut),
    Garbage(Garbage),
}

impl From<Uncut> for Unread {
    fn from(fault: Uncut) -> Self {
        Self::Uncut(fault)
    }
}

impl From<Garbage> for Unread {
    fn from(fault: Garbage) -> Self {
        Self::Garbage(fault)
    }
}

impl Unread {
    fn refusal(self, name: &str) -> Refusal {
        match self {
            Self::Uncut(fault) => super::pipe::broken_off(name, &Broken::Uncut(fault)),
            Self::Garbage(fault) => garbage(name, &fault),
        }
    }
}

/// The answer in the place of a reply that may not reach the client. `backend` is its name within the route.
pub(crate) fn stopped(stopped: Stopped, backend: &str) -> Refusal {
    match stopped {
        Stopped::Denied(denied) => self::denied(&denied),
        Stopped::Failed(failed) => {
            tracing::error!(policy = %failed.policy, rule = &*failed.rule, "a rule on a reply failed: {}", failed.why);
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
        Stopped::Unjudged(what) => unjudged(&format!("The reply of backend {backend:?} {what}.")),
    }
}

/// The refusal of a body that policies have something to say of, and nobody can read.
pub(crate) fn unread(asked: &Asked) -> Refusal {
    let message = format!(
        "{} takes a body that nobody here can read, and an AccessPolicy judges bodies: send a JSON object, or have spec.relay of the LLMBackend list the path.",
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
    let message = format!("{what} Rules apply to it, and what they have not judged is refused.");
    Refusal {
        blame: Blame::Proxy,
        ..Refusal::client(StatusCode::BAD_GATEWAY, "content_unjudged", message)
    }
}

/// Notes that a rule refused a reply.
pub(crate) fn note(denied: &ContentDenied, id: RequestId, shared: &Shared) {
    let ContentDenied { policy, rule, .. } = denied;
    if shared.refused_reply(policy) {
        tracing::warn!(request_id = %id, %policy, rule, "a rule refused a reply");
    }
}
