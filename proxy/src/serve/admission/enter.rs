//! From where a request comes, and by whom: asked before anything of its body is read.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use http::{HeaderMap, StatusCode};

use crate::access::Memory;
use crate::access::caller::{Caller, User};
use crate::access::identity::{Consumed, Identity};
use crate::access::metrics::Reason;
use crate::access::policy::{Policies, Policy};
use crate::serve::error::{Blame, Refusal};

/// Who sends a request, and which of its headers said so.
#[derive(Debug)]
pub(crate) struct Entered {
    /// Who sends it.
    pub(crate) caller: Caller,
    /// The headers that authenticated the caller, which go no further.
    pub(crate) consumed: Consumed,
}

impl Entered {
    fn nobody(address: IpAddr) -> Self {
        let caller = Caller {
            address,
            user: None,
            key: None,
        };
        Self {
            caller,
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
        Policies::Closed(why) => {
            let message = format!("{what} is closed: {why}.");
            Err(Refusal::unavailable(
                Blame::Proxy,
                "access_policy_unusable",
                message,
            ))
        }
    }
}

/// Admits a request by where it comes from and who sends it.
///
/// # Errors
/// 403 for an address, 401 for a credential that is missing or nobody knows, 503 for one that cannot be checked.
pub(crate) async fn enter(
    memory: &Memory,
    policies: &[Arc<Policy>],
    address: IpAddr,
    headers: &HeaderMap,
) -> Result<Entered, Refusal> {
    let mut entered = Entered::nobody(address);
    if policies.is_empty() {
        return Ok(entered);
    }
    for policy in policies {
        locate(memory, policy, address)?;
    }
    for policy in policies {
        let Some(authentication) = &policy.authentication else {
            continue;
        };
        match authentication.check(headers, jiff::Timestamp::now()).await {
            Identity::Known {
                user,
                key,
                consumed,
            } => {
                entered.know(user, key);
                entered.consumed.add(consumed);
            }
            Identity::Anonymous => {}
            Identity::Missing => {
                policy.metrics.refused(Reason::Unauthenticated);
                return Err(unauthenticated("missing_api_key", MISSING));
            }
            Identity::Wrong { why } => {
                policy.metrics.refused(Reason::Unauthenticated);
                if let Some(ban) = &policy.ban {
                    let (key, now) = (&policy.key, Instant::now());
                    memory.counters.failed(key, ban, address);
                    if memory.bans.failed(key, ban, address, now) {
                        tracing::info!(policy = %key, client = %address, "address banned");
                    }
                }
                return Err(unauthenticated("invalid_api_key", why));
            }
            Identity::Unchecked { why, retry_after } => {
                policy.metrics.refused(Reason::Unchecked);
                if policy.metrics.tells() {
                    tracing::warn!(policy = %policy.key, "a credential cannot be checked: {why}");
                }
                let message = "The credential that came cannot be checked at the moment.";
                return Err(Refusal {
                    retry_after: Some(retry_after),
                    ..Refusal::unavailable(Blame::Proxy, "identity_unavailable", message)
                });
            }
        }
    }
    Ok(entered)
}

impl Entered {
    /// The first that authenticates names the user.
    fn know(&mut self, user: Arc<User>, key: [u8; 32]) {
        if self.caller.user.is_none() {
            self.caller.user = Some(user);
            self.caller.key = Some(key);
        }
    }
}

/// Where a request may come from.
fn locate(memory: &Memory, policy: &Policy, address: IpAddr) -> Result<(), Refusal> {
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
        && let Some(left) = memory
            .bans
            .banned(&policy.key, ban, address, Instant::now())
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
