//! The Service of a route's name: it leads to the proxy's Pods, by selector or by name.

use dragoman_config::ObjectKey;
use dragoman_crds::{LLMRoute, RouteService};
use k8s_openapi::api::core::v1::Service;
use serde_json::{Value, json};

use super::{compare, labels};
use crate::index::owned;

/// What a route wants of its Service.
#[derive(Clone, Debug, PartialEq)]
pub enum Wanted {
    /// This one.
    Service(Value),
    /// None: one that we made goes.
    Nothing,
    /// Whatever there is: no LLMProxy serves the route at present.
    Undecided,
}

/// What there is to do about a route's Service.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Nothing.
    Keep,
    /// Create this.
    Create(Value),
    /// Patch it with this, if it is still of that version.
    Patch(Value),
    /// Delete the one of this UID.
    Delete(String),
    /// Leave it alone: it is somebody else's.
    Conflict(String),
}

/// What `route`, served by the LLMProxy `proxy` on `port` and, with `tls`, over HTTPS too, wants.
#[must_use]
pub fn wanted(
    route: &LLMRoute,
    proxy: Option<&ObjectKey>,
    port: i32,
    tls: bool,
    cluster_domain: &str,
) -> Wanted {
    if route.spec.service == RouteService::None {
        return Wanted::Nothing;
    }
    let Some(proxy) = proxy else {
        return Wanted::Undecided;
    };
    let spec = if route.metadata.namespace.as_deref() == Some(&proxy.namespace) {
        json!({
            "type": "ClusterIP",
            "externalName": null,
            "selector": labels::selector(&proxy.name),
            "ports": super::traffic_ports(80, tls),
        })
    } else {
        // A selector does not reach into another namespace; a name does, and no operator stands in the data path.
        let name = labels::object_name(&proxy.name);
        json!({
            "type": "ExternalName",
            "externalName": format!("{name}.{}.svc.{cluster_domain}", proxy.namespace),
            "selector": null,
            "ports": super::traffic_ports(port, tls),
        })
    };
    Wanted::Service(json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": route.metadata.name,
            "namespace": route.metadata.namespace,
            "labels": {
                "app.kubernetes.io/name": "dragoman-route",
                "app.kubernetes.io/instance": route.metadata.name,
                "app.kubernetes.io/managed-by": "dragoman",
            },
            "ownerReferences": [super::owner_reference("LLMRoute", &route.metadata)],
        },
        "spec": spec,
    }))
}

