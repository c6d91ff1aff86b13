//! Compiling what an edit concerns, and nothing else.

use std::collections::{BTreeSet, HashMap};

use super::lookup::{Lookup, Seen};
use super::object::{Resource, created};
use super::{Changes, World};
use crate::compile;
use crate::{Key, Kind, Outcome};

impl World {
    /// Compiles `first` and everything that looked at `seen`, until nothing changes any more.
    pub(super) fn recompile(&mut self, first: BTreeSet<Key>, seen: Vec<Seen>) -> Changes {
        let mut changes = Changes::default();
        let mut queue = first;
        for seen in seen {
            self.enqueue(&seen, &mut queue);
        }
        // In the order of keys policies come first, then LLMProxies, Mappers before backends, and routes last, and nobody looks at the outcome of what comes later. Claims
        // depend on no other claims. So each key comes up at most once more for each claim that moved.
        while let Some(key) = queue.pop_first() {
            if key.kind == Kind::Route {
                self.claim(&key, &mut queue);
            }
            let Some(outcome) = self.compile(&key, &mut changes) else {
                continue;
            };
            let before = self.outcomes.get(&key);
            if before
                .zip(outcome.as_ref())
                .is_some_and(|(before, after)| !before.differs(after))
            {
                continue;
            }
            let uses = |outcome: Option<&Outcome>| outcome.map(|it| it.uses.clone());
            if before.and_then(Outcome::fault) != outcome.as_ref().and_then(Outcome::fault)
                || uses(before) != uses(outcome.as_ref())
            {
                self.enqueue(&Seen::Outcome(key.clone()), &mut queue);
            }
            self.settle(key, outcome, &mut changes);
        }
        changes
    }

    fn enqueue(&self, seen: &Seen, queue: &mut BTreeSet<Key>) {
        queue.extend(self.dependents.get(seen).into_iter().flatten().cloned());
    }

    /// Brings a route's claims to hostnames up to date; whoever claims one of them too is looked at again.
    fn claim(&mut self, key: &Key, queue: &mut BTreeSet<Key>) {
        let touched = match self.resources.get(key) {
            Some(Resource::Route(route)) => {
                if route.spec.hostnames.is_empty() && !self.claims.has(&key.object) {
                    return;
                }
                let hosts = compile::claims(route, &Lookup::new(self));
                let born = created(route);
                self.claims.replace(&key.object, born, hosts)
            }
            // Its previous version runs on, hostnames included, where that is still admitted.
            Some(_) => {
                let mut claims = std::mem::take(&mut self.claims);
                let lookup = Lookup::new(self);
                let touched = claims.retain(&key.object, |proxy| {
                    compile::admitted(proxy, &key.object, &lookup)
                });
                self.claims = claims;
                touched
            }
            None => self.claims.replace(&key.object, None, BTreeSet::new()),
        };
        for host in touched {
            self.enqueue(&Seen::Hostname(host), queue);
        }
    }

    /// One compilation, and what it looked at. `Some(None)`: the resource is gone. `None`: it never was.
    #[allow(clippy::option_option, reason = "gone and never known are different")]
    fn compile(&mut self, key: &Key, changes: &mut Changes) -> Option<Option<Outcome>> {
        let lookup = Lookup::new(self);
        let before = self.outcomes.get(key);
        let held = self.held.get(key).map(Vec::as_slice);
        let held = held.filter(|_| self.complete);
        let outcome = match self.resources.get(key) {
            Some(Resource::Policy(policy)) => Some(compile::policy(policy, &lookup)),
            Some(Resource::Proxy(proxy)) => Some(compile::proxy(proxy, held, &lookup)),
            Some(Resource::Backend(backend)) => Some(compile::backend(backend, held, &lookup)),
            Some(Resource::Map(map)) => Some(compile::map(map)),
            Some(Resource::Mapper(mapper)) => Some(compile::mapper(mapper)),
            Some(Resource::Route(route)) => Some(compile::route(route, held, &lookup)),
            Some(Resource::Malformed {
                generation,
                message,
                ..
            }) => Some(compile::malformed(
                key,
                *generation,
                message,
                before,
                &lookup,
            )),
            None if before.is_some() => None,
            None => return None,
        };
        let seen = lookup.into_seen();
        self.note(key, seen, changes);
        Some(outcome)
    }

    /// Writes down what the compilation of `key` looked at.
    fn note(&mut self, key: &Key, seen: BTreeSet<Seen>, changes: &mut Changes) {
        let old = self.seen.remove(key).unwrap_or_default();
        for gone in old.difference(&seen) {
            let Some(dependents) = self.dependents.get_mut(gone) else {
                continue;
            };
            dependents.remove(key);
            if !dependents.is_empty() {
                continue;
            }
            self.dependents.remove(gone);
            if let Seen::Input(input) = gone {
                changes.inputs = true;
                // Forgotten, so that a later reference reads it afresh. Files are read whether or not somebody refers to them.
                if !self.settings.standalone {
                    self.inputs.remove(input);
                }
            }
        }
        for new in seen.difference(&old) {
            changes.inputs |= matches!(new, Seen::Input(_)) && !self.dependents.contains_key(new);
            let dependents = self.dependents.entry(new.clone()).or_default();
            dependents.insert(key.clone());
        }
        if !seen.is_empty() {
            self.seen.insert(key.clone(), seen);
        }
    }

    /// Puts an outcome in place and works out which proxies must hear of it.
    fn settle(&mut self, key: Key, outcome: Option<Outcome>, changes: &mut Changes) {
        let old = self.outcomes.remove(&key);
        self.members
            .replace(&key, old.as_ref(), outcome.as_ref(), &mut changes.pushes);
        let content = |outcome: Option<&Outcome>| outcome.map(|outcome| outcome.canonical.clone());
        if content(old.as_ref()) != content(outcome.as_ref()) {
            self.members.push_content(&key, &mut changes.pushes);
        }
        hold(&mut self.held, &key, outcome.as_ref());
        if let Some(outcome) = outcome {
            self.outcomes.insert(key.clone(), outcome);
        }
        changes.outcomes.insert(key);
    }
}

/// Remembers what a version uses that compiled, for as long as its successors do not.
fn hold(held: &mut HashMap<Key, Vec<Key>>, key: &Key, outcome: Option<&Outcome>) {
    match outcome {
        Some(outcome) if outcome.item.is_ok() => {
            if matches!(key.kind, Kind::Route | Kind::Backend | Kind::Proxy) {
                held.insert(key.clone(), outcome.uses.clone());
            }
        }
        Some(_) => {}
        None => {
            held.remove(key);
        }
    }
}
