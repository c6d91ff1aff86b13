//! Who may refer to what: `allowedRoutes`.

use dragoman_crds::{AllowedRoutes, Reference, RouteNamespaces, RoutesFrom};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::selector;
use crate::ObjectKey;
use crate::world::Lookup;

/// What a reference in an object of `own`'s namespace names.
pub(crate) fn resolve(reference: &Reference, own: &ObjectKey) -> ObjectKey {
    ObjectKey::new(
        reference.namespace.as_ref().unwrap_or(&own.namespace),
        &reference.name,
    )
}

/// Whether what stands in `target` may be used by the route `own`.
pub(super) fn permits(
    allowed: &AllowedRoutes,
    target: &ObjectKey,
    own: &ObjectKey,
    world: &Lookup<'_>,
) -> bool {
    admits(
        &allowed.namespaces,
        &target.namespace,
        &own.namespace,
        world,
    )
}

/// Whether something in the namespace `home` admits routes from the namespace `from`.
pub(crate) fn admits(
    allowed: &RouteNamespaces,
    home: &str,
    from: &str,
    world: &Lookup<'_>,
) -> bool {
    match allowed.from {
        RoutesFrom::All => true,
        RoutesFrom::Same => home == from,
        RoutesFrom::Selector => allowed
            .selector
            .as_ref()
            .is_some_and(|selector| selects(selector, from, world)),
    }
}

/// Whether the labels of `namespace` satisfy `selector`.
fn selects(selector: &LabelSelector, namespace: &str, world: &Lookup<'_>) -> bool {
    let labels = world.namespace(namespace);
    labels.is_some_and(|labels| selector::selects(selector, |label| labels.get(label)))
}
