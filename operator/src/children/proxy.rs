//! What an LLMProxy owns besides its Pods: ServiceAccount, Service, disruption budget, the CA for its Pods to trust.

use dragoman_crds::{LLMProxy, ServiceType};
use serde_json::{Value, json};

use super::{Child, Installation, deployment, labels};
use crate::watch::Source;

/// The traffic port of the Service where the LLMProxy names none.
const SERVICE_PORT: i32 = 80;

/// The port of an LLMProxy's Service.
#[must_use]
pub fn service_port(proxy: &LLMProxy) -> i32 {
    proxy.spec.deployment.service.port.unwrap_or(SERVICE_PORT)
}

/// Everything that the LLMProxy owns, in the order in which it is applied.
#[must_use]
pub fn children(proxy: &LLMProxy, installation: &Installation, ca_pem: &str) -> Vec<Child> {
    let name = proxy.metadata.name.clone().unwrap_or_default();
    let object = labels::object_name(&name);
    let metadata = |object: &str, annotations: Value| {
        json!({
            "name": object,
            "namespace": proxy.metadata.namespace,
            "labels": labels::of_proxy(&name),
            "annotations": annotations,
            "ownerReferences": [super::owner_reference("LLMProxy", &proxy.metadata)],
        })
    };
    let child = |source, value| Child { source, value };
    vec![
        child(
            Source::ServiceAccounts,
            json!({
                "apiVersion": "v1",
                "kind": "ServiceAccount",
                "metadata": metadata(&object, json!({})),
                "automountServiceAccountToken": false,
            }),
        ),
        child(
            Source::OwnedConfigMaps,
            json!({
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": metadata(&format!("{object}-ca"), json!({})),
                "data": {"ca.crt": ca_pem},
            }),
        ),
        child(
            Source::Services,
            json!({
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": metadata(&object, json!(proxy.spec.deployment.service.annotations)),
                "spec": service(proxy, &name),
            }),
        ),
        child(
            Source::Budgets,
            json!({
                "apiVersion": "policy/v1",
                "kind": "PodDisruptionBudget",
                "metadata": metadata(&object, json!({})),
                "spec": {
                    // One at a time, so that a single replica does not keep a node from being drained.
                    "maxUnavailable": 1,
                    "unhealthyPodEvictionPolicy": "AlwaysAllow",
                    "selector": {"matchLabels": labels::selector(&name)},
                },
            }),
        ),
        child(
            Source::Deployments,
            json!({
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": metadata(&object, json!({})),
                "spec": deployment::spec(proxy, &name, installation),
            }),
        ),
    ]
}

/// Where an LLMProxy's Service answers. In the clear where it does: a certificate need not have the Service's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// HTTP on this port.
    Http(i32),
    /// HTTPS on its own port, and nothing else.
    Https,
}

impl Door {
    /// That of an LLMProxy.
    #[must_use]
    pub fn of(proxy: &LLMProxy) -> Self {
        let port = service_port(proxy);
        if super::https_alone(port, proxy.spec.tls.is_some()) {
            Self::Https
        } else {
            Self::Http(port)
        }
    }

    /// The origin of a URL that leads there by the name `host`.
    #[must_use]
    pub fn at(self, host: &str) -> String {
        match self {
            Self::Http(80) => format!("http://{host}"),
            Self::Http(port) => format!("http://{host}:{port}"),
            Self::Https => format!("https://{host}"),
        }
    }
}

