//! How far proxies are with a resource.

use dragoman_config::{Key, Kind, ObjectKey, Outcome};

use super::Core;
use super::children::RouteService;
use crate::status::Standing;

impl Core {
    /// How far the proxies of a route, or of an LLMProxy, are with it.
    pub(super) fn standing(&mut self, key: &Key, outcome: &Outcome) -> Standing {
        match key.kind {
            Kind::Proxy => {
                if let Some(fault) = self.proxy_faults.get(&key.object) {
                    return Standing::ChildRefused(fault.clone());
                }
            }
            Kind::Route => match self.route_services.get(&key.object) {
                Some(RouteService::Conflict(cure)) => {
                    return Standing::ServiceConflict(cure.clone());
                }
                Some(RouteService::Failed(fault)) => return Standing::ChildRefused(fault.clone()),
                _ => {}
            },
            Kind::Policy | Kind::Backend | Kind::Map | Kind::Mapper => {}
        }
        if outcome.pending {
            return Standing::Pending;
        }
        if outcome.item.is_err() {
            return Standing::NotSent;
        }
        let own;
        let proxies: &[ObjectKey] = if key.kind == Kind::Proxy {
            own = [key.object.clone()];
            &own
        } else {
            &outcome.attached
        };
        if proxies.is_empty() {
            return Standing::NotAttached;
        }
        if let Some(refusal) = self.refusal(proxies, key, outcome) {
            return Standing::Refused(refusal);
        }
        if key.kind == Kind::Route && !self.route_services.contains_key(&key.object) {
            return Standing::Pending;
        }
        let mut connected = 0;
        let mut everywhere = true;
        for (at, proxy) in proxies.iter().enumerate() {
            // The route's URL leads to its first LLMProxy: without one there, nobody answers.
            let needed = at == 0;
            let Some(shelf) = self.shelves.get(proxy) else {
                everywhere &= !needed;
                continue;
            };
            let items = std::iter::once(key).chain(&outcome.uses);
            let version = items.filter_map(|item| shelf.version_of(item)).max();
            let Some(version) = version else {
                everywhere = false;
                continue;
            };
            let (streams, acked) = shelf.standing(version);
            connected += streams;
            if streams == 0 || acked < streams {
                everywhere &= streams == 0 && !needed;
                self.waiting
                    .entry(proxy.clone())
                    .or_default()
                    .insert((version, key.clone()));
            }
        }
        if connected == 0 {
            let names: Vec<_> = proxies.iter().map(ToString::to_string).collect();
            let names = names.join(", ");
            return Standing::NoProxies(format!(
                "no proxy of LLMProxy {names} is connected to the operator yet"
            ));
        }
        if everywhere {
            Standing::Everywhere
        } else {
            Standing::Pending
        }
    }

    /// Whether a route that some LLMProxy serves needs the item.
    pub(super) fn is_used(&self, item: &Key) -> bool {
        let mut users = self.users.get(item).into_iter().flatten();
        users.any(|user| {
            let outcome = self.world.outcome(user);
            outcome.is_some_and(|outcome| !outcome.attached.is_empty())
        })
    }

    /// What a proxy said when it could not apply the item, or one that it needs.
    fn refusal(&self, proxies: &[ObjectKey], key: &Key, outcome: &Outcome) -> Option<String> {
        self.streams.values().find_map(|connected| {
            if connected.refused.is_empty() || !proxies.contains(&connected.proxy) {
                return None;
            }
            let item = std::iter::once(key)
                .chain(&outcome.uses)
                .find(|item| connected.refused.contains_key(*item))?;
            Some(format!(
                "proxy {} refused {item}: {}",
                connected.pod, connected.refused[item]
            ))
        })
    }
}
