//! What proxies keep although no resource that compiles is known to need it: an operator that starts while something is
//! broken does not know what the version before uses, and must not take it away.
//!
//! Such an item stands on the shelf as invalid, so that the digest is the same for every stream: proxies that have a version keep
//! it, and those that have none are given none.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use dragoman_config::{Key, Kind, ObjectKey, reason};

use super::Core;
use crate::push::shelf::{KEPT, Shelf, Update};

impl Core {
    /// Puts on the shelf what a proxy has and must keep. Only resources that exist are kept, so that no proxy can fill the shelf.
    pub(super) fn adopt(
        &mut self,
        proxy: &ObjectKey,
        shelf: &Shelf,
        have: &BTreeMap<Key, String>,
        now: Instant,
    ) {
        let lacking = shelf.lacking(have.keys());
        if lacking.is_empty() {
            return;
        }
        let mut kept = self.world.kept(proxy, &lacking);
        if !kept.is_empty() {
            tracing::info!(%proxy, items = kept.len(), "proxies keep items that a broken resource may need");
        }
        // A member that is not on the shelf waits for a Secret.
        let waiting = lacking
            .into_iter()
            .filter(|item| self.world.is_member(proxy, item));
        kept.extend(waiting);
        if kept.is_empty() {
            return;
        }
        let updates: Vec<Update> = kept.iter().map(|item| self.as_it_is(item)).collect();
        self.adopted.entry(proxy.clone()).or_default().extend(kept);
        if shelf.update(updates, now) {
            let key = Key {
                kind: Kind::Proxy,
                object: proxy.clone(),
            };
            self.want_status(key, now);
        }
    }

    /// Of items that are no members any more, those that are kept all the same.
    pub(super) fn keep(&mut self, proxy: &ObjectKey, gone: &BTreeSet<Key>) -> BTreeSet<Key> {
        if gone.is_empty() {
            return BTreeSet::new();
        }
        let kept = self.world.kept(proxy, gone);
        if !kept.is_empty() {
            let adopted = self.adopted.entry(proxy.clone()).or_default();
            adopted.extend(kept.iter().cloned());
        }
        kept
    }

    /// Adopted items of each LLMProxy that nothing needs any more.
    pub(super) fn released(&mut self) -> BTreeMap<ObjectKey, BTreeSet<Key>> {
        let mut released = BTreeMap::new();
        for (proxy, adopted) in &mut self.adopted {
            // Members are the shelf's own again.
            adopted.retain(|item| !self.world.is_member(proxy, item));
            let kept = self.world.kept(proxy, &*adopted);
            let gone: BTreeSet<Key> = adopted.difference(&kept).cloned().collect();
            if !gone.is_empty() {
                released.insert(proxy.clone(), gone);
            }
            *adopted = kept;
        }
        self.adopted.retain(|_, adopted| !adopted.is_empty());
        released
    }

    /// An item whose version at proxies stays.
    ///
    /// Whom one admits that does not parse, nobody knows, so any proxy that names it may be given this: its fault, which quotes
    /// it, stays with its owner.
    pub(super) fn as_it_is(&self, item: &Key) -> Update {
        let outcome = self.world.outcome(item).filter(|outcome| {
            let mut verdicts = outcome.verdicts.iter();
            verdicts.all(|verdict| verdict.reason != reason::MALFORMED)
        });
        let fault = outcome.and_then(|outcome| outcome.item.as_ref().err());
        Update::invalid(item.clone(), fault.map_or(KEPT, String::as_str))
    }
}
