//! What proxies keep of versions that this world never saw: an operator that starts while something does not compile must
//! not take away what runs.

use std::collections::BTreeSet;

use super::object::Resource;
use super::{Lookup, World};
use crate::compile;
use crate::{Key, Kind, ObjectKey};

impl World {
    /// Takes in that everything that there is was applied: from here on, what compiles is what proxies are sent.
    pub fn listed(&mut self) {
        self.complete = true;
        let outcomes = &self.outcomes;
        // What compiled only because the rest was not there yet was sent to nobody.
        self.held.retain(|key, _| {
            outcomes
                .get(key)
                .is_some_and(|outcome| outcome.item.is_ok())
        });
    }

    /// Those of `items` that a proxy of `proxy` that has them must keep, although they are no members: a route whose version at
    /// proxies is not known here may be, or use, one of them.
    ///
    /// Such a route does not compile and never did here, or does not parse, or its LLMProxy does not. The same goes for LLMBackends and LLMProxies, and policies. Only resources that exist
    /// are kept, and only what admits such a route: to break a route is no way to keep what was deleted or taken away.
    pub fn kept<'k>(
        &self,
        proxy: &ObjectKey,
        items: impl IntoIterator<Item = &'k Key>,
    ) -> BTreeSet<Key> {
        let routes: BTreeSet<&Key> = self.unknown_routes(proxy).collect();
        let referring = self.unknown_referrers(proxy);
        if routes.is_empty() && referring.is_empty() {
            return BTreeSet::new();
        }
        let namespaces: BTreeSet<&str> = routes
            .iter()
            .map(|route| route.object.namespace.as_str())
            .collect();
        items
            .into_iter()
            .filter(|item| match item.kind {
                // A Mapper reaches proxies within what uses it.
                Kind::Proxy | Kind::Mapper => false,
                Kind::Route => routes.contains(item),
                Kind::Backend | Kind::Map => self.admits_any(item, &namespaces),
                Kind::Policy => {
                    self.admits_any(item, &namespaces) || self.admits_any(item, &referring)
                }
            })
            .cloned()
            .collect()
    }

    /// Routes that proxies of `proxy` may run in a version that was never seen here.
    fn unknown_routes(&self, proxy: &ObjectKey) -> impl Iterator<Item = &Key> {
        let lookup = Lookup::new(self);
        let readable = self.proxy(proxy).is_some();
        self.resources
            .range(first_route()..)
            .filter(move |(key, resource)| match resource.readable() {
                // Where it was attached is not known either.
                None => !readable || compile::admitted(proxy, &key.object, &lookup),
                Some(_) if !readable => self.names(resource, key, proxy),
                Some(_) => self.outcomes.get(key).is_some_and(|outcome| {
                    outcome.item.is_err()
                        && outcome.attached.contains(proxy)
                        && !self.held.contains_key(key)
                }),
            })
            .map(|(key, _)| key)
    }

    /// The namespaces of what refers to policies besides routes, and which ones in the version at proxies of `proxy` is not known here.
    fn unknown_referrers(&self, proxy: &ObjectKey) -> BTreeSet<&str> {
        let unknown = |key: &&Key| {
            let outcome = self.outcomes.get(*key);
            outcome.is_some_and(|outcome| outcome.item.is_err()) && !self.held.contains_key(*key)
        };
        let members = self.members(proxy);
        members
            .filter(|key| matches!(key.kind, Kind::Proxy | Kind::Backend))
            .filter(unknown)
            .map(|key| key.object.namespace.as_str())
            .collect()
    }

    /// Whether the route asks to be served by `proxy`.
    fn names(&self, resource: &Resource, key: &Key, proxy: &ObjectKey) -> bool {
        let Some(Resource::Route(route)) = resource.readable() else {
            return false;
        };
        match &route.spec.proxy_refs {
            Some(references) => references
                .iter()
                .any(|reference| compile::resolve(reference, &key.object) == *proxy),
            None => self
                .settings
                .default_proxy
                .as_ref()
                .is_none_or(|default| default == proxy),
        }
    }

    /// Whether the backend or map exists and admits routes from one of `namespaces`; whom one admits that never parsed, nobody knows.
    fn admits_any(&self, item: &Key, namespaces: &BTreeSet<&str>) -> bool {
        let Some(resource) = self.resources.get(item) else {
            return false;
        };
        let allowed = match resource.readable() {
            Some(Resource::Backend(backend)) => &backend.spec.allowed_routes,
            Some(Resource::Map(map)) => &map.spec.allowed_routes,
            Some(Resource::Policy(policy)) => &policy.spec.allowed_routes,
            _ => return true,
        };
        let lookup = Lookup::new(self);
        let home = &item.object.namespace;
        namespaces
            .iter()
            .any(|from| compile::admits(&allowed.namespaces, home, from, &lookup))
    }
}

/// Routes are the last of the kinds.
fn first_route() -> Key {
    Key::new(Kind::Route, "", "")
}
