//! What is begun now and done later, when nobody counts what it takes.

use std::sync::Arc;

use http::StatusCode;

use crate::access::limits::Ask;
use crate::access::metrics::Reason;
use crate::access::policy::Policy;
use crate::access::usage;
use crate::serve::error::Refusal;

/// Refuses a request whose model works later, where one of `policies` counts its tokens or cost.
///
/// # Errors
/// 400, which names the member that asks for it.
pub(super) fn refuse(policies: &[Arc<Policy>], ask: &Ask<'_>, body: &[u8]) -> Result<(), Refusal> {
    let Some(name) = usage::later(body) else {
        return Ok(());
    };
    let counting = |policy: &&Arc<Policy>| policy.limits.count_tokens_of(ask);
    let Some(policy) = policies.iter().find(counting) else {
        return Ok(());
    };
    policy.metrics.refused(Reason::Limit);
    let message = format!(
        "{name:?} has the model work when nobody counts what it uses, and AccessPolicy {} limits tokens or cost; leave it out, or send false.",
        policy.key
    );
    Err(Refusal {
        param: Some(name.into()),
        ..Refusal::client(StatusCode::BAD_REQUEST, "work_uncounted", message)
    })
}
