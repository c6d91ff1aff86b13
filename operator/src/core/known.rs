//! What watches say, taken in.

use std::collections::BTreeSet;
use std::time::Instant;

use dragoman_config::wire::Content;
use dragoman_config::{Changes, ClusterKeys, InputKey, Key, Kind, Object, ObjectKey};

use super::Core;
use crate::push::shelf::{Shelf, Update};
use crate::watch::{Change, Resource, Seen, Source, Thing};

impl Core {
    /// Takes in one event of one watch.
    pub fn seen(&mut self, seen: Seen, now: Instant) {
        match seen.change {
            Change::Listed => {
                if self.listed.insert(seen.source) {
                    tracing::debug!(kind = seen.source.as_str(), "listed");
                    self.check_ready(now);
                }
            }
            Change::Applied(thing) => self.applied(seen.source, thing, now),
            Change::Deleted(name) => self.deleted(seen.source, name, now),
        }
    }

    /// Takes in what verifies the cluster's ServiceAccounts.
    pub fn cluster_keys(&mut self, keys: ClusterKeys, now: Instant) {
        let changes = self.world.apply(Object::ClusterKeys(keys));
        self.changed(changes, now);
        self.keys_told = true;
        self.check_ready(now);
    }

    fn applied(&mut self, source: Source, thing: Thing, now: Instant) {
        match thing {
            Thing::Resource(resource) => self.resource(*resource, now),
            Thing::Namespace {
                name,
                labels,
                terminating,
            } => {
                if terminating {
                    self.terminating.insert(name.clone());
                } else {
                    self.terminating.remove(&name);
                }
                let changes = self.world.apply(Object::Namespace { name, labels });
                self.changed(changes, now);
            }
            Thing::Secret(name, labels) => {
                let labels = Object::SecretLabels(name.clone(), Some(labels));
                let changes = self.world.apply(labels);
                self.changed(changes, now);
                self.input_changed(InputKey::secret(name), now);
            }
            Thing::ConfigMap(name) => self.input_changed(InputKey::config_map(name), now),
            Thing::Pod(name, metadata) => {
                self.pods.apply(name, &metadata);
                self.end_orphans();
            }
            Thing::Deployment(deployment) => {
                let name = crate::watch::read::name_of(&deployment.metadata);
                let replicas = deployment
                    .spec
                    .as_ref()
                    .and_then(|spec| spec.replicas)
                    .unwrap_or(1);
                if let Some((owner, _)) = crate::index::owned::owner(&deployment.metadata)
                    && self.replicas.insert(owner.object.clone(), replicas) != Some(replicas)
                {
                    self.want_sharing(&owner.object, now);
                    self.want_status(owner, now);
                }
                self.drifted(source, name, &deployment.metadata, now);
            }
            Thing::Service(service) => {
                let name = crate::watch::read::name_of(&service.metadata);
                let metadata = service.metadata.clone();
                self.services.insert(name.clone(), *service);
                self.drifted(source, name, &metadata, now);
            }
            Thing::Owned(name, metadata) => self.drifted(source, name, &metadata, now),
        }
    }

    fn deleted(&mut self, source: Source, name: ObjectKey, now: Instant) {
        match source {
            Source::Resources(kind) => {
                let key = Key { kind, object: name };
                let changes = self.world.delete_item(&key);
                self.changed(changes, now);
                self.forget(&key);
            }
            Source::Namespaces => {
                self.terminating.remove(&name.name);
                let changes = self.world.delete_namespace(&name.name);
                self.changed(changes, now);
            }
            Source::Secrets => {
                let changes = self.world.apply(Object::SecretLabels(name.clone(), None));
                self.changed(changes, now);
                self.input_changed(InputKey::secret(name), now);
            }
            Source::ConfigMaps => self.input_changed(InputKey::config_map(name), now),
            Source::Pods => {
                self.pods.delete(&name);
                self.end_orphans();
            }
            Source::Services => {
                self.services.remove(&name);
                self.lost(source, name, now);
            }
            Source::Deployments
            | Source::ServiceAccounts
            | Source::Budgets
            | Source::OwnedConfigMaps => {
                self.lost(source, name, now);
            }
        }
    }

    fn resource(&mut self, resource: Resource, now: Instant) {
        let Resource {
            key,
            uid,
            version,
            object,
            status,
        } = resource;
        if let Object::Malformed { message, .. } = &object {
            tracing::warn!(%key, fault = %message, "a resource does not parse");
        }
        self.status_seen(&key, uid, version, status, now);
        let changes = self.world.apply(object);
        self.changed(changes, now);
    }

