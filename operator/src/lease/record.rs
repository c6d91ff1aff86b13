//! What stands in the Lease.

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta, OwnerReference};

/// The annotation that says where the holder's push server listens.
const ADDRESS: &str = "dragoman.dev/address";

/// A Lease as candidates read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// Who holds it; empty for nobody.
    pub(super) holder: String,
    /// Where the holder's push server listens.
    pub(super) address: Option<String>,
    /// When it was renewed, by the holder's clock.
    pub(super) renewed: Option<Timestamp>,
    /// How long it holds, in seconds.
    pub(super) seconds: i32,
    /// Since when the holder has it.
    pub(super) acquired: Option<Timestamp>,
    /// How often it changed hands.
    pub(super) transitions: i32,
    /// The object's version.
    pub(super) version: Option<String>,
}

impl Record {
    pub(super) fn read(lease: &Lease) -> Self {
        let spec = lease.spec.clone().unwrap_or_default();
        let annotations = lease.metadata.annotations.as_ref();
        Self {
            holder: spec.holder_identity.unwrap_or_default(),
            address: annotations
                .and_then(|annotations| annotations.get(ADDRESS))
                .cloned(),
            renewed: spec.renew_time.map(|time| time.0),
            seconds: spec.lease_duration_seconds.unwrap_or(1),
            acquired: spec.acquire_time.map(|time| time.0),
            transitions: spec.lease_transitions.unwrap_or_default(),
            version: lease.metadata.resource_version.clone(),
        }
    }

    /// The Lease to write in place of `old`, which keeps what else stands in its metadata. A new one is `owner`'s.
    pub(super) fn write(
        &self,
        name: &str,
        old: Option<&Lease>,
        owner: Option<&OwnerReference>,
    ) -> Lease {
        let mut metadata = old.map_or_else(
            || ObjectMeta {
                name: Some(name.to_owned()),
                labels: Some(
                    [(
                        "app.kubernetes.io/managed-by".to_owned(),
                        "dragoman".to_owned(),
                    )]
                    .into(),
                ),
                owner_references: owner.map(|owner| vec![owner.clone()]),
                ..ObjectMeta::default()
            },
            |old| old.metadata.clone(),
        );
        metadata.managed_fields = None;
        let annotations = metadata.annotations.get_or_insert_default();
        match &self.address {
            Some(address) => annotations.insert(ADDRESS.to_owned(), address.clone()),
            None => annotations.remove(ADDRESS),
        };
        Lease {
            metadata,
            spec: Some(LeaseSpec {
                holder_identity: Some(self.holder.clone()),
                lease_duration_seconds: Some(self.seconds),
                renew_time: self.renewed.map(MicroTime),
                acquire_time: self.acquired.map(MicroTime),
                lease_transitions: Some(self.transitions),
                ..LeaseSpec::default()
            }),
        }
    }
}
