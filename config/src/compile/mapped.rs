//! Whether a route has the backends to which its ModelMap sends names.

use dragoman_crds::{LLMRoute, ModelMap};

use super::Findings;
use crate::names::describe;
use crate::{ObjectKey, reason};

/// Finds rules of `map` that send to backends which the route does not have: calls that they take would find nobody.
pub(super) fn missing_backends(
    resource: &LLMRoute,
    key: &ObjectKey,
    map: &ModelMap,
    findings: &mut Findings,
) {
    let backends = &resource.spec.backends;
    let has = |name: &str| backends.iter().any(|backend| backend.name == name);
    for (at, rule) in map.spec.rules.iter().enumerate() {
        let target = rule
            .target
            .iter()
            .map(|target| ("target".to_owned(), target));
        let fallbacks = rule.fallbacks.iter().enumerate();
        let fallbacks = fallbacks.map(|(at, to)| (format!("fallbacks[{at}]"), to));
        for (place, to) in target.chain(fallbacks) {
            let Some(name) = to.backend.as_deref().filter(|name| !has(name)) else {
                continue;
            };
            let names: Vec<_> = backends.iter().map(|backend| &*backend.name).collect();
            findings.unresolved(
                reason::NOT_FOUND,
                format!(
                    "spec.modelMapRef: rules[{at}].{place} of ModelMap {key} ({}) leads to the backend {name:?}, which this route does not have; add a backend of that name here, or name one of {} there",
                    describe(&rule.r#match),
                    names.join(", "),
                ),
            );
        }
    }
}