    /// Draws the consequences of an edit.
    pub(super) fn changed(&mut self, changes: Changes, now: Instant) {
        if changes.inputs {
            let wanted = self.world.wanted_inputs();
            for name in wanted.difference(&self.wanted_inputs) {
                self.unread_inputs.insert(name.clone());
                self.input_reads.urge(name.clone(), now);
            }
            for name in self.wanted_inputs.difference(&wanted) {
                self.unread_inputs.remove(name);
                self.input_faults.remove(name);
                self.input_faults_told.over(name);
                self.input_reads.forget(name);
            }
            self.wanted_inputs = wanted;
        }
        let mut pushes = changes.pushes;
        for (proxy, released) in self.released() {
            pushes.entry(proxy).or_default().extend(released);
        }
        for (proxy, items) in pushes {
            let mut gone: BTreeSet<Key> = items
                .iter()
                .filter(|item| !self.world.is_member(&proxy, item))
                .cloned()
                .collect();
            let kept = self.keep(&proxy, &gone);
            gone.retain(|item| !kept.contains(item));
            if !gone.is_empty() {
                self.forget_words(&proxy, &gone, now);
            }
            let kept: Vec<Update> = kept.iter().map(|item| self.as_it_is(item)).collect();
            let identity = &self.identity;
            let shelf = self
                .shelves
                .entry(proxy.clone())
                .or_insert_with(|| Shelf::new(identity.hash_key_of(&proxy)));
            let world = &self.world;
            // Gathered first: the shelf is asked here, and is locked while it takes updates.
            let updates: Vec<Update> = items
                .into_iter()
                .filter_map(|name| {
                    if gone.contains(&name) {
                        return Some(Update {
                            name,
                            content: None,
                        });
                    }
                    if !world.is_member(&proxy, &name) {
                        return None;
                    }
                    let outcome = world.outcome(&name)?;
                    // What waits for a Secret or a ConfigMap to be read is held back: proxies keep what they have, or hear of it when it is whole.
                    if outcome.pending {
                        return None;
                    }
                    let content = match &outcome.item {
                        Ok(item) => Content::Item(item.clone()),
                        Err(reason) => Content::Invalid(reason.clone()),
                    };
                    Some(Update {
                        name,
                        content: Some((content, outcome.canonical.clone())),
                    })
                })
                .chain(kept)
                .collect();
            if shelf.update(updates, now) {
                self.want_status(
                    Key {
                        kind: Kind::Proxy,
                        object: proxy,
                    },
                    now,
                );
            }
        }
        for key in changes.outcomes {
            self.note_uses(&key, now);
            // Whether it is served decides what is said of what it uses.
            let uses = self.uses.get(&key).cloned().unwrap_or_default();
            for item in uses {
                self.want_status(item, now);
            }
            match key.kind {
                Kind::Policy => self.want_access(&key, now),
                Kind::Proxy => {
                    self.want_sharing(&key.object, now);
                    self.want_routes(&key.object, now);
                }
                _ => {}
            }
            if self.world.outcome(&key).is_some() {
                self.want_children(&key, now);
                self.want_status(key, now);
            }
        }
    }

    /// Keeps track of who needs whom: a backend's health concerns its routes.
    fn note_uses(&mut self, key: &Key, now: Instant) {
        let uses = self
            .world
            .outcome(key)
            .map(|outcome| outcome.uses.clone())
            .unwrap_or_default();
        let before = self.uses.remove(key).unwrap_or_default();
        if before == uses {
            if !uses.is_empty() {
                self.uses.insert(key.clone(), uses);
            }
            return;
        }
        for item in &before {
            if let Some(users) = self.users.get_mut(item) {
                users.remove(key);
                if users.is_empty() {
                    self.users.remove(item);
                }
            }
        }
        for item in &uses {
            self.users
                .entry(item.clone())
                .or_default()
                .insert(key.clone());
        }
        for item in before.into_iter().chain(uses.iter().cloned()) {
            self.want_status(item, now);
        }
        if !uses.is_empty() {
            self.uses.insert(key.clone(), uses);
        }
    }

    fn forget(&mut self, key: &Key) {
        self.statuses.remove(key);
        self.status_work.forget(key);
        self.news.forget(key);
        self.children_told.over(key);
        match key.kind {
            Kind::Proxy => {
                self.proxy_work.forget(&key.object);
                self.proxy_faults.remove(&key.object);
                self.replicas.remove(&key.object);
                self.waiting.remove(&key.object);
                self.adopted.remove(&key.object);
                if self
                    .shelves
                    .get(&key.object)
                    .is_some_and(|shelf| shelf.standing(0).0 == 0)
                {
                    self.shelves.remove(&key.object);
                }
            }
            Kind::Route => {
                self.route_work.forget(&key.object);
                self.route_services.remove(&key.object);
            }
            Kind::Policy => {
                self.asking.remove(key);
            }
            Kind::Backend | Kind::Map | Kind::Mapper => {}
        }
    }
}
