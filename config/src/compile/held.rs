//! What a version that does not compile leaves in place: as much of the previous one as is still allowed.

use super::grant::{admits, permits};
use super::{Findings, Outcome, lends_identity};
use crate::world::Lookup;
use crate::{Key, Kind, ObjectKey, reason};

/// A resource that does not parse keeps its place: what it was attached to holds on to the previous version.
pub(crate) fn malformed(
    key: &Key,
    generation: i64,
    message: &str,
    before: Option<&Outcome>,
    world: &Lookup<'_>,
) -> Outcome {
    let mut findings = Findings::new();
    findings.refuse(
        reason::MALFORMED,
        format!("the object does not parse: {message}"),
    );
    if let Some(before) = before {
        for proxy in &before.attached {
            if admitted(proxy, &key.object, world) {
                findings.attach(proxy.clone());
            }
        }
        hold(&before.uses, &key.object, world, &mut findings);
    }
    let summary = findings.summary();
    findings.finish(generation, Err(summary))
}

/// Keeps the items that the previous version of `own` uses, with what backends among them use, save those that no longer admit it: breaking a route
/// is no way to keep what was taken away.
pub(super) fn hold(uses: &[Key], own: &ObjectKey, world: &Lookup<'_>, findings: &mut Findings) {
    for item in uses {
        let allowed = match item.kind {
            // Nor to be lent what was never given: the identity of a proxy of another namespace.
            Kind::Backend => world
                .backend(&item.object)
                .filter(|backend| {
                    let elsewhere = |proxy: &ObjectKey| proxy.namespace != item.object.namespace;
                    !lends_identity(&backend.spec) || !findings.attached.iter().any(elsewhere)
                })
                .map(|backend| &backend.spec.allowed_routes),
            Kind::Map => world.map(&item.object).map(|map| &map.spec.allowed_routes),
            Kind::Policy => world
                .policy(&item.object)
                .map(|policy| &policy.spec.allowed_routes),
            Kind::Proxy | Kind::Mapper | Kind::Route => None,
        };
        if allowed.is_some_and(|allowed| permits(allowed, &item.object, own, world)) {
            findings.needs(item.clone());
            if item.kind == Kind::Backend {
                findings.needs_all(world.uses_of(item));
            }
        }
    }
}

/// Whether the LLMProxy exists and admits routes from the namespace of `own`.
pub(crate) fn admitted(proxy: &ObjectKey, own: &ObjectKey, world: &Lookup<'_>) -> bool {
    world.proxy(proxy).is_some_and(|resource| {
        let allowed = &resource.spec.allowed_routes.namespaces;
        admits(allowed, &proxy.namespace, &own.namespace, world)
    })
}
