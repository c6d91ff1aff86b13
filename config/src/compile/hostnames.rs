//! Which hostnames a route gets besides its own names.

use std::collections::BTreeSet;

use dragoman_crds::{LLMProxy, LLMRoute};

use super::Findings;
use super::route::{attach, name_of};
use crate::world::Lookup;
use crate::{ObjectKey, reason};

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

/// The hostnames that the route may have: admitted by its proxies and not an older route's.
pub(super) fn hostnames(
    resource: &LLMRoute,
    own: &ObjectKey,
    proxies: &[(ObjectKey, &LLMProxy)],
    world: &Lookup<'_>,
    findings: &mut Findings,
) -> Vec<String> {
    let mut won = Vec::new();
    let mut taken = Vec::new();
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
            Some(owner) => taken.push(format!(
                "{field}: {hostname} belongs to the older LLMRoute {owner}; remove it here or there"
            )),
            None => won.push(hostname),
        }
    }
    // A route that goes on under other hostnames is told, and not stalled: it does not lose what it has to a newcomer's wish.
    for fault in taken {
        if won.is_empty() {
            findings.refuse(reason::HOSTNAME_TAKEN, fault);
        } else {
            findings.remark(reason::HOSTNAME_TAKEN, fault);
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