fn service(proxy: &LLMProxy, name: &str) -> Value {
    let r#type = match proxy.spec.deployment.service.r#type {
        ServiceType::ClusterIP => "ClusterIP",
        ServiceType::NodePort => "NodePort",
        ServiceType::LoadBalancer => "LoadBalancer",
    };
    json!({
        "type": r#type,
        "selector": labels::selector(name),
        "ports": super::traffic_ports(service_port(proxy), proxy.spec.tls.is_some()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::apps::v1::Deployment;
    use k8s_openapi::api::core::v1::{ConfigMap, Service, ServiceAccount};
    use k8s_openapi::api::policy::v1::PodDisruptionBudget;
    use serde::Serialize;
    use serde::de::DeserializeOwned;

    fn edge(spec: Value) -> Vec<Child> {
        let proxy: LLMProxy = serde_json::from_value(json!({
            "apiVersion": "dragoman.dev/v1alpha1",
            "kind": "LLMProxy",
            "metadata": {"name": "edge", "namespace": "gateways", "uid": "u1"},
            "spec": spec,
        }))
        .unwrap();
        children(&proxy, &Installation::example(), "PEM")
    }

    fn find(children: &[Child], source: Source) -> &Value {
        &children
            .iter()
            .find(|child| child.source == source)
            .unwrap()
            .value
    }

    /// Every field is one that Kubernetes knows: what is not survives no round trip.
    fn survives<K: Serialize + DeserializeOwned>(value: &Value) {
        let again =
            serde_json::to_value(serde_json::from_value::<K>(value.clone()).unwrap()).unwrap();
        assert!(
            super::super::compare::covers(&again, value),
            "{value}\nbecame\n{again}"
        );
    }

    #[test]
    fn every_field_of_every_child_is_one_that_kubernetes_knows() {
        let children = edge(
            json!({"tls": {"secretRefs": [{"name": "edge-tls"}]}, "deployment": {
                "replicas": 3,
                "service": {"type": "NodePort", "annotations": {"a": "b"}},
                "podTemplate": {
                    "labels": {"team": "a"}, "annotations": {"x": "y"}, "nodeSelector": {"disk": "ssd"},
                    "priorityClassName": "high", "imagePullSecrets": [{"name": "registry"}],
                },
            }}),
        );
        survives::<ServiceAccount>(find(&children, Source::ServiceAccounts));
        survives::<ConfigMap>(find(&children, Source::OwnedConfigMaps));
        survives::<Service>(find(&children, Source::Services));
        survives::<PodDisruptionBudget>(find(&children, Source::Budgets));
        survives::<Deployment>(find(&children, Source::Deployments));
    }

    #[test]
    fn deleting_the_llmproxy_deletes_its_children() {
        for child in edge(json!({})) {
            let owner = &child.value["metadata"]["ownerReferences"][0];
            assert_eq!(
                (&owner["kind"], &owner["uid"]),
                (&json!("LLMProxy"), &json!("u1"))
            );
        }
    }

    #[test]
    fn with_certificates_port_443_leads_to_https_in_every_pod() {
        let ports = |spec| {
            let children = edge(spec);
            let pod = &find(&children, Source::Deployments)["spec"]["template"]["spec"];
            let names = |ports: &Value| -> Vec<_> {
                let ports = ports.as_array().unwrap().iter();
                ports
                    .map(|port| port["name"].as_str().unwrap().to_owned())
                    .collect()
            };
            let service = &find(&children, Source::Services)["spec"]["ports"];
            (names(&pod["containers"][0]["ports"]), names(service))
        };
        let tls = json!({"secretRefs": [{"name": "edge-tls"}]});
        let (pod, service) = ports(json!({"tls": tls}));
        assert_eq!(pod, ["http", "https", "admin"]);
        assert_eq!(service, ["http", "https"]);
        let (pod, service) = ports(json!({}));
        assert_eq!((pod.len(), service.len()), (2, 1));
        // Of one port there is one meaning.
        let (_, service) = ports(json!({"tls": tls, "deployment": {"service": {"port": 443}}}));
        assert_eq!(service, ["https"]);
    }

    #[test]
    fn the_door_is_https_where_the_service_has_nothing_else() {
        let door = |spec| {
            let metadata = json!({"name": "edge", "namespace": "gateways"});
            Door::of(&serde_json::from_value(json!({"metadata": metadata, "spec": spec})).unwrap())
        };
        let tls = json!({"secretRefs": [{"name": "edge-tls"}]});
        let on = |port: i32| json!({"service": {"port": port}});
        assert_eq!(door(json!({})).at("edge"), "http://edge");
        assert_eq!(door(json!({"tls": tls})).at("edge"), "http://edge");
        assert_eq!(
            door(json!({"tls": tls, "deployment": on(8000)})).at("edge"),
            "http://edge:8000"
        );
        assert_eq!(
            door(json!({"tls": tls, "deployment": on(443)})).at("edge"),
            "https://edge"
        );
        // Without certificates, nothing means HTTPS.
        assert_eq!(
            door(json!({"deployment": on(443)})).at("edge"),
            "http://edge:443"
        );
    }

    #[test]
    fn the_service_leads_from_its_port_to_the_traffic_port() {
        let children = edge(json!({"deployment": {"service": {"port": 8000}}}));
        let port = &find(&children, Source::Services)["spec"]["ports"][0];
        assert_eq!(
            (&port["port"], &port["targetPort"]),
            (&json!(8000), &json!("http"))
        );
    }
}
