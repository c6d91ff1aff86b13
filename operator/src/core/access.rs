//! What AccessPolicies mean for others: who is let in, and who counts with whom.

use std::collections::BTreeSet;
use std::time::Instant;

use dragoman_config::{Item, Key, Kind, ObjectKey, Outcome};
use dragoman_crds::{LLMRoute, Reference};

use super::Core;
use crate::status::Sharing;

impl Core {
    /// Looks again at whoever an AccessPolicy lets in, where it asks otherwise than before: the routes that refer to it, and those
    /// of LLMProxies that do.
    pub(super) fn want_access(&mut self, policy: &Key, now: Instant) {
        let asks = self.policy_asks(&policy.object);
        if self.asking.insert(policy.clone(), asks) == Some(asks) {
            return;
        }
        let users: Vec<Key> = self
            .users
            .get(policy)
            .into_iter()
            .flatten()
            .cloned()
            .collect();
        for user in users {
            if user.kind == Kind::Proxy {
                self.want_routes(&user.object, now);
            }
            self.want_status(user, now);
        }
    }

    /// Looks again at the routes of an LLMProxy.
    pub(super) fn want_routes(&mut self, proxy: &ObjectKey, now: Instant) {
        self.want_members(proxy, Kind::Route, now);
    }

    /// Looks again at the policies that an LLMProxy's proxies run: whether they count together has changed.
    pub(super) fn want_sharing(&mut self, proxy: &ObjectKey, now: Instant) {
        self.want_members(proxy, Kind::Policy, now);
    }

    fn want_members(&mut self, proxy: &ObjectKey, kind: Kind, now: Instant) {
        let members = self.world.members(proxy).filter(|item| item.kind == kind);
        let members: Vec<Key> = members.cloned().collect();
        for item in members {
            self.want_status(item, now);
        }
    }

    /// Whether a route lets nobody in but who says who he is, wherever it is served. What a policy that cannot be had would say
    /// is not known, and it lets nobody in.
    pub(super) fn is_restricted(&self, route: &LLMRoute, outcome: &Outcome) -> bool {
        let namespace = route.metadata.namespace.as_deref().unwrap_or_default();
        if self.asks(&route.spec.access_policy_refs, namespace) {
            return true;
        }
        let asks = |proxy: &ObjectKey| {
            let resource = self.world.proxy(proxy);
            resource.is_some_and(|resource| {
                self.asks(&resource.spec.access_policy_refs, &proxy.namespace)
            })
        };
        !outcome.attached.is_empty() && outcome.attached.iter().all(asks)
    }

    /// Whether one of the policies asks who is calling.
    fn asks(&self, references: &[Reference], namespace: &str) -> bool {
        references.iter().any(|reference| {
            let namespace = reference.namespace.as_deref().unwrap_or(namespace);
            self.policy_asks(&ObjectKey::new(namespace, &reference.name))
        })
    }

    /// Whether the policy asks who is calling; one that is not there lets nobody in.
    fn policy_asks(&self, policy: &ObjectKey) -> bool {
        self.world.policy(policy).is_none_or(|policy| {
            let authentication = policy.spec.authentication.as_ref();
            authentication.is_some_and(|ways| !ways.anonymous)
        })
    }

    /// With whom the proxies that run a policy count its limits and bans; nothing where it has none.
    pub(super) fn sharing(&self, key: &Key) -> Option<Sharing> {
        let policy = self.world.policy(&key.object)?;
        if policy.spec.limits.is_empty() && policy.spec.ban.is_none() {
            return None;
        }
        let proxies: Vec<&ObjectKey> = self.world.running(key).collect();
        if proxies.is_empty() {
            return Some(Sharing::NotUsed);
        }
        let mut stores = BTreeSet::new();
        let mut apart = Vec::new();
        let mut pods = 0;
        for proxy in &proxies {
            pods += self.count(proxy).0.desired.max(0);
            match self.redis_of(proxy) {
                Some(url) => drop(stores.insert(url)),
                None => apart.push(proxy.to_string()),
            }
        }
        if pods <= 1 && proxies.len() == 1 {
            return Some(Sharing::OneProxy);
        }
        if !apart.is_empty() {
            return Some(Sharing::Apart {
                pods,
                proxies: apart,
            });
        }
        if stores.len() > 1 {
            let proxies = proxies.iter().map(ToString::to_string).collect();
            return Some(Sharing::TwoStores(proxies));
        }
        let away = self.streams.values().find_map(|connected| {
            let why = connected.redis_away.as_ref()?;
            let ours = proxies.contains(&&connected.proxy);
            ours.then(|| format!("proxy {}: {why}", connected.pod))
        });
        Some(away.map_or(Sharing::Together, Sharing::Away))
    }

    /// The Redis of an LLMProxy, as its proxies know it.
    fn redis_of(&self, proxy: &ObjectKey) -> Option<&str> {
        let key = Key {
            kind: Kind::Proxy,
            object: proxy.clone(),
        };
        match self.world.outcome(&key)?.item.as_deref() {
            Ok(Item::Proxy(item)) => item.redis.as_ref().map(dragoman_config::Secret::expose),
            _ => None,
        }
    }

    /// How many addresses the proxies of an LLMProxy have banned, once one of them said so. Those that count together have the same bans.
    pub(super) fn banned(&self, proxy: &ObjectKey) -> Option<i32> {
        let ours = self.streams.values().filter(|it| it.proxy == *proxy);
        let banned = ours.filter_map(|connected| connected.banned);
        let total = match self.redis_of(proxy) {
            Some(_) => banned.max(),
            None => banned.reduce(u32::saturating_add),
        };
        total.map(|total| i32::try_from(total).unwrap_or(i32::MAX))
    }
}
