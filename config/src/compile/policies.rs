//! References to AccessPolicies: `accessPolicyRefs`.

use dragoman_crds::{AccessPolicySpec, Reference, RuleAction};

use super::Findings;
use super::grant::{permits, resolve};
use super::route::missing;
use crate::world::Lookup;
use crate::{Key, Kind, ObjectKey, PolicyTarget, reason};

/// What refers to policies.
#[derive(Clone, Copy)]
pub(super) struct Referrer<'a> {
    /// Its namespace and name.
    pub(super) own: &'a ObjectKey,
    /// Where its spec stands.
    pub(super) at: &'a str,
    /// What its last version that compiled uses.
    pub(super) held: Option<&'a [Key]>,
    /// Whether policies are asked when it is too late to change a request.
    pub(super) chosen: bool,
}

/// What the references come to, in their order; none where there are none. One that cannot be used closes what refers to it.
pub(super) fn policies(
    references: &[Reference],
    referrer: Referrer<'_>,
    world: &Lookup<'_>,
    findings: &mut Findings,
) -> Option<Vec<PolicyTarget>> {
    let mut targets = Vec::with_capacity(references.len());
    for (at, reference) in references.iter().enumerate() {
        let field = format!("{}.accessPolicyRefs[{at}]", referrer.at);
        let target = target(reference, &field, referrer, world, findings);
        // Named twice it would count twice.
        if !targets.contains(&target) {
            targets.push(target);
        }
    }
    (!targets.is_empty()).then_some(targets)
}

fn target(
    reference: &Reference,
    field: &str,
    referrer: Referrer<'_>,
    world: &Lookup<'_>,
    findings: &mut Findings,
) -> PolicyTarget {
    let Referrer { own, held, .. } = referrer;
    let key = resolve(reference, own);
    let (reason, fault) = match world.policy(&key) {
        None => missing(Kind::Policy, &key, field, held, world, findings),
        Some(policy) if !permits(&policy.spec.allowed_routes, &key, own, world) => (
            reason::NOT_PERMITTED,
            format!(
                "{field}: AccessPolicy {key} admits no references from namespace {}; extend its spec.allowedRoutes",
                own.namespace
            ),
        ),
        Some(policy) => match changing_rule(&policy.spec).filter(|_| referrer.chosen) {
            Some(rule) => (
                reason::NOT_PERMITTED,
                format!(
                    "{field}: rule {rule:?} of AccessPolicy {key} changes or answers requests, and here it is too late; refer to the policy from an LLMRoute or an LLMProxy, or take the rule out"
                ),
            ),
            None => {
                let item = Key {
                    kind: Kind::Policy,
                    object: key,
                };
                look_after(&item, field, held, world, findings);
                return PolicyTarget::Item(item);
            }
        },
    };
    findings.unresolved(reason, fault.clone());
    PolicyTarget::Unresolved(fault)
}

/// The policy's own conditions hold the detail of a fault; what refers to it is not ready without it either.
fn look_after(
    item: &Key,
    field: &str,
    held: Option<&[Key]>,
    world: &Lookup<'_>,
    findings: &mut Findings,
) {
    findings.needs(item.clone());
    let Some(fault) = world.fault_of(item) else {
        return;
    };
    let mut reason = reason::REF_INVALID;
    if fault.reason == reason::PENDING {
        reason = reason::PENDING;
        // Proxies that hear of this before the policy would refuse calls for an instant.
        if !held.is_some_and(|held| held.contains(item)) {
            findings.hold_back();
        }
    }
    let fault = format!(
        "{field}: AccessPolicy {} has a fault: {}",
        item.object, fault.message
    );
    findings.unresolved(reason, fault);
}

/// The first rule of a policy that changes a request, or answers it.
pub(crate) fn changing_rule(spec: &AccessPolicySpec) -> Option<&str> {
    let changes = |action| {
        matches!(
            action,
            RuleAction::SetModel
                | RuleAction::Set
                | RuleAction::Respond
                | RuleAction::AllowBackendHeader
        )
    };
    let rule = spec.rules.iter().find(|rule| changes(rule.action))?;
    Some(&rule.name)
}
