//! What proxies report: how far they are, what they refuse, how upstreams are.

use std::time::Instant;

use dragoman_config::wire::Report;
use dragoman_config::{Key, Kind, ObjectKey};

use super::Core;
use crate::push::shelf::StreamId;
use crate::status::Upstream;

impl Core {
    pub(super) fn reported(&mut self, stream: StreamId, report: Report, now: Instant) {
        let Some(connected) = self.streams.get_mut(&stream) else {
            return;
        };
        let proxy = connected.proxy.clone();
        let before = std::mem::replace(&mut connected.refused, report.refused);
        let touched: Vec<Key> = before
            .iter()
            .filter(|(item, fault)| connected.refused.get(*item) != Some(fault))
            .chain(
                connected
                    .refused
                    .iter()
                    .filter(|(item, fault)| before.get(*item) != Some(fault)),
            )
            .map(|(item, _)| item.clone())
            .collect();
        for item in touched {
            tracing::warn!(%proxy, %item, fault = ?connected_fault(self, stream, &item), "what a proxy refuses changed");
            let users: Vec<Key> = self
                .users
                .get(&item)
                .into_iter()
                .flatten()
                .cloned()
                .collect();
            for key in users.into_iter().chain([item]) {
                self.want_status(key, now);
            }
        }
        for upstream in self.health.reported(stream, report.backends) {
            self.want_health(&upstream, now);
        }
        if self
            .shelves
            .get(&proxy)
            .is_some_and(|shelf| shelf.reported(stream, &report.digest))
        {
            self.caught_up(&proxy, now);
            self.want_status(
                Key {
                    kind: Kind::Proxy,
                    object: proxy,
                },
                now,
            );
        }
    }

    /// Looks again at what waited for the proxies of `proxy`.
    pub(super) fn caught_up(&mut self, proxy: &ObjectKey, now: Instant) {
        let Some(shelf) = self.shelves.get(proxy) else {
            return;
        };
        let common = shelf.common_version();
        let Some(waiting) = self.waiting.get_mut(proxy) else {
            return;
        };
        let mut done = Vec::new();
        while waiting
            .first()
            .is_some_and(|(version, _)| *version <= common)
        {
            done.extend(waiting.pop_first().map(|(_, key)| key));
        }
        for key in done {
            self.want_status(key, now);
        }
    }

    /// Looks again at whoever speaks of an upstream: itself, and the routes that use it.
    pub(super) fn want_health(&mut self, upstream: &Upstream, now: Instant) {
        let users: Vec<Key> = self
            .users
            .get(&upstream.item)
            .into_iter()
            .flatten()
            .cloned()
            .collect();
        for key in users.into_iter().chain([upstream.item.clone()]) {
            self.want_status(key, now);
        }
    }
}

fn connected_fault(core: &Core, stream: StreamId, item: &Key) -> Option<String> {
    core.streams.get(&stream)?.refused.get(item).cloned()
}
