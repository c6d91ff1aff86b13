//! What the operator sent: each item with its hash, changed by transactions.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use dragoman_config::{Item, Key, Kind, hash};
use serde::{Deserialize, Serialize};

use super::message::{Change, Changes, Content, Name};

/// Everything that the operator sent and did not take back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Store {
    held: BTreeMap<Key, Held>,
    /// Items of kinds that this version does not know, with their hashes: they count in the digest. No hello can name
    /// them, so they are sent again on each stream.
    #[serde(skip)]
    foreign: BTreeMap<String, Foreign>,
    digest: String,
}

/// One item as it was sent last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Held {
    hash: String,
    /// The last version that can be run; `None` fails closed.
    item: Option<Arc<Item>>,
    /// Why the version of `hash` is not that one.
    fault: Option<Fault>,
}

#[derive(Clone, Debug, PartialEq)]
struct Foreign {
    hash: String,
    fault: String,
}

/// What is wrong with a version that was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Fault {
    /// It does not compile, as the operator knows.
    Invalid(String),
    /// This version of the proxy cannot read it, as the operator must be told.
    Unreadable(String),
}

impl Fault {
    fn why(&self) -> &str {
        match self {
            Self::Invalid(why) | Self::Unreadable(why) => why,
        }
    }
}

/// What a transaction brought besides items.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Applied {
    /// Items put and deleted.
    pub(super) changes: usize,
    /// Items that do not compile, and why, where that is news.
    pub(super) invalid: Vec<Invalid>,
    /// Whether the items are not those whose digest the operator sent: the two have come apart.
    pub(super) diverged: bool,
}

/// An item that does not compile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Invalid {
    /// Its name.
    pub(super) name: Key,
    /// Why.
    pub(super) reason: String,
    /// Whether a previous version goes on; otherwise what depends on it is refused.
    pub(super) previous: bool,
}

impl Store {
    /// Applies a transaction as a whole.
    pub(super) fn apply(&mut self, changes: Changes) -> Applied {
        let mut applied = Applied {
            changes: changes.put.len() + changes.delete.len(),
            ..Applied::default()
        };
        for name in &changes.delete {
            match name {
                Name::Known(key) => drop(self.held.remove(key)),
                Name::Foreign(name) => drop(self.foreign.remove(name)),
            }
        }
        for Change {
            name,
            hash,
            content,
        } in changes.put
        {
            match (name, content) {
                (Name::Known(key), content) => applied.invalid.extend(self.put(key, hash, content)),
                (Name::Foreign(name), Content::Unreadable(fault)) => {
                    self.foreign.insert(name, Foreign { hash, fault });
                }
                // What is readable has a name that is.
                (Name::Foreign(_), _) => {}
            }
        }
        applied.diverged = self.own_digest() != changes.digest;
        self.digest = changes.digest;
        applied
    }

    /// Puts one item; what is told of it if it does not compile.
    fn put(&mut self, name: Key, hash: String, content: Content) -> Option<Invalid> {
        let before = self.held.remove(&name);
        let known = before.as_ref().and_then(|held| held.fault.clone());
        let previous = before.and_then(|held| held.item);
        let (item, fault) = match content {
            Content::Item(item) => (Some(item), None),
            Content::Invalid(why) => (previous, Some(Fault::Invalid(why))),
            Content::Unreadable(why) => (previous, Some(Fault::Unreadable(why))),
        };
        let told = match &fault {
            Some(Fault::Invalid(reason)) if known != fault => Some(Invalid {
                name: name.clone(),
                reason: reason.clone(),
                previous: item.is_some(),
            }),
            _ => None,
        };
        self.held.insert(name, Held { hash, item, fault });
        told
    }

    /// The digest of what is held.
    fn own_digest(&self) -> String {
        let known = self
            .held
            .iter()
            .map(|(name, held)| (name as &dyn fmt::Display, held.hash.as_str()));
        let foreign = self
            .foreign
            .iter()
            .map(|(name, foreign)| (name as &dyn fmt::Display, foreign.hash.as_str()));
        hash::digest(known.chain(foreign))
    }

    /// The items that run. None do while the LLMProxy's own cannot be had: it says what must never be reached.
    #[must_use]
    pub(super) fn items(&self) -> BTreeMap<Key, Arc<Item>> {
        if self.closed().is_some() {
            return BTreeMap::new();
        }
        let running = |(name, held): (&Key, &Held)| Some((name.clone(), held.item.clone()?));
        self.held.iter().filter_map(running).collect()
    }

    /// The items that cannot be run in any version, and why.
    #[must_use]
    pub(super) fn unusable(&self) -> BTreeMap<Key, String> {
        let closed = self.closed();
        let unusable = |(name, held): (&Key, &Held)| match (&held.item, &closed) {
            (None, _) => Some((name.clone(), held.fault.as_ref()?.why().to_owned())),
            (Some(_), Some(closed)) => Some((name.clone(), closed.clone())),
            (Some(_), None) => None,
        };
        self.held.iter().filter_map(unusable).collect()
    }

    /// Why nothing may run, if so.
    fn closed(&self) -> Option<String> {
        self.held.iter().find_map(|(name, held)| {
            let fault = held.fault.as_ref().filter(|_| held.item.is_none())?;
            (name.kind == Kind::Proxy).then(|| format!("{name} cannot be used: {}", fault.why()))
        })
    }

    /// The items whose last version cannot be read by this version of the proxy, and why, by their names.
    #[must_use]
    pub(super) fn unreadable(&self) -> BTreeMap<Key, String> {
        let unreadable = |(name, held): (&Key, &Held)| match &held.fault {
            Some(Fault::Unreadable(why)) => Some((name.clone(), why.clone())),
            _ => None,
        };
        self.held.iter().filter_map(unreadable).collect()
    }

    /// The same of items whose very kind is unknown.
    #[must_use]
    pub(super) fn foreign(&self) -> BTreeMap<String, String> {
        self.foreign
            .iter()
            .map(|(name, foreign)| (name.clone(), foreign.fault.clone()))
            .collect()
    }

    /// Forgets what no hello can name, before the next one.
    pub(super) fn forget_foreign(&mut self) {
        self.foreign.clear();
    }

    /// Every item whose last version does not compile.
    #[must_use]
    pub(super) fn invalid(&self) -> Vec<Invalid> {
        let invalid = |(name, held): (&Key, &Held)| match &held.fault {
            Some(Fault::Invalid(reason)) => Some(Invalid {
                name: name.clone(),
                reason: reason.clone(),
                previous: held.item.is_some(),
            }),
            _ => None,
        };
        self.held.iter().filter_map(invalid).collect()
    }

    /// The hash of every item, for the next hello. One that does not compile or cannot be read
    /// counts too: it need not be sent again.
    #[must_use]
    pub(super) fn hashes(&self) -> BTreeMap<Key, String> {
        self.held
            .iter()
            .map(|(name, held)| (name.clone(), held.hash.clone()))
            .collect()
    }

    /// Takes from `older` the versions that go on where this store, sent as a whole, has none that compiles.
    pub(super) fn succeed(&mut self, older: &Self) {
        for (name, held) in &mut self.held {
            if held.item.is_none() {
                held.item = older.held.get(name).and_then(|held| held.item.clone());
            }
        }
    }

    /// The digest of the last transaction; empty before the first.
    #[must_use]
    pub(super) fn digest(&self) -> &str {
        &self.digest
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
