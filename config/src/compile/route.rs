//! LLMRoute → item.

use dragoman_crds::{InlineBackends, LLMBackendSpec, LLMProxy, LLMRoute, Reference, RouteBackend};

use super::grant::{admits, permits, resolve};
use super::held::hold;
use super::hostnames::hostnames;
use super::mapped::missing_backends;
use super::policies::{Referrer, policies};
use super::{Findings, Outcome, backend, conversation, cors, paths, wants_policy};
use crate::names::Filter;
use crate::world::Lookup;
use crate::{Item, Key, Kind, ObjectKey, RouteBackendItem, RouteItem, Target, reason};

/// Compiles a route, whose last version that compiled uses the items `held`; where none did, what proxies run is not known.
pub(crate) fn route(resource: &LLMRoute, held: Option<&[Key]>, world: &Lookup<'_>) -> Outcome {
    let mut findings = Findings::new();
    findings.has_references();
    let own = name_of(resource);
    let proxies = attach(resource, &own, world, &mut findings);
    let hostnames = hostnames(resource, &own, &proxies, world, &mut findings);
    let model_map = resource
        .spec
        .model_map_ref
        .as_ref()
        .map(|reference| model_map(resource, reference, &own, held, world, &mut findings));
    let referrer = Referrer {
        own: &own,
        at: "spec",
        held,
        chosen: false,
    };
    let references = &resource.spec.access_policy_refs;
    let policies = policies(references, referrer, world, &mut findings);
    let before = findings.accepted.len();
    let cors = resource.spec.cors.as_ref();
    let cors = cors.map(|spec| cors::cors(spec, &mut findings));
    let backends = resource
        .spec
        .backends
        .iter()
        .enumerate()
        .filter_map(|(at, entry)| {
            let target = Referring {
                own: &own,
                held,
                proxies: &proxies,
            };
            route_backend(entry, at, target, world, &mut findings)
        })
        .collect();
    let conversation = resource
        .spec
        .conversation
        .as_ref()
        .map(|spec| conversation::conversation(spec, &own.namespace, world, &mut findings));
    let paths = paths::paths(resource, &own, world, &mut findings);
    let broken = findings.accepted.len() > before;
    let item = RouteItem {
        policies,
        cors,
        log_bodies: resource.spec.logging.as_ref().and_then(|it| it.bodies),
        replay: resource.spec.replay.as_ref().and_then(|it| it.enabled),
        hostnames,
        model_map,
        backends,
        thinking: resource.spec.thinking.clone(),
        apis: resource.spec.apis.clone(),
        conversation,
        paths,
    };
    let item = if broken || findings.is_held_back() {
        part(&proxies, held, world, &mut findings);
        hold(held.unwrap_or_default(), &own, world, &mut findings);
        Err(findings.summary())
    } else {
        Ok(Item::Route(item))
    };
    findings.finish(resource.metadata.generation.unwrap_or_default(), item)
}

/// Parts a route from LLMProxies that serve none without a policy, where the version that goes on running names none: to break
/// a route is no way around them.
fn part(
    proxies: &[(ObjectKey, &LLMProxy)],
    held: Option<&[Key]>,
    world: &Lookup<'_>,
    findings: &mut Findings,
) {
    let Some(held) = held else { return };
    let backends = held.iter().filter(|item| item.kind == Kind::Backend);
    let theirs: Vec<&Key> = backends.flat_map(|item| world.uses_of(item)).collect();
    let own = |item: &Key| item.kind == Kind::Policy && !theirs.contains(&item);
    if held.iter().any(own) {
        return;
    }
    for (proxy, _) in proxies.iter().filter(|(_, it)| wants_policy(&it.spec)) {
        findings.attached.retain(|attached| attached != proxy);
        findings.refuse(reason::ACCESS_POLICY_REQUIRED, format!(
            "spec.accessPolicyRefs: LLMProxy {proxy} serves no route without an AccessPolicy (spec.requireAccessPolicy), and the last version that could be run names none; correct this one"
        ));
    }
}

