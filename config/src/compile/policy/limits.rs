//! Limits.

use std::time::Duration as Std;

use dragoman_crds::{Limit, Matching};

use super::{Findings, millis};
use crate::compile::money::millionths;
use crate::{CountedItem, LimitItem, NamePattern, SpanItem};

const SHORTEST: Std = Std::from_secs(1);
const LONGEST: Std = Std::from_hours(24 * 31);

pub(super) fn limits(specs: &[Limit], findings: &mut Findings) -> Vec<LimitItem> {
    let mut limits = Vec::with_capacity(specs.len());
    for (at, spec) in specs.iter().enumerate() {
        let field = format!("spec.limits[{at}]");
        for (at, pattern) in spec.models.iter().flatten().enumerate() {
            if let Err(fault) = NamePattern::new(pattern, Matching::Exact) {
                findings.invalid(&format!("{field}.models[{at}]"), fault);
            }
        }
        limits.push(LimitItem {
            per: spec.per,
            amount: amount(spec, &field, findings),
            concurrency: spec.concurrency.and_then(|most| u32::try_from(most).ok()),
            models: spec.models.clone(),
        });
    }
    limits
}

fn amount(
    spec: &Limit,
    field: &str,
    findings: &mut Findings,
) -> Option<(CountedItem, u64, SpanItem)> {
    let whole = |amount: i64| u64::try_from(amount).unwrap_or_default();
    let counted = match (spec.requests, spec.tokens, &spec.cost) {
        (None, None, None) => None,
        (Some(most), None, None) => Some((CountedItem::Requests, whole(most))),
        (None, Some(most), None) => Some((CountedItem::Tokens, whole(most))),
        (None, None, Some(most)) => match millionths(most) {
            Ok(0) => {
                let fault = "is nothing; write an amount, or refuse requests by a rule";
                findings.invalid(&format!("{field}.cost"), fault);
                return None;
            }
            Ok(most) => Some((CountedItem::Cost, most)),
            Err(fault) => {
                findings.invalid(&format!("{field}.cost"), fault);
                return None;
            }
        },
        _ => {
            findings.invalid(field, "set at most one of requests, tokens and cost");
            return None;
        }
    };
    let span = match (&spec.window, spec.calendar) {
        (Some(window), None) => {
            let field = format!("{field}.window");
            Some(SpanItem::Window(millis(
                &field,
                window,
                (SHORTEST, LONGEST),
                findings,
            )))
        }
        (None, Some(calendar)) => Some(SpanItem::Calendar(calendar)),
        (None, None) => None,
        (Some(_), Some(_)) => {
            findings.invalid(field, "set exactly one of window and calendar");
            return None;
        }
    };
    match (counted, span) {
        (Some((counted, most)), Some(span)) => Some((counted, most, span)),
        (None, None) if spec.concurrency.is_some() => None,
        (None, _) => {
            findings.invalid(field, "set requests, tokens, cost or concurrency");
            None
        }
        (Some(_), None) => {
            findings.invalid(field, "set window or calendar");
            None
        }
    }
}
