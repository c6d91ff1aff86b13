//! The Deployment of an LLMProxy: Pods that pass the restricted security profile.
//!
//! Source: [Pod Security Standards](https://kubernetes.io/docs/concepts/security/pod-security-standards/).

use dragoman_config::wire;
use dragoman_crds::LLMProxy;
use serde_json::{Value, json};

use super::{Installation, labels};

/// The user of the image, who owns nothing.
const USER: i64 = 65532;
/// How long a pod may take to let its streams finish.
const GRACE_SECONDS: i64 = 60;
/// How long a token for the operator lasts; the kubelet renews it at four fifths.
const TOKEN_SECONDS: i64 = 3600;

/// The Secret with the token for the admin API.
const ADMIN_SECRET: &str = "dragoman-admin";
/// The Secret with the headers for the collector of traces.
const TRACES_SECRET: &str = "dragoman-traces";

/// The Deployment's spec.
pub(super) fn spec(proxy: &LLMProxy, name: &str, installation: &Installation) -> Value {
    let deployment = &proxy.spec.deployment;
    let mut spec = json!({
        "selector": {"matchLabels": labels::selector(name)},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "template": {
            "metadata": {
                "labels": pod_labels(proxy, name),
                "annotations": deployment.pod_template.annotations,
            },
            "spec": pod(proxy, name, installation),
        },
    });
    // Absent, it is not ours: whoever scales the Deployment owns it.
    if let (Some(replicas), Some(spec)) = (deployment.replicas, spec.as_object_mut()) {
        spec.insert("replicas".into(), replicas.into());
    }
    spec
}

fn pod_labels(proxy: &LLMProxy, name: &str) -> Value {
    let mut labels = proxy.spec.deployment.pod_template.labels.clone();
    labels.extend(labels::of_proxy(name));
    json!(labels)
}

fn pod(proxy: &LLMProxy, name: &str, installation: &Installation) -> Value {
    let template = &proxy.spec.deployment.pod_template;
    let mut pod = json!({
        "serviceAccountName": labels::object_name(name),
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "nodeSelector": template.node_selector,
        "imagePullSecrets": template.image_pull_secrets,
        "securityContext": {
            "runAsNonRoot": true,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container(proxy, name, installation)],
        "volumes": [
            {"name": "token", "projected": {"sources": [{"serviceAccountToken": {
                "audience": wire::AUDIENCE, "expirationSeconds": TOKEN_SECONDS, "path": "token",
            }}]}},
            {"name": "ca", "configMap": {"name": format!("{}-ca", labels::object_name(name))}},
            // Compiled config holds keys: it stays in memory and goes with the pod.
            {"name": "snapshot", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}},
            // Rows of the request log wait there while the logbook is away, and survive the container.
            {"name": "data", "emptyDir": {"sizeLimit": "1Gi"}},
        ],
    });
    if let (Some(class), Some(pod)) = (&template.priority_class_name, pod.as_object_mut()) {
        pod.insert("priorityClassName".into(), class.as_str().into());
    }
    pod
}

fn container(proxy: &LLMProxy, name: &str, installation: &Installation) -> Value {
    let namespace = proxy.metadata.namespace.as_deref().unwrap_or_default();
    let field = |name: &str, path: &str| json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}});
    let probe = |path: &str, seconds: i32| json!({"httpGet": {"path": path, "port": "admin"}, "periodSeconds": seconds});
    let resources = match &proxy.spec.deployment.resources {
        Some(resources) => json!(resources),
        None => json!({"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "1Gi"}}),
    };
    let mut environment = vec![
        field("POD_NAME", "metadata.name"),
        field("POD_IP", "status.podIP"),
        admin_token(),
    ];
    environment.extend(traces(&installation.proxy_env));
    json!({
        "name": "proxy",
        "image": installation.proxy_image,
        "imagePullPolicy": installation.proxy_image_pull_policy,
        "args": [
            "run",
            "--operator", installation.operator_url(),
            "--proxy", format!("{namespace}/{name}"),
            "--token-file", "/var/run/secrets/dragoman/token",
            "--ca-file", "/etc/dragoman/ca/ca.crt",
            "--snapshot", "/run/dragoman",
            "--data", "/var/lib/dragoman",
        ],
        "env": environment,
        "ports": ports(proxy),
        "livenessProbe": probe("/healthz", 10),
        "readinessProbe": probe("/readyz", 2),
        "resources": resources,
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "token", "mountPath": "/var/run/secrets/dragoman", "readOnly": true},
            {"name": "ca", "mountPath": "/etc/dragoman/ca", "readOnly": true},
            {"name": "snapshot", "mountPath": "/run/dragoman"},
            {"name": "data", "mountPath": "/var/lib/dragoman"},
        ],
    })
}