pub(super) fn name_of(resource: &LLMRoute) -> ObjectKey {
    ObjectKey::new(
        resource.metadata.namespace.clone().unwrap_or_default(),
        resource.metadata.name.clone().unwrap_or_default(),
    )
}

/// Attaches the route to every LLMProxy that it names and that admits it.
pub(super) fn attach<'w>(
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
            let (_, fault) = absent(Kind::Proxy, &key, world);
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
        if wants_policy(&proxy.spec) && resource.spec.access_policy_refs.is_empty() {
            findings.refuse(reason::ACCESS_POLICY_REQUIRED, format!(
                "{field}: LLMProxy {key} serves no route without an AccessPolicy (spec.requireAccessPolicy), and none applies to this one; name one in spec.accessPolicyRefs"
            ));
            continue;
        }
        findings.attach(key.clone());
        attached.push((key, proxy));
    }
    attached
}

fn model_map(
    resource: &LLMRoute,
    reference: &Reference,
    own: &ObjectKey,
    held: Option<&[Key]>,
    world: &Lookup<'_>,
    findings: &mut Findings,
) -> Target {
    let key = resolve(reference, own);
    let fault = match world.map(&key) {
        None => missing(Kind::Map, &key, "spec.modelMapRef", held, world, findings),
        Some(map) if !permits(&map.spec.allowed_routes, &key, own, world) => (
            reason::NOT_PERMITTED,
            format!(
                "spec.modelMapRef: ModelMap {key} admits no routes from namespace {}; extend its spec.allowedRoutes",
                own.namespace
            ),
        ),
        Some(map) => {
            let item = Key {
                kind: Kind::Map,
                object: key,
            };
            findings.needs(item.clone());
            match world.fault_of(&item) {
                None => missing_backends(resource, &item.object, map, findings),
                Some(fault) => findings.unresolved(
                    reason::REF_INVALID,
                    format!(
                        "spec.modelMapRef: ModelMap {} cannot be used: {}",
                        item.object, fault.message
                    ),
                ),
            }
            return Target::Item(item);
        }
    };
    findings.unresolved(fault.0, fault.1.clone());
    Target::Unresolved(fault.1)
}

/// The route that refers to backends.
#[derive(Clone, Copy)]
struct Referring<'a> {
    own: &'a ObjectKey,
    /// What its last version that compiled uses.
    held: Option<&'a [Key]>,
    /// Who serves it.
    proxies: &'a [(ObjectKey, &'a LLMProxy)],
}

impl Referring<'_> {
    /// What is wrong where the proxy's own identity would sign for a backend of another namespace: its team has not been given that identity.
    fn lends(&self, spec: &LLMBackendSpec, namespace: &str, at: &str) -> Option<String> {
        if !backend::lends_identity(spec) {
            return None;
        }
        let mut proxies = self.proxies.iter().map(|(key, _)| key);
        let lender = proxies.find(|key| key.namespace != namespace)?;
        Some(format!(
            "{at}: credential.aws without secretRef would lend the identity of LLMProxy {lender} to namespace {namespace}; set credential.aws.secretRef, or move the LLMBackend to namespace {}",
            lender.namespace
        ))
    }
}

