//! Services that rules ask.

use std::time::Duration;

use dragoman_crds::Call;

use super::{Findings, millis};
use crate::CallItem;
use crate::compile::url;

const TIMEOUT_MS: u64 = 1_000;
const LEAST: Duration = Duration::from_millis(1);
const MOST: Duration = Duration::from_secs(30);

/// The service that the rule at `field` asks.
pub(super) fn call(spec: &Call, field: &str, findings: &mut Findings) -> Option<CallItem> {
    let timeout_ms = spec.timeout.as_ref().map_or(TIMEOUT_MS, |timeout| {
        let field = format!("{field}.call.timeout");
        millis(&field, timeout, (LEAST, MOST), findings)
    });
    match url::parse_whole(&spec.url) {
        Ok(url) => Some(CallItem {
            url,
            timeout_ms,
            failure: spec.failure,
        }),
        Err(fault) => {
            findings.invalid(&format!("{field}.call.url"), fault);
            None
        }
    }
}
