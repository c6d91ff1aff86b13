//! Which items the proxies of each LLMProxy run.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Key, Kind, ObjectKey, Outcome};

/// For each LLMProxy, items that its proxies must hear of.
pub(super) type Pushes = BTreeMap<ObjectKey, BTreeSet<Key>>;

/// The items of each LLMProxy, each with the number of resources that bring it.
#[derive(Debug, Default)]
pub(super) struct Members(BTreeMap<ObjectKey, BTreeMap<Key, usize>>);

impl Members {
    pub(super) fn of(&self, proxy: &ObjectKey) -> impl Iterator<Item = &Key> {
        self.0.get(proxy).into_iter().flat_map(BTreeMap::keys)
    }

    pub(super) fn has(&self, proxy: &ObjectKey, item: &Key) -> bool {
        self.0
            .get(proxy)
            .is_some_and(|items| items.contains_key(item))
    }

    pub(super) fn running(&self, item: &Key) -> impl Iterator<Item = &ObjectKey> {
        let proxies = self.0.iter().filter(|(_, items)| items.contains_key(item));
        proxies.map(|(proxy, _)| proxy)
    }

    /// Replaces what a resource brought by what it brings now; what came or went is pushed.
    pub(super) fn replace(
        &mut self,
        key: &Key,
        old: Option<&Outcome>,
        new: Option<&Outcome>,
        pushes: &mut Pushes,
    ) {
        let before = brought(key, old);
        let after = brought(key, new);
        for (proxy, item) in before.difference(&after) {
            let Some(items) = self.0.get_mut(proxy) else {
                continue;
            };
            if let Some(count) = items.get_mut(item) {
                *count -= 1;
                if *count == 0 {
                    items.remove(item);
                    push(pushes, proxy, item);
                }
            }
            if items.is_empty() {
                self.0.remove(proxy);
            }
        }
        for (proxy, item) in after.difference(&before) {
            let items = self.0.entry(proxy.clone()).or_default();
            let count = items.entry(item.clone()).or_default();
            *count += 1;
            if *count == 1 {
                push(pushes, proxy, item);
            }
        }
    }

    /// Pushes an item whose content changed to everyone who has it.
    pub(super) fn push_content(&self, item: &Key, pushes: &mut Pushes) {
        for (proxy, items) in &self.0 {
            if items.contains_key(item) {
                push(pushes, proxy, item);
            }
        }
    }
}

/// An LLMProxy brings its own item and what it uses to its proxies, a route itself and what it uses to all that serve it.
fn brought(key: &Key, outcome: Option<&Outcome>) -> BTreeSet<(ObjectKey, Key)> {
    let Some(outcome) = outcome else {
        return BTreeSet::new();
    };
    let items = || std::iter::once(key).chain(&outcome.uses);
    let own = (key.kind == Kind::Proxy).then_some(&key.object);
    own.into_iter()
        .chain(&outcome.attached)
        .flat_map(|proxy| items().map(|item| (proxy.clone(), item.clone())))
        .collect()
}

fn push(pushes: &mut Pushes, proxy: &ObjectKey, item: &Key) {
    pushes
        .entry(proxy.clone())
        .or_default()
        .insert(item.clone());
}
