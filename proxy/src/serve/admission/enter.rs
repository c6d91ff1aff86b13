//! From where a request comes, and by whom: asked before anything of its body is read.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use http::{HeaderMap, StatusCode};

use crate::access::Memory;
use crate::access::caller::Callers;
use crate::access::identity::{Consumed, Identity};
use crate::access::metrics::{Line, Reason};
use crate::access::policy::{Policies, Policy};
use crate::serve::error::{Blame, Log, Refusal};
use crate::state::route::Route;

/// Who sends a request, and which of its headers said so.
#[derive(Debug)]
pub(crate) struct Entered {
    /// Who sends it, to each policy.
    pub(crate) callers: Callers,
    /// The headers that authenticated the caller, which go no further.
    pub(crate) consumed: Consumed,
}

impl Entered {
    fn nobody(address: IpAddr) -> Self {
        Self {
            callers: Callers::nobody(address),
            consumed: Consumed::default(),
        }
    }
}

/// The policies that apply.
///
/// # Errors
/// 503, where one of them cannot be had.
pub(crate) fn applying<'p>(
    policies: &'p Policies,
    what: &dyn std::fmt::Display,
) -> Result<&'p [Arc<Policy>], Refusal> {
    match policies {
        Policies::Apply(policies) => Ok(policies),
        Policies::Closed(closed) => {
            let message = "An AccessPolicy that applies here cannot be used at the moment.";
            let code = "access_policy_unusable";
            let refusal = Refusal::unavailable(Blame::Proxy, code, message);
            Err(refusal.told(&closed.told, || format!("{what} is closed: {}", closed.why)))
        }
    }
}

/// Admits a request for `route` by where it comes from and who sends it.
///
/// # Errors
/// 403 for an address, 401 for a credential that is missing or nobody knows, 503 for one that cannot be checked.
pub(crate) async fn enter(
    memory: &Memory,
    route: &Route,
    policies: &[Arc<Policy>],
    address: IpAddr,
    headers: &HeaderMap,
) -> Result<Entered, Refusal> {
    let mut entered = Entered::nobody(address);
    if policies.is_empty() {
        return Ok(entered);
    }
    // Read once: a dozen reads of the clock are a fiftieth of a request.
    let came = (Instant::now(), jiff::Timestamp::now());
    for policy in policies {
        locate(memory, policy, address, came.0)?;
    }
    for (at, policy) in policies.iter().enumerate() {
        let Some(authentication) = &policy.authentication else {
            continue;
        };
        match authentication.check(headers, came).await {
            Identity::Known {
                user,
                key,
                consumed,
            } => {
                let earlier = policies.get(..at).unwrap_or_default();
                entered.callers.know(policy, Some((user, key)), earlier);
                entered.consumed.add(consumed);
            }
            Identity::Anonymous => entered.callers.know(policy, None, &[]),
            Identity::Missing => {
                policy.metrics.refused(Reason::Unauthenticated);
                return Err(unauthenticated("missing_api_key", MISSING));
            }
            Identity::Wrong { why, guesses } => {
                policy.metrics.refused(Reason::Unauthenticated);
                guessed(memory, policy, address, || {
                    guesses.without(known(route, headers, came))
                });
                return Err(unauthenticated("invalid_api_key", why));
            }
            Identity::Unchecked {
                why,
                retry_after,
                guesses,
            } => {
                policy.metrics.refused(Reason::Unchecked);
                guessed(memory, policy, address, || {
                    guesses.without(known(route, headers, came))
                });
                if policy.metrics.tells(Line::Unchecked) {
                    tracing::warn!(policy = %policy.key, "a credential cannot be checked: {why}");
                }
                let message = "The credential that came cannot be checked at the moment.";
                let refusal = Refusal {
                    retry_after: Some(retry_after),
                    ..Refusal::unavailable(Blame::Proxy, "identity_unavailable", message)
                };
                return Err(refusal.logged(Log::Told));
            }
        }
    }
    Ok(entered)
}

/// Counts each guess towards the policy's ban.
fn guessed(memory: &Memory, policy: &Policy, address: IpAddr, guesses: impl FnOnce() -> Consumed) {
    let Some(ban) = &policy.ban else {
        return;
    };
    let (key, now) = (&policy.key, Instant::now());
    for _ in 0..guesses().count() {
        memory.counters.failed(key, ban, address);
        // All of them are told at /api/bans.
        if memory.bans.failed(key, ban, address, now) && policy.metrics.tells(Line::Banned) {
            tracing::info!(policy = %key, client = %address, "address banned");
        }
    }
}

/// The headers whose credentials some policy of the route or of its backends knows. Where another asks, they are for somebody else, and no guess.
fn known(route: &Route, headers: &HeaderMap, came: (Instant, jiff::Timestamp)) -> Consumed {
    let backends = route.backends.iter().map(|entry| &entry.policies);
    let mut known = Consumed::default();
    for policies in std::iter::once(&route.policies).chain(backends) {
        let Policies::Apply(policies) = policies else {
            continue;
        };
        for authentication in policies.iter().filter_map(|of| of.authentication.as_ref()) {
            known.add(authentication.may_know(headers, came));
        }
    }
    known
}

/// Where a request may come from.
fn locate(memory: &Memory, policy: &Policy, address: IpAddr, now: Instant) -> Result<(), Refusal> {
    let forbidden = |reason, code, message: String| {
        policy.metrics.refused(reason);
        Err(Refusal::client(StatusCode::FORBIDDEN, code, message))
    };
    if policy.deny.contains(address)
        || policy
            .allow
            .as_ref()
            .is_some_and(|allow| !allow.contains(address))
    {
        let message = format!("Calls from {address} are not admitted here.");
        return forbidden(Reason::Network, "address_not_allowed", message);
    }
    if let Some(ban) = &policy.ban
        && let Some(left) = memory.bans.banned(&policy.key, ban, address, now)
    {
        let seconds = left.as_secs() + 1;
        let message = format!(
            "Too many wrong credentials came from {address}; it is banned for another {seconds} s."
        );
        let refused = forbidden(Reason::Banned, "address_banned", message);
        return refused.map_err(|refusal| Refusal {
            retry_after: Some(u32::try_from(seconds).unwrap_or(u32::MAX)),
            ..refusal
        });
    }
    Ok(())
}

const MISSING: &str = "No credential came with the request. Send a key as Authorization: Bearer, x-api-key, api-key or x-goog-api-key.";

fn unauthenticated(code: &'static str, message: &'static str) -> Refusal {
    Refusal::client(StatusCode::UNAUTHORIZED, code, message)
}
