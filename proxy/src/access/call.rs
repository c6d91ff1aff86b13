//! What a service is told of a request or a reply.

use bytes::Bytes;
use dragoman_config::ObjectKey;
use serde_json::{Value, json};

/// What a rule asks a service about.
pub(super) struct Asking<'a> {
    /// `request` or `response`.
    pub(super) phase: &'static str,
    pub(super) policy: &'a ObjectKey,
    pub(super) rule: &'a str,
    pub(super) route: &'a ObjectKey,
    pub(super) user: &'a Value,
    pub(super) address: &'a str,
    pub(super) model: Option<&'a str>,
    /// The request's body, where it is JSON.
    pub(super) request: Option<&'a [u8]>,
    pub(super) response: Option<&'a Value>,
}

/// The JSON that is sent: version 1 of the contract.
pub(super) fn written(asking: &Asking<'_>) -> Bytes {
    let head = json!({
        "version": 1,
        "phase": asking.phase,
        "policy": {"namespace": asking.policy.namespace, "name": asking.policy.name},
        "rule": asking.rule,
        "route": {"namespace": asking.route.namespace, "name": asking.route.name},
        "user": asking.user,
        "client": {"address": asking.address},
        "model": asking.model,
    });
    let mut out = head.to_string().into_bytes();
    out.pop();
    out.extend_from_slice(b",\"request\":");
    out.extend_from_slice(asking.request.unwrap_or(b"null"));
    if let Some(response) = asking.response {
        out.extend_from_slice(b",\"response\":");
        out.extend_from_slice(response.to_string().as_bytes());
    }
    out.push(b'}');
    out.into()
}
