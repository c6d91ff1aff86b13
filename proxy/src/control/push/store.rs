//! What the operator sent: each item with its hash, changed by transactions.

use std::collections::BTreeMap;
use std::sync::Arc;

use dragoman_config::wire::{Content, Transaction};
use dragoman_config::{Item, Key, hash};
use serde::{Deserialize, Serialize};

/// Everything that the operator sent and did not take back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Store {
    held: BTreeMap<Key, Held>,
    digest: String,
}

/// One item as it was sent last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Held {
    hash: String,
    /// The last version that compiled; `None` fails closed.
    item: Option<Arc<Item>>,
    /// Why the version of `hash` does not compile.
    invalid: Option<String>,
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
    pub(super) fn apply(&mut self, transaction: Transaction) -> Applied {
        let mut applied = Applied {
            changes: transaction.put.len() + transaction.delete.len(),
            ..Applied::default()
        };
        for name in &transaction.delete {
            self.held.remove(name);
        }
        for put in transaction.put {
            let held = match put.content {
                Content::Item(item) => Held {
                    hash: put.hash,
                    item: Some(item),
                    invalid: None,
                },
                Content::Invalid(reason) => {
                    let before = self.held.remove(&put.name);
                    let known = before.as_ref().and_then(|held| held.invalid.as_deref());
                    let news = known != Some(reason.as_str());
                    let item = before.and_then(|held| held.item);
                    if news {
                        applied.invalid.push(Invalid {
                            name: put.name.clone(),
                            reason: reason.clone(),
                            previous: item.is_some(),
                        });
                    }
                    Held {
                        hash: put.hash,
                        item,
                        invalid: Some(reason),
                    }
                }
            };
            self.held.insert(put.name, held);
        }
        let own = hash::digest(
            self.held
                .iter()
                .map(|(name, held)| (name, held.hash.as_str())),
        );
        applied.diverged = own != transaction.digest;
        self.digest = transaction.digest;
        applied
    }

    /// The items that run.
    #[must_use]
    pub(super) fn items(&self) -> BTreeMap<Key, Arc<Item>> {
        let running = |(name, held): (&Key, &Held)| Some((name.clone(), held.item.clone()?));
        self.held.iter().filter_map(running).collect()
    }

    /// The items that do not compile and have no previous version, and why.
    #[must_use]
    pub(super) fn unusable(&self) -> BTreeMap<Key, String> {
        let unusable = |(name, held): (&Key, &Held)| match held.item {
            Some(_) => None,
            None => Some((name.clone(), held.invalid.clone()?)),
        };
        self.held.iter().filter_map(unusable).collect()
    }

    /// Every item whose last version does not compile.
    #[must_use]
    pub(super) fn invalid(&self) -> Vec<Invalid> {
        let invalid = |(name, held): (&Key, &Held)| {
            let (name, reason) = (name.clone(), held.invalid.clone()?);
            Some(Invalid {
                name,
                reason,
                previous: held.item.is_some(),
            })
        };
        self.held.iter().filter_map(invalid).collect()
    }

    /// The hash of every item, for the next hello. One that does not compile counts too: it need not be sent again.
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
