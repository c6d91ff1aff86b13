//! Who has a hostname: at each LLMProxy, the oldest of the routes that may have it.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;

use crate::ObjectKey;

/// A hostname at an LLMProxy.
pub(super) type Host = (ObjectKey, String);

/// Age and name of a route. A missing creation time (files have none) is older than any; then the name decides.
type Claimant = (Option<Timestamp>, ObjectKey);

/// The hostnames that routes claim and may have.
#[derive(Debug, Default)]
pub(super) struct Claims {
    claimants: HashMap<Host, BTreeSet<Claimant>>,
    hosts: HashMap<ObjectKey, (Option<Timestamp>, BTreeSet<Host>)>,
}

impl Claims {
    /// Whether the route claims anything.
    pub(super) fn has(&self, route: &ObjectKey) -> bool {
        self.hosts.contains_key(route)
    }

    /// The route to which the hostname belongs.
    pub(super) fn owner(&self, host: &Host) -> Option<&ObjectKey> {
        let claimants = self.claimants.get(host)?;
        claimants.first().map(|(_, owner)| owner)
    }

    /// Gives up a route's claims at LLMProxies that `stays` does not hold for; returns them.
    pub(super) fn retain(
        &mut self,
        route: &ObjectKey,
        stays: impl Fn(&ObjectKey) -> bool,
    ) -> Vec<Host> {
        let Some((born, hosts)) = self.hosts.get(route) else {
            return Vec::new();
        };
        let (born, mut hosts) = (*born, hosts.clone());
        hosts.retain(|(proxy, _)| stays(proxy));
        self.replace(route, born, hosts)
    }

    /// Replaces a route's claims; returns those that it had or has.
    pub(super) fn replace(
        &mut self,
        route: &ObjectKey,
        created: Option<Timestamp>,
        hosts: BTreeSet<Host>,
    ) -> Vec<Host> {
        let (born, before) = self.hosts.remove(route).unwrap_or_default();
        if born == created && before == hosts {
            if !hosts.is_empty() {
                self.hosts.insert(route.clone(), (born, hosts));
            }
            return Vec::new();
        }
        for host in &before {
            if let Some(claimants) = self.claimants.get_mut(host) {
                claimants.remove(&(born, route.clone()));
                if claimants.is_empty() {
                    self.claimants.remove(host);
                }
            }
        }
        for host in &hosts {
            let claimants = self.claimants.entry(host.clone()).or_default();
            claimants.insert((created, route.clone()));
        }
        let touched = before.union(&hosts).cloned().collect();
        if !hosts.is_empty() {
            self.hosts.insert(route.clone(), (created, hosts));
        }
        touched
    }
}
