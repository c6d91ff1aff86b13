//! AccessPolicy → item.

mod call;
mod expression;
mod identity;
mod jwks;
mod limits;
mod replies;
mod rules;
mod tokens;

use std::time::Duration as Std;

use dragoman_crds::{AccessPolicy, AccessPolicySpec, Ban, Duration, Matching};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::network::networks;
use super::{Findings, Outcome};
use crate::names::Filter;
use crate::world::Lookup;
use crate::{BanItem, Item, PolicyItem};

/// The longest window and the longest ban.
const LONGEST: Std = Std::from_hours(24 * 366);

pub(crate) fn policy(resource: &AccessPolicy, world: &Lookup<'_>) -> Outcome {
    let mut findings = Findings::new();
    findings.has_references();
    let spec = &resource.spec;
    let namespace = resource.metadata.namespace.as_deref().unwrap_or_default();
    let authentication = spec
        .authentication
        .as_ref()
        .map(|spec| identity::identity(spec, namespace, world, &mut findings));
    let network = spec.network.clone().unwrap_or_default();
    let allow = network.allow.as_deref();
    let allow = allow.map(|allow| networks(allow, "spec.network.allow", &mut findings));
    let deny = networks(&network.deny, "spec.network.deny", &mut findings);
    let ban = spec.ban.as_ref().map(|spec| ban(spec, &mut findings));
    let rules = rules::rules(&spec.rules, &mut findings);
    let response_rules = replies::rules(&spec.response_rules, &mut findings);
    let limits = limits::limits(&spec.limits, &mut findings);
    let filter = Filter::new(&spec.models, Matching::Exact);
    for fault in filter.err().unwrap_or_default() {
        findings.invalid(&format!("spec.models.{}", fault.field), fault.fault);
    }
    let item = PolicyItem {
        authentication,
        allow,
        deny,
        ban,
        rules,
        response_rules,
        limits,
        models: spec.models.clone(),
    };
    // A Secret that is about to be read would come an instant after a version without it.
    let item = if findings.refused() || findings.waits() {
        Err(findings.summary())
    } else {
        Ok(Item::Policy(Box::new(item)))
    };
    findings.finish(resource.metadata.generation.unwrap_or_default(), item)
}

/// How a policy selects the Secrets that hold its tokens.
pub(crate) fn secret_selector(spec: &AccessPolicySpec) -> Option<&LabelSelector> {
    let tokens = spec.authentication.as_ref()?.bearer_tokens.as_ref()?;
    tokens.secret_selector.as_ref()
}

fn ban(spec: &Ban, findings: &mut Findings) -> BanItem {
    let least = Std::from_secs(1);
    BanItem {
        failures: u32::try_from(spec.failures).unwrap_or(1).max(1),
        window_ms: millis("spec.ban.window", &spec.window, (least, LONGEST), findings),
        duration_ms: millis(
            "spec.ban.duration",
            &spec.duration,
            (least, LONGEST),
            findings,
        ),
        exempt: networks(&spec.exempt, "spec.ban.exempt", findings),
    }
}

/// A duration in milliseconds, between two bounds.
fn millis(
    field: &str,
    value: &Duration,
    (least, most): (Std, Std),
    findings: &mut Findings,
) -> u64 {
    match value.parse() {
        Ok(length) if (least..=most).contains(&length) => {
            return u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
        }
        Ok(_) => findings.invalid(
            field,
            format_args!(
                "must lie between {least:?} and {} hours",
                most.as_secs() / 3600
            ),
        ),
        Err(fault) => findings.invalid(field, fault),
    }
    0
}
