//! Objects that we made: whose they are, and whether somebody else changed them since.

use std::collections::BTreeMap;

use dragoman_config::{Key, Kind, ObjectKey};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use crate::watch::Source;

/// The version of an object that its maker cares for: the generation where it has one, because a status
/// is somebody else's business; the resource version otherwise.
fn version(metadata: &ObjectMeta) -> String {
    match metadata.generation {
        Some(generation) => format!("g{generation}"),
        None => metadata.resource_version.clone().unwrap_or_default(),
    }
}

/// The resource of ours that controls an object in the same namespace.
#[must_use]
pub fn owner(metadata: &ObjectMeta) -> Option<(Key, &str)> {
    let reference = metadata
        .owner_references
        .as_ref()?
        .iter()
        .find(|reference| is_ours(reference))?;
    let kind: Kind = reference.kind.parse().ok()?;
    let namespace = metadata.namespace.clone().unwrap_or_default();
    Some((
        Key::new(kind, namespace, reference.name.clone()),
        &reference.uid,
    ))
}

fn is_ours(reference: &OwnerReference) -> bool {
    reference.controller == Some(true)
        && reference.api_version.split('/').next() == Some(dragoman_crds::GROUP)
}

/// The objects that we made, with the version that we left them in.
#[derive(Debug, Default)]
pub struct Owned {
    owners: BTreeMap<(Source, ObjectKey), Key>,
    left: BTreeMap<(Source, ObjectKey), String>,
}

impl Owned {
    /// Takes in an object that we just wrote, as the API server answered.
    pub fn wrote(&mut self, source: Source, name: ObjectKey, metadata: &ObjectMeta) {
        self.left.insert((source, name), version(metadata));
    }

    /// Takes in an object as a watch shows it. Its owner, when it is not as we left it.
    pub fn apply(&mut self, source: Source, name: ObjectKey, metadata: &ObjectMeta) -> Option<Key> {
        let id = (source, name);
        let owner = owner(metadata).map(|(owner, _)| owner);
        let former = match &owner {
            Some(owner) => self.owners.insert(id.clone(), owner.clone()),
            None => self.owners.remove(&id),
        };
        if self.left.get(&id) == Some(&version(metadata)) {
            return None;
        }
        owner.or(former)
    }

    /// Takes in that an object is gone; its owner will want it back.
    pub fn delete(&mut self, source: Source, name: ObjectKey) -> Option<Key> {
        let id = (source, name);
        self.left.remove(&id);
        self.owners.remove(&id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(version: &str) -> ObjectMeta {
        ObjectMeta {
            namespace: Some("ns".into()),
            resource_version: Some(version.into()),
            owner_references: Some(vec![OwnerReference {
                api_version: "dragoman.dev/v1alpha1".into(),
                kind: "LLMProxy".into(),
                name: "edge".into(),
                uid: "u1".into(),
                controller: Some(true),
                ..OwnerReference::default()
            }]),
            ..ObjectMeta::default()
        }
    }

    fn name() -> ObjectKey {
        ObjectKey::new("ns", "dragoman-edge")
    }

    #[test]
    fn what_we_wrote_ourselves_is_no_drift() {
        let mut owned = Owned::default();
        owned.wrote(Source::OwnedConfigMaps, name(), &object("7"));
        assert_eq!(
            owned.apply(Source::OwnedConfigMaps, name(), &object("7")),
            None
        );
        let owner = owned.apply(Source::OwnedConfigMaps, name(), &object("8"));
        assert_eq!(owner, Some(Key::new(Kind::Proxy, "ns", "edge")));
    }

    #[test]
    fn a_deployment_that_only_counts_its_pods_is_no_drift() {
        let mut owned = Owned::default();
        let generation = |version| ObjectMeta {
            generation: Some(2),
            ..object(version)
        };
        owned.wrote(Source::Deployments, name(), &generation("7"));
        assert_eq!(
            owned.apply(Source::Deployments, name(), &generation("8")),
            None
        );
    }

    #[test]
    fn a_deleted_object_is_its_owners_to_make_again() {
        let mut owned = Owned::default();
        owned.wrote(Source::OwnedConfigMaps, name(), &object("7"));
        owned.apply(Source::OwnedConfigMaps, name(), &object("7"));
        assert_eq!(
            owned.delete(Source::OwnedConfigMaps, name()),
            Some(Key::new(Kind::Proxy, "ns", "edge"))
        );
        assert_eq!(owned.delete(Source::OwnedConfigMaps, name()), None);
    }

    #[test]
    fn an_owner_that_somebody_cut_off_still_hears_of_it() {
        let mut owned = Owned::default();
        owned.apply(Source::OwnedConfigMaps, name(), &object("7"));
        let orphan = ObjectMeta {
            owner_references: None,
            ..object("8")
        };
        let owner = owned.apply(Source::OwnedConfigMaps, name(), &orphan);
        assert_eq!(owner, Some(Key::new(Kind::Proxy, "ns", "edge")));
    }
}
