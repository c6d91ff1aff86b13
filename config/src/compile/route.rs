//! LLMRoute → item.

use dragoman_crds::{
    AllowedRoutes, InlineBackends, LLMProxy, LLMRoute, Reference, RouteBackend, RouteNamespaces,
    RoutesFrom,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::{Findings, Outcome, backend};
use crate::names::Filter;
use crate::world::Lookup;
use crate::{Item, Key, Kind, ObjectKey, RouteBackendItem, RouteItem, Target, reason};

pub(crate) fn route(resource: &LLMRoute, world: &Lookup<'_>) -> Outcome {
    let mut findings = Findings::new();
    findings.has_references();
    let own = ObjectKey::new(
        resource.metadata.namespace.clone().unwrap_or_default(),
        resource.metadata.name.clone().unwrap_or_default(),
    );
    let proxies = attach(resource, &own, world, &mut findings);
    let hostnames = hostnames(resource, &own, &proxies, world, &mut findings);
    let model_map = resource
        .spec
        .model_map_ref
        .as_ref()
        .map(|reference| model_map(reference, &own, world, &mut findings));
    let before = findings.accepted.len();
    let backends = resource
        .spec
        .backends
        .iter()
        .enumerate()
        .filter_map(|(at, entry)| route_backend(entry, at, &own, world, &mut findings))
        .collect();
    let broken = findings.accepted.len() > before;
    let item = RouteItem {
        hostnames,
        model_map,
        backends,
        thinking: resource.spec.thinking.clone(),
    };
    let item = if broken {
        Err(findings.summary())
    } else {
        Ok(Item::Route(item))
    };
    findings.finish(resource.metadata.generation.unwrap_or_default(), item)
}

/// Attaches the route to every LLMProxy that it names and that admits it.
fn attach<'w>(
    resource: &LLMRoute,
    own: &ObjectKey,
    world: &Lookup<'w>,
    findings: &mut Findings,
) -> Vec<(ObjectKey, &'w LLMProxy)> {
    let mut attached = Vec::new();
    let wanted: Vec<(String, ObjectKey)> = match &resource.spec.proxy_refs {
        Some(references) => references
            .iter()
            .enumerate()
            .map(|(at, reference)| (format!("spec.proxyRefs[{at}]"), resolve(reference, own)))
            .collect(),
        None => match world.default_proxy() {
            Ok(proxy) => vec![("spec.proxyRefs (absent)".into(), proxy)],
            Err(count) => {
                findings.refuse(reason::NO_PROXY, format!(
                    "spec.proxyRefs: there are {count} LLMProxies; name the one that serves this route"
                ));
                Vec::new()
            }
        },
    };
    let inline = resource
        .spec
        .backends
        .iter()
        .position(|backend| backend.inline.is_some());
    for (field, key) in wanted {
        let Some(proxy) = world.proxy(&key) else {
            findings.refuse(
                reason::NO_PROXY,
                format!("{field}: LLMProxy {key} does not exist; create it, or name another"),
            );
            continue;
        };
        let allowed = &proxy.spec.allowed_routes;
        if !admits(&allowed.namespaces, &key.namespace, &own.namespace, world) {
            findings.refuse(reason::NOT_ALLOWED_BY_PROXY, format!(
                "{field}: LLMProxy {key} admits no routes from namespace {}; extend its spec.allowedRoutes.namespaces",
                own.namespace,
            ));
            continue;
        }
        if let Some(at) = inline
            && proxy.spec.backends.inline == InlineBackends::Deny
        {
            findings.refuse(reason::INLINE_BACKEND_DENIED, format!(
                "spec.backends[{at}].inline: LLMProxy {key} denies inline backends (spec.backends.inline); refer to an LLMBackend"
            ));
            continue;
        }
        findings.attach(key.clone());
        attached.push((key, proxy));
    }
    attached
}

/// The hostnames that the route may have: admitted by its proxies and not an older route's.
fn hostnames(
    resource: &LLMRoute,
    own: &ObjectKey,
    proxies: &[(ObjectKey, &LLMProxy)],
    world: &Lookup<'_>,
    findings: &mut Findings,
) -> Vec<String> {
    let mut won = Vec::new();
    for (at, hostname) in resource.spec.hostnames.iter().enumerate() {
        let field = format!("spec.hostnames[{at}]");
        let hostname = hostname.to_ascii_lowercase();
        let domain = &world.settings().cluster_domain;
        if hostname.ends_with(".svc")
            || hostname == *domain
            || hostname.ends_with(&format!(".{domain}"))
        {
            findings.invalid(&field, format_args!(
                "{hostname} belongs to the cluster's Services; leave it out, the route answers to its own names already"
            ));
            continue;
        }
        if let Some((key, _)) = proxies
            .iter()
            .find(|(_, proxy)| !allows_hostname(proxy, &hostname))
        {
            findings.refuse(reason::NOT_ALLOWED_BY_PROXY, format!(
                "{field}: LLMProxy {key} does not admit {hostname}; extend its spec.allowedRoutes.hostnames"
            ));
            continue;
        }
        match world.hostname_owner(&hostname) {
            Some(owner) if owner != *own => findings.refuse(reason::HOSTNAME_TAKEN, format!(
                "{field}: {hostname} belongs to the older LLMRoute {owner}; remove it here or there"
            )),
            _ => won.push(hostname),
        }
    }
    won
}

