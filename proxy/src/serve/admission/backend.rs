//! The policies of one backend, asked once it is a candidate.
//!
//! They judge what the route's policies made of the request. Rules that change a request are refused where such a policy is
//! compiled, since what goes to this backend is chosen by then.

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};

use super::enter::{applying, enter};
use super::judge::{self, Going, Judged, Question, Reserved};
use crate::access::identity::Consumed;
use crate::access::response::Judging;
use crate::serve::body::Body;
use crate::serve::dispatch::Asked;
use crate::serve::error::{Blame, Refusal};
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

impl Admitted {
    /// What authenticated the caller here goes no further, even where the client's own credentials do.
    pub(crate) fn withhold(&self, headers: &mut HeaderMap) {
        self.consumed.take_out_of(headers);
    }

    /// Until a reply's end the request counts as one that is under way.
    pub(crate) fn holds(self, response: Response<Body>) -> Response<Body> {
        let going = Going {
            reserved: self.reserved,
            ..Going::default()
        };
        going.holds(response)
    }
}

/// Asks the policies of `entry` about a request with this body, where it is JSON that was read, and model.
///
/// # Errors
/// What they refuse.
pub(crate) async fn of_backend(
    asked: &Asked,
    entry: &RouteBackend,
    body: Option<&Bytes>,
    model: Option<&str>,
) -> Result<Admitted, Refusal> {
    if entry.policies.are_none() {
        return Ok(Admitted::default());
    }
    let question = Question {
        body,
        model,
        told: None,
    };
    Box::pin(admits(asked, entry, question)).await
}

async fn admits(
    asked: &Asked,
    entry: &RouteBackend,
    question: Question<'_>,
) -> Result<Admitted, Refusal> {
    let name = format_args!("Backend {:?}", entry.name);
    let policies = applying(&entry.policies, &name)?;
    let memory = asked.worker.shared.memory();
    let entered = enter(memory, policies, asked.caller.address, &asked.credentials).await?;
    // The first that authenticates names the user, and the route's come first.
    let caller = match &asked.caller.user {
        Some(_) => &asked.caller,
        None => &entered.caller,
    };
    match judge::by(asked, policies, caller, question).await? {
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
