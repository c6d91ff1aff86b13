//! AccessPolicy → item.

use dragoman_crds::AccessPolicy;

use super::{Findings, Outcome};

pub(crate) fn policy(resource: &AccessPolicy) -> Outcome {
    let mut findings = Findings::new();
    findings.invalid("spec", "AccessPolicies are not compiled yet");
    let item = Err(findings.summary());
    findings.finish(resource.metadata.generation.unwrap_or_default(), item)
}