fn allows_hostname(proxy: &LLMProxy, hostname: &str) -> bool {
    proxy
        .spec
        .allowed_routes
        .hostnames
        .as_ref()
        .is_none_or(|patterns| {
            patterns
                .iter()
                .any(|pattern| match pattern.strip_prefix('*') {
                    Some(suffix) => hostname.len() > suffix.len() && hostname.ends_with(suffix),
                    None => pattern == hostname,
                })
        })
}

fn model_map(
    reference: &Reference,
    own: &ObjectKey,
    world: &Lookup<'_>,
    findings: &mut Findings,
) -> Target {
    let key = resolve(reference, own);
    let fault = match world.map(&key) {
        None => (
            reason::NOT_FOUND,
            format!("spec.modelMapRef: ModelMap {key} does not exist; create it"),
        ),
        Some(map) if !permits(&map.spec.allowed_routes, &key, own, world) => (
            reason::NOT_PERMITTED,
            format!(
                "spec.modelMapRef: ModelMap {key} admits no routes from namespace {}; extend its spec.allowedRoutes",
                own.namespace
            ),
        ),
        Some(_) => {
            let item = Key {
                kind: Kind::Map,
                object: key,
            };
            findings.needs(item.clone());
            if let Some(fault) = world.fault_of(&item) {
                findings.unresolved(
                    reason::NOT_FOUND,
                    format!(
                        "spec.modelMapRef: ModelMap {} cannot be used: {fault}",
                        item.object
                    ),
                );
            }
            return Target::Item(item);
        }
    };
    findings.unresolved(fault.0, fault.1.clone());
    Target::Unresolved(fault.1)
}

fn route_backend(
    entry: &RouteBackend,
    at: usize,
    own: &ObjectKey,
    world: &Lookup<'_>,
    findings: &mut Findings,
) -> Option<RouteBackendItem> {
    let at = format!("spec.backends[{at}]");
    if let Err(fault) = Filter::new(&entry.models, dragoman_crds::Matching::Exact) {
        findings.invalid(&format!("{at}.models.{}", fault.field), fault.fault);
    }
    let target = match (&entry.backend_ref, &entry.inline) {
        (Some(reference), None) => backend_ref(reference, &at, own, world, findings),
        (None, Some(spec)) => {
            let before = findings.references.len();
            match backend::spec(
                spec,
                &own.namespace,
                &format!("{at}.inline"),
                world,
                findings,
            ) {
                Some(item) => Target::Inline(Box::new(item)),
                // A Secret is missing: the others go on. A field that makes no sense was found as such.
                None => Target::Unresolved(
                    findings
                        .references
                        .get(before)
                        .map_or_else(|| findings.summary(), |fault| fault.1.clone()),
                ),
            }
        }
        _ => {
            findings.invalid(&at, "set exactly one of backendRef and inline");
            return None;
        }
    };
    let unsigned = |value: Option<i32>, default| {
        value
            .and_then(|value| u32::try_from(value).ok())
            .unwrap_or(default)
    };
    Some(RouteBackendItem {
        name: entry.name.clone(),
        target,
        prefix: entry.model_prefix.clone().unwrap_or_default(),
        models: entry.models.clone(),
        priority: unsigned(entry.priority, 0),
        weight: unsigned(entry.weight, 1),
    })
}

fn backend_ref(
    reference: &Reference,
    at: &str,
    own: &ObjectKey,
    world: &Lookup<'_>,
    findings: &mut Findings,
) -> Target {
    let key = resolve(reference, own);
    let item = Key {
        kind: Kind::Backend,
        object: key.clone(),
    };
    let fault = match world.backend(&key) {
        None => (
            reason::NOT_FOUND,
            format!("{at}.backendRef: LLMBackend {key} does not exist; create it"),
        ),
        Some(backend) if !permits(&backend.spec.allowed_routes, &key, own, world) => (
            reason::NOT_PERMITTED,
            format!(
                "{at}.backendRef: LLMBackend {key} admits no routes from namespace {}; extend its spec.allowedRoutes",
                own.namespace
            ),
        ),
        Some(_) => {
            findings.needs(item.clone());
            // The backend's own conditions hold the detail; the route is not ready without it either.
            if let Some(fault) = world.fault_of(&item) {
                findings.unresolved(
                    reason::NOT_FOUND,
                    format!("{at}.backendRef: LLMBackend {key} cannot be used: {fault}"),
                );
            }
            return Target::Item(item);
        }
    };
    findings.unresolved(fault.0, fault.1.clone());
    Target::Unresolved(fault.1)
}

fn resolve(reference: &Reference, own: &ObjectKey) -> ObjectKey {
    ObjectKey::new(
        reference.namespace.as_ref().unwrap_or(&own.namespace),
        &reference.name,
    )
}

fn permits(
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

fn admits(allowed: &RouteNamespaces, home: &str, from: &str, world: &Lookup<'_>) -> bool {
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
        .all(|(name, value)| labels.get(name) == Some(value));
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
