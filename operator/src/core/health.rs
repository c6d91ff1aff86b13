//! What proxies report: how far they are, what they refuse, how upstreams are.

use std::collections::BTreeSet;
use std::time::Instant;

use dragoman_config::wire::Report;
use dragoman_config::{Key, Kind, ObjectKey, World};

use super::Core;
use crate::push::shelf::StreamId;
use crate::status::Upstream;

/// The bytes that are kept of what a proxy says of an item: a condition holds several.
const LONGEST_MESSAGE: usize = 1 << 10;

impl Core {
    pub(super) fn reported(&mut self, stream: StreamId, mut report: Report, now: Instant) {
        let Some(connected) = self.streams.get_mut(&stream) else {
            return;
        };
        let proxy = connected.proxy.clone();
        own_words(&self.world, &proxy, &mut report);
        let redis_turned = connected.redis_away != report.redis_away;
        connected.redis_away = report.redis_away;
        let banned_turned = connected.banned != report.banned;
        connected.banned = report.banned;
        let log_turned = connected.log.replace(report.log) != Some(report.log);
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
        if redis_turned {
            self.want_sharing(&proxy, now);
        }
        if banned_turned || log_turned {
            let object = proxy.clone();
            let kind = Kind::Proxy;
            self.want_status(Key { kind, object }, now);
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

    /// Forgets what the proxies of `proxy` said of items that they no longer run.
    pub(super) fn forget_words(&mut self, proxy: &ObjectKey, items: &BTreeSet<Key>, now: Instant) {
        let mut touched = Vec::new();
        for (stream, connected) in &mut self.streams {
            if connected.proxy != *proxy {
                continue;
            }
            let refused = connected
                .refused
                .extract_if(.., |item, _| items.contains(item));
            touched.extend(refused.map(|(item, _)| Upstream { item, inline: None }));
            touched.extend(self.health.forget(*stream, |item| items.contains(item)));
        }
        for upstream in touched {
            self.want_health(&upstream, now);
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

/// Leaves of a report what is about the proxy's own items: a Pod has no say over anybody else's conditions.
fn own_words(world: &World, proxy: &ObjectKey, report: &mut Report) {
    report
        .refused
        .retain(|item, _| world.is_member(proxy, item));
    for message in report.refused.values_mut() {
        shorten(message);
    }
    if let Some(why) = &mut report.redis_away {
        shorten(why);
    }
    report.backends.retain(|backend| {
        let known = match &backend.backend {
            None => true,
            Some(name) => world
                .route(&backend.item.object)
                .is_some_and(|route| route.spec.backends.iter().any(|own| own.name == *name)),
        };
        known && world.is_member(proxy, &backend.item)
    });
    for backend in &mut report.backends {
        if let Some(message) = &mut backend.message {
            shorten(message);
        }
    }
}

fn shorten(message: &mut String) {
    if message.len() > LONGEST_MESSAGE {
        message.truncate(message.floor_char_boundary(LONGEST_MESSAGE));
        message.push('…');
    }
}

fn connected_fault(core: &Core, stream: StreamId, item: &Key) -> Option<String> {
    core.streams.get(&stream)?.refused.get(item).cloned()
}