/// The token for the admin API, from a Secret beside the Deployment: the chart makes one in its own namespace. Where there is none that API is closed.
fn admin_token() -> Value {
    let secret = json!({"name": ADMIN_SECRET, "key": "token", "optional": true});
    json!({"name": "DRAGOMAN_ADMIN_TOKEN", "valueFrom": {"secretKeyRef": secret}})
}

/// Where traces go. What a collector asks to be sent with them comes from a Secret beside the Deployment, if there is one.
fn traces(variables: &[(String, String)]) -> Vec<Value> {
    let plain = variables
        .iter()
        .map(|(name, value)| json!({"name": name, "value": value}));
    let secret = json!({"name": TRACES_SECRET, "key": "headers", "optional": true});
    let headers =
        json!({"name": "OTEL_EXPORTER_OTLP_HEADERS", "valueFrom": {"secretKeyRef": secret}});
    let headers = (!variables.is_empty()).then_some(headers);
    plain.chain(headers).collect()
}

fn ports(proxy: &LLMProxy) -> Value {
    let port =
        |name: &str, port: i32| json!({"name": name, "containerPort": port, "protocol": "TCP"});
    let https = proxy.spec.tls.as_ref().map(|_| port("https", 8443));
    let ports = [Some(port("http", 8080)), https, Some(port("admin", 9090))];
    ports.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(deployment: Value) -> Value {
        let proxy: LLMProxy = serde_json::from_value(json!({
            "metadata": {"name": "edge", "namespace": "gateways"},
            "spec": {"deployment": deployment},
        }))
        .unwrap();
        spec(&proxy, "edge", &Installation::example())
    }

    #[test]
    fn a_scale_by_hand_stays_while_no_replicas_are_asked_for() {
        assert_eq!(made(json!({})).get("replicas"), None);
        assert_eq!(made(json!({"replicas": 0}))["replicas"], 0);
    }

    #[test]
    fn a_pod_may_do_nothing_that_the_restricted_profile_forbids() {
        let made = made(json!({}));
        let pod = &made["template"]["spec"];
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert_eq!(
            pod["securityContext"]["seccompProfile"]["type"],
            "RuntimeDefault"
        );
        let container = &pod["containers"][0]["securityContext"];
        assert_eq!(container["allowPrivilegeEscalation"], false);
        assert_eq!(container["capabilities"]["drop"], json!(["ALL"]));
        assert_eq!(pod["automountServiceAccountToken"], false);
    }

    #[test]
    fn the_labels_that_select_the_pods_cannot_be_overridden() {
        let made =
            made(json!({"podTemplate": {"labels": {"dragoman.dev/proxy": "other", "team": "a"}}}));
        let labels = &made["template"]["metadata"]["labels"];
        assert_eq!(
            (&labels["dragoman.dev/proxy"], &labels["team"]),
            (&json!("edge"), &json!("a"))
        );
    }

    #[test]
    fn an_update_never_takes_a_proxy_away_before_its_successor_is_ready() {
        let made = made(json!({}));
        let rolling = &made["strategy"]["rollingUpdate"];
        assert_eq!(
            (&rolling["maxUnavailable"], &rolling["maxSurge"]),
            (&json!(0), &json!(1))
        );
    }

    #[test]
    fn a_pod_starts_whether_or_not_there_is_an_admin_token() {
        let made = made(json!({}));
        let env = made["template"]["spec"]["containers"][0]["env"]
            .as_array()
            .unwrap()
            .clone();
        let token = env
            .into_iter()
            .find(|it| it["name"] == "DRAGOMAN_ADMIN_TOKEN")
            .unwrap();
        let secret = &token["valueFrom"]["secretKeyRef"];
        assert_eq!(
            (&secret["name"], &secret["optional"]),
            (&json!("dragoman-admin"), &json!(true))
        );
    }

    #[test]
    fn pods_are_told_where_traces_go_and_find_the_key_for_it_in_a_secret() {
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");
        let told = traces(&[(endpoint.0.into(), endpoint.1.into())]);
        assert_eq!(told[0], json!({"name": endpoint.0, "value": endpoint.1}));
        assert_eq!(told[1]["valueFrom"]["secretKeyRef"]["name"], TRACES_SECRET);
        assert!(traces(&[]).is_empty());
    }

    #[test]
    fn the_token_is_for_the_operator_alone() {
        let made = made(json!({}));
        let source = &made["template"]["spec"]["volumes"][0]["projected"]["sources"][0];
        assert_eq!(source["serviceAccountToken"]["audience"], wire::AUDIENCE);
    }
}
