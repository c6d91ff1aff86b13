//! The proxies' Pods: who may connect, and for which LLMProxy.

use std::collections::BTreeMap;

use dragoman_config::ObjectKey;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::children::labels;

/// One Pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// Its UID, which tells it from another of the same name.
    pub uid: String,
    /// The LLMProxy of its namespace that its label names.
    pub proxy: String,
}

/// Pods by name.
#[derive(Debug, Default)]
pub struct Pods {
    pods: BTreeMap<ObjectKey, Pod>,
}

impl Pods {
    /// Takes in a Pod.
    pub fn apply(&mut self, name: ObjectKey, metadata: &ObjectMeta) {
        let proxy = metadata
            .labels
            .as_ref()
            .and_then(|labels| labels.get(labels::PROXY));
        match (metadata.uid.clone(), proxy) {
            (Some(uid), Some(proxy)) => {
                self.pods.insert(
                    name,
                    Pod {
                        uid,
                        proxy: proxy.clone(),
                    },
                );
            }
            _ => {
                self.pods.remove(&name);
            }
        }
    }

    /// Takes in that a Pod is gone.
    pub fn delete(&mut self, name: &ObjectKey) {
        self.pods.remove(name);
    }

    /// The LLMProxy whose proxy runs in the Pod `name` with this UID.
    #[must_use]
    pub fn proxy_of(&self, name: &ObjectKey, uid: &str) -> Option<ObjectKey> {
        let pod = self.pods.get(name).filter(|pod| pod.uid == uid)?;
        Some(ObjectKey::new(name.namespace.clone(), pod.proxy.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labelled(uid: &str, proxy: &str) -> ObjectMeta {
        ObjectMeta {
            uid: Some(uid.into()),
            labels: Some([(labels::PROXY.to_owned(), proxy.to_owned())].into()),
            ..ObjectMeta::default()
        }
    }

    #[test]
    fn a_pod_belongs_to_the_proxy_that_its_label_names_in_its_own_namespace() {
        let name = ObjectKey::new("ns", "pod");
        let mut pods = Pods::default();
        pods.apply(name.clone(), &labelled("u1", "edge"));
        assert_eq!(
            pods.proxy_of(&name, "u1"),
            Some(ObjectKey::new("ns", "edge"))
        );
    }

    #[test]
    fn a_successor_of_the_same_name_is_another_pod() {
        let name = ObjectKey::new("ns", "pod");
        let mut pods = Pods::default();
        pods.apply(name.clone(), &labelled("u1", "edge"));
        assert_eq!(pods.proxy_of(&name, "u2"), None);
    }

    #[test]
    fn a_pod_that_lost_its_label_belongs_to_nobody() {
        let name = ObjectKey::new("ns", "pod");
        let mut pods = Pods::default();
        pods.apply(name.clone(), &labelled("u1", "edge"));
        pods.apply(
            name.clone(),
            &ObjectMeta {
                uid: Some("u1".into()),
                ..ObjectMeta::default()
            },
        );
        assert_eq!(pods.proxy_of(&name, "u1"), None);
    }
}