/// What leads from the Service that exists to the one that is wanted by the route with this UID.
#[must_use]
pub fn step(existing: Option<&Service>, wanted: &Wanted, route_uid: &str) -> Step {
    let Some(existing) = existing else {
        return match wanted {
            Wanted::Service(service) => Step::Create(service.clone()),
            Wanted::Nothing | Wanted::Undecided => Step::Keep,
        };
    };
    let metadata = &existing.metadata;
    let is_ours = owned::owner(metadata).is_some_and(|(_, uid)| uid == route_uid);
    match wanted {
        Wanted::Undecided => Step::Keep,
        Wanted::Nothing if is_ours => Step::Delete(metadata.uid.clone().unwrap_or_default()),
        Wanted::Nothing => Step::Keep,
        Wanted::Service(_) if !is_ours => Step::Conflict(format!(
            "Service {}/{} exists and is not this route's, so it was left alone; rename the route, delete that Service, \
             or set spec.service: None",
            metadata.namespace.as_deref().unwrap_or_default(),
            metadata.name.as_deref().unwrap_or_default(),
        )),
        Wanted::Service(service) => {
            let actual = serde_json::to_value(existing).unwrap_or_default();
            if compare::covers(&actual, service) {
                return Step::Keep;
            }
            let mut patch = service.clone();
            if let Some(metadata_of_patch) = patch["metadata"].as_object_mut() {
                metadata_of_patch
                    .insert("resourceVersion".into(), json!(metadata.resource_version));
            }
            Step::Patch(patch)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(service: &str) -> LLMRoute {
        serde_json::from_value(json!({
            "metadata": {"name": "chat", "namespace": "team-a", "uid": "u1"},
            "spec": {"service": service, "backends": []},
        }))
        .unwrap()
    }

    fn wants(route: &LLMRoute, proxy: &str) -> Wanted {
        wanted(
            route,
            Some(&ObjectKey::new(proxy, "edge")),
            80,
            false,
            "cluster.local",
        )
    }

    fn existing(wanted: &Wanted) -> Service {
        let Wanted::Service(value) = wanted else {
            panic!("no Service")
        };
        serde_json::from_value(value.clone()).unwrap()
    }

    #[test]
    fn beside_the_proxy_the_service_selects_its_pods() {
        let service = existing(&wants(&route("Auto"), "team-a")).spec.unwrap();
        assert_eq!(service.selector.unwrap()["dragoman.dev/proxy"], "edge");
        assert_eq!(
            service.ports.unwrap()[0].app_protocol.as_deref(),
            Some("http")
        );
    }

    #[test]
    fn in_another_namespace_the_service_is_another_name_for_the_proxys() {
        let service = existing(&wants(&route("Auto"), "gateways")).spec.unwrap();
        assert_eq!(
            service.external_name.as_deref(),
            Some("dragoman-edge.gateways.svc.cluster.local")
        );
        assert_eq!(service.selector, None);
    }

    #[test]
    fn with_certificates_port_443_leads_to_https_by_selector_and_by_name() {
        for namespace in ["team-a", "gateways"] {
            let proxy = ObjectKey::new(namespace, "edge");
            let wanted = wanted(&route("Auto"), Some(&proxy), 80, true, "cluster.local");
            let ports = existing(&wanted).spec.unwrap().ports.unwrap();
            let port = |at: usize| (ports[at].port, ports[at].app_protocol.as_deref());
            assert_eq!(port(0), (80, Some("http")));
            assert_eq!(port(1), (443, Some("https")));
            // One that was made before is brought to it, and back.
            let without = existing(&wants(&route("Auto"), namespace));
            assert!(matches!(
                step(Some(&without), &wanted, "u1"),
                Step::Patch(_)
            ));
        }
    }

    #[test]
    fn what_is_as_it_should_be_is_not_touched() {
        let wanted = wants(&route("Auto"), "team-a");
        assert_eq!(step(Some(&existing(&wanted)), &wanted, "u1"), Step::Keep);
        assert!(matches!(step(None, &wanted, "u1"), Step::Create(_)));
    }

    #[test]
    fn a_foreign_service_is_never_touched_and_the_message_says_the_cure() {
        let wanted = wants(&route("Auto"), "team-a");
        let mut foreign = existing(&wanted);
        foreign.metadata.owner_references = None;
        let Step::Conflict(message) = step(Some(&foreign), &wanted, "u1") else {
            panic!("touched")
        };
        assert!(
            message.contains("team-a/chat") && message.contains("service: None"),
            "{message}"
        );
        assert_eq!(step(Some(&foreign), &Wanted::Nothing, "u1"), Step::Keep);
    }

    #[test]
    fn the_service_of_a_deleted_route_of_the_same_name_is_not_ours_yet() {
        let wanted = wants(&route("Auto"), "team-a");
        assert!(matches!(
            step(Some(&existing(&wanted)), &wanted, "u2"),
            Step::Conflict(_)
        ));
    }

    #[test]
    fn drift_is_patched_and_only_the_version_that_was_seen() {
        let wanted = wants(&route("Auto"), "team-a");
        let mut drifted = existing(&wanted);
        drifted.metadata.resource_version = Some("7".into());
        drifted.spec.as_mut().unwrap().selector = None;
        let Step::Patch(patch) = step(Some(&drifted), &wanted, "u1") else {
            panic!("kept")
        };
        assert_eq!(patch["metadata"]["resourceVersion"], "7");
    }

    #[test]
    fn service_none_removes_ours_and_no_others() {
        let mut ours = existing(&wants(&route("Auto"), "team-a"));
        ours.metadata.uid = Some("s1".into());
        let nothing = wants(&route("None"), "team-a");
        assert_eq!(step(Some(&ours), &nothing, "u1"), Step::Delete("s1".into()));
    }

    #[test]
    fn while_nobody_serves_the_route_its_service_stays_as_it_is() {
        let wanted = wanted(&route("Auto"), None, 80, false, "cluster.local");
        assert_eq!(step(None, &wanted, "u1"), Step::Keep);
    }
}
