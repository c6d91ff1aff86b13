//! Who may refer to what: `allowedRoutes`.

use dragoman_crds::{AllowedRoutes, Reference, RouteNamespaces, RoutesFrom};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

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

/// Whether the labels of `namespace` satisfy `selector`. An operator that is not known selects nothing.
fn selects(selector: &LabelSelector, namespace: &str, world: &Lookup<'_>) -> bool {
    let Some(labels) = world.namespace(namespace) else {
        return false;
    };
    let equal = selector
        .match_labels
        .iter()
        .flatten()
        .all(|(name, value)| labels.get(name) == Some(value.as_str()));
    equal
        && selector
            .match_expressions
            .iter()
            .flatten()
            .all(|expression| {
                let label = labels.get(&expression.key);
                let listed = label.is_some_and(|label| {
                    expression
                        .values
                        .iter()
                        .flatten()
                        .any(|value| value == label)
                });
                match expression.operator.as_str() {
                    "In" => listed,
                    "NotIn" => !listed,
                    "Exists" => label.is_some(),
                    "DoesNotExist" => label.is_none(),
                    _ => false,
                }
            })
}
