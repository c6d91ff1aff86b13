//! Whose rows the proxies of an LLMProxy may write into the request log: the namespaces of their routes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use dragoman_config::{Key, Kind};
use tokio::sync::watch;

/// How many namespaces that have left still count: rows of a route that is gone may wait in a spool.
const LEFT: usize = 256;

/// Namespaces, and what streams know of them.
#[derive(Debug, Default)]
pub(super) struct Namespaces {
    /// How many routes each has.
    routes: BTreeMap<String, usize>,
    /// Those that had some, the last to leave at the end.
    left: VecDeque<String>,
    changed: bool,
    told: watch::Sender<Arc<BTreeSet<String>>>,
}

impl Namespaces {
    /// Takes in that an item came; only routes count.
    pub(super) fn came(&mut self, item: &Key) {
        if item.kind != Kind::Route {
            return;
        }
        let namespace = &item.object.namespace;
        let routes = self.routes.entry(namespace.clone()).or_default();
        *routes += 1;
        if *routes == 1 {
            self.left.retain(|left| left != namespace);
            self.changed = true;
        }
    }

    /// Takes in that an item that came is gone.
    pub(super) fn went(&mut self, item: &Key) {
        let namespace = &item.object.namespace;
        let Some(routes) = self
            .routes
            .get_mut(namespace)
            .filter(|_| item.kind == Kind::Route)
        else {
            return;
        };
        *routes -= 1;
        if *routes == 0 {
            self.routes.remove(namespace);
            self.left.push_back(namespace.clone());
            if self.left.len() > LEFT {
                self.left.pop_front();
                self.changed = true;
            }
        }
    }

    /// Makes it known, if it changed.
    pub(super) fn tell(&mut self) {
        if !std::mem::take(&mut self.changed) {
            return;
        }
        let all: BTreeSet<String> = self.routes.keys().chain(&self.left).cloned().collect();
        self.told.send_if_modified(|told| {
            let news = **told != all;
            if news {
                *told = Arc::new(all);
            }
            news
        });
    }

    /// The namespaces, now and whenever they change.
    pub(super) fn told(&self) -> watch::Receiver<Arc<BTreeSet<String>>> {
        self.told.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(namespace: &str, name: &str) -> Key {
        Key::new(Kind::Route, namespace, name)
    }

    fn told(namespaces: &mut Namespaces) -> Vec<String> {
        namespaces.tell();
        namespaces.told().borrow().iter().cloned().collect()
    }

    #[test]
    fn a_namespace_counts_from_its_first_route_on_and_routes_alone_count() {
        let mut namespaces = Namespaces::default();
        namespaces.came(&route("a", "one"));
        namespaces.came(&route("a", "two"));
        namespaces.came(&Key::new(Kind::Backend, "b", "one"));
        assert_eq!(told(&mut namespaces), ["a"]);
        let mut news = namespaces.told();
        namespaces.went(&route("a", "one"));
        namespaces.came(&route("a", "three"));
        namespaces.tell();
        assert!(!news.has_changed().unwrap());
        namespaces.came(&route("c", "one"));
        namespaces.tell();
        assert!(news.has_changed().unwrap());
        assert_eq!(news.borrow_and_update().len(), 2);
    }

    #[test]
    fn one_that_left_stays_for_a_while_and_not_for_ever() {
        let mut namespaces = Namespaces::default();
        for i in 0..=LEFT {
            let route = route(&format!("{i:04}"), "one");
            namespaces.came(&route);
            namespaces.went(&route);
        }
        let all = told(&mut namespaces);
        assert_eq!((all.len(), all[0].as_str()), (LEFT, "0001"));
    }
}