fn route_backend(
    entry: &RouteBackend,
    at: usize,
    route: Referring<'_>,
    world: &Lookup<'_>,
    findings: &mut Findings,
) -> Option<RouteBackendItem> {
    let own = route.own;
    let at = format!("spec.backends[{at}]");
    let filter = Filter::new(&entry.models, dragoman_crds::Matching::Exact);
    for fault in filter.err().unwrap_or_default() {
        findings.invalid(&format!("{at}.models.{}", fault.field), fault.fault);
    }
    let target = match (&entry.backend_ref, &entry.inline) {
        (Some(reference), None) => backend_ref(reference, &at, route, world, findings),
        (None, Some(spec)) => {
            let before = findings.references.len();
            let field = format!("{at}.inline");
            if let Some(fault) = route.lends(spec, &own.namespace, &field) {
                findings.unresolved(reason::CREDENTIAL_NOT_SHAREABLE, fault);
            }
            let lent = findings.references.len() > before;
            let target = match backend::spec(spec, own, &field, route.held, world, findings) {
                Some(item) if !lent => Target::Inline(Box::new(item)),
                // A Secret is missing: the others go on. A field that makes no sense was found as such.
                _ => Target::Unresolved(
                    findings
                        .references
                        .get(before)
                        .map_or_else(|| findings.summary(), |fault| fault.1.clone()),
                ),
            };
            let waits = |(reason, _): &(&str, String)| *reason == reason::PENDING;
            // A key that is about to be read would come an instant after a version without it.
            if findings.references[before..].iter().any(waits) {
                findings.hold_back();
            }
            target
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
    route: Referring<'_>,
    world: &Lookup<'_>,
    findings: &mut Findings,
) -> Target {
    let Referring { own, held, .. } = route;
    let key = resolve(reference, own);
    let item = Key {
        kind: Kind::Backend,
        object: key.clone(),
    };
    let fault = match world.backend(&key) {
        None => {
            let field = format!("{at}.backendRef");
            missing(Kind::Backend, &key, &field, held, world, findings)
        }
        Some(backend) if !permits(&backend.spec.allowed_routes, &key, own, world) => (
            reason::NOT_PERMITTED,
            format!(
                "{at}.backendRef: LLMBackend {key} admits no routes from namespace {}; extend its spec.allowedRoutes",
                own.namespace
            ),
        ),
        Some(backend) => {
            let field = format!("{at}.backendRef");
            if let Some(fault) = route.lends(&backend.spec, &key.namespace, &field) {
                findings.unresolved(reason::CREDENTIAL_NOT_SHAREABLE, fault.clone());
                return Target::Unresolved(fault);
            }
            findings.needs(item.clone());
            findings.needs_all(world.uses_of(&item));
            // The backend's own conditions hold the detail; the route is not ready without it either.
            if let Some(fault) = world.fault_of(&item) {
                let waits = fault.reason == reason::PENDING;
                // Proxies that are sent the route before its backend would refuse calls for an instant. Those that have a version
                // of the backend go on with it.
                if waits && !held.is_some_and(|held| held.contains(&item)) {
                    findings.hold_back();
                }
                findings.unresolved(
                    if waits {
                        reason::PENDING
                    } else {
                        reason::REF_INVALID
                    },
                    format!(
                        "{at}.backendRef: LLMBackend {key} cannot be used: {}",
                        fault.message
                    ),
                );
            }
            return Target::Item(item);
        }
    };
    findings.unresolved(fault.0, fault.1.clone());
    Target::Unresolved(fault.1)
}

/// What is to be said of a reference to what cannot be had.
pub(super) fn missing(
    kind: Kind,
    key: &ObjectKey,
    field: &str,
    held: Option<&[Key]>,
    world: &Lookup<'_>,
    findings: &mut Findings,
) -> (&'static str, String) {
    let (reason, fault) = absent(kind, key, world);
    // Whether the version that proxies run uses it is not known, nor whom it admits: that version stays.
    if reason == reason::REF_INVALID && held.is_none() {
        findings.hold_back();
    }
    (reason, format!("{field}: {fault}"))
}

/// Why a resource cannot be had, and the cure.
pub(super) fn absent(kind: Kind, key: &ObjectKey, world: &Lookup<'_>) -> (&'static str, String) {
    let kind_name = kind.as_str();
    let item = Key {
        kind,
        object: key.clone(),
    };
    if world.unreadable(&item) {
        let fault = format!("{kind_name} {key} does not parse; correct it");
        return (reason::REF_INVALID, fault);
    }
    let fault = format!("{kind_name} {key} does not exist; create it, or name another");
    (reason::NOT_FOUND, fault)
}
