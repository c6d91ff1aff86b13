//! LLMRoute → item.

use std::collections::BTreeSet;

use dragoman_crds::{InlineBackends, LLMProxy, LLMRoute, Reference, RouteBackend};

use super::grant::{admits, permits, resolve};
use super::held::hold;
use super::{Findings, Outcome, backend};
use crate::names::Filter;
use crate::world::Lookup;
use crate::{Item, Key, Kind, ObjectKey, RouteBackendItem, RouteItem, Target, reason};

/// Compiles a route, whose last version that compiled uses the items `held`.
pub(crate) fn route(resource: &LLMRoute, held: &[Key], world: &Lookup<'_>) -> Outcome {
    let mut findings = Findings::new();
    findings.has_references();
    let own = name_of(resource);
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
    // An inline backend's key that is about to be read would come an instant after a version without it.
    let pending = findings
        .references
        .iter()
        .any(|(reason, _)| *reason == reason::PENDING);
    let item = if broken || pending {
        hold(held, &own, world, &mut findings);
        Err(findings.summary())
    } else {
        Ok(Item::Route(item))
    };
    findings.finish(resource.metadata.generation.unwrap_or_default(), item)
}

/// The hostnames that a route claims and may have, at each LLMProxy that serves it.
pub(crate) fn claims(resource: &LLMRoute, world: &Lookup<'_>) -> BTreeSet<(ObjectKey, String)> {
    let proxies = attach(resource, &name_of(resource), world, &mut Findings::new());
    let domain = &world.settings().cluster_domain;
    let mut claims = BTreeSet::new();
    for hostname in &resource.spec.hostnames {
        let hostname = hostname.to_ascii_lowercase();
        if !is_clusters(&hostname, domain) && refusing(&proxies, &hostname).is_none() {
            claims.extend(
                proxies
                    .iter()
                    .map(|(proxy, _)| (proxy.clone(), hostname.clone())),
            );
        }
    }
    claims
}

fn name_of(resource: &LLMRoute) -> ObjectKey {
    ObjectKey::new(
        resource.metadata.namespace.clone().unwrap_or_default(),
        resource.metadata.name.clone().unwrap_or_default(),
    )
}

/// Whether a hostname belongs to the cluster's Services.
fn is_clusters(hostname: &str, domain: &str) -> bool {
    hostname.ends_with(".svc")
        || hostname
            .strip_suffix(domain)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// The first LLMProxy that does not admit the hostname.
fn refusing<'p>(proxies: &'p [(ObjectKey, &LLMProxy)], hostname: &str) -> Option<&'p ObjectKey> {
    let found = proxies
        .iter()
        .find(|(_, proxy)| !allows_hostname(proxy, hostname));
    found.map(|(key, _)| key)
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
            let fault = missing(Kind::Proxy, &key, world);
            findings.refuse(reason::NO_PROXY, format!("{field}: {fault}"));
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
        if is_clusters(&hostname, &world.settings().cluster_domain) {
            findings.invalid(&field, format_args!(
                "{hostname} belongs to the cluster's Services; leave it out, the route answers to its own names already"
            ));
            continue;
        }
        if let Some(key) = refusing(proxies, &hostname) {
            findings.refuse(reason::NOT_ALLOWED_BY_PROXY, format!(
                "{field}: LLMProxy {key} does not admit {hostname}; extend its spec.allowedRoutes.hostnames"
            ));
            continue;
        }
        // All of them are looked at, so that each handing over is noticed.
        let owners: Vec<_> = proxies
            .iter()
            .filter_map(|(proxy, _)| world.hostname_owner(proxy, &hostname))
            .collect();
        match owners.into_iter().find(|owner| *owner != own) {
            Some(owner) => findings.refuse(reason::HOSTNAME_TAKEN, format!(
                "{field}: {hostname} belongs to the older LLMRoute {owner}; remove it here or there"
            )),
            None => won.push(hostname),
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
            format!("spec.modelMapRef: {}", missing(Kind::Map, &key, world)),
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
            format!("{at}.backendRef: {}", missing(Kind::Backend, &key, world)),
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

/// Why a resource cannot be had, and the cure.
fn missing(kind: Kind, key: &ObjectKey, world: &Lookup<'_>) -> String {
    let kind_name = kind.as_str();
    let item = Key {
        kind,
        object: key.clone(),
    };
    if world.unreadable(&item) {
        return format!("{kind_name} {key} does not parse; correct it");
    }
    format!("{kind_name} {key} does not exist; create it, or name another")
}
