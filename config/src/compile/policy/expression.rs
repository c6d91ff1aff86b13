//! The expressions of rules.

use super::Findings;
use crate::cel::{Condition, Expression, Variables};

/// Checks a condition.
pub(super) fn condition(
    source: Option<&String>,
    variables: Variables,
    field: &str,
    findings: &mut Findings,
) {
    let compiled = source.map(|source| Condition::compile(source, variables));
    if let Some(Err(fault)) = compiled {
        findings.invalid(field, fault);
    }
}

/// Checks an expression that gives a value.
pub(super) fn value(source: &str, variables: Variables, field: &str, findings: &mut Findings) {
    if let Err(fault) = Expression::compile(source, variables) {
        findings.invalid(field, fault);
    }
}
