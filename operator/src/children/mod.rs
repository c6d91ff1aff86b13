//! Objects that resources own: what they should be. Pure; [`apply`] alone talks to the API server.

pub mod apply;
pub mod compare;
mod deployment;
pub mod labels;
pub mod proxy;
pub mod route;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};

use crate::watch::{Source, api_version};

/// What holds for every LLMProxy of this installation.
#[derive(Clone, Debug)]
pub struct Installation {
    /// The operator's namespace.
    pub namespace: String,
    /// The Service by which proxies reach the operator.
    pub service_name: String,
    /// The port of the push server.
    pub push_port: u16,
    /// The domain of the cluster's Services.
    pub cluster_domain: String,
    /// The image of the proxies.
    pub proxy_image: String,
    /// When it is pulled.
    pub proxy_image_pull_policy: String,
    /// Where their traces go, by variables of their environment.
    pub proxy_env: Vec<(String, String)>,
}

impl Installation {
    /// Where proxies dial.
    #[must_use]
    pub fn operator_url(&self) -> String {
        format!(
            "https://{}.{}.svc:{}",
            self.service_name, self.namespace, self.push_port
        )
    }

    #[cfg(test)]
    pub(crate) fn example() -> Self {
        Self {
            namespace: "dragoman-system".into(),
            service_name: "dragoman-operator".into(),
            push_port: 9443,
            cluster_domain: "cluster.local".into(),
            proxy_image: "dragoman-proxy:test".into(),
            proxy_image_pull_policy: "IfNotPresent".into(),
            proxy_env: Vec::new(),
        }
    }
}

/// An object that somebody of ours owns, as it is applied.
#[derive(Clone, Debug, PartialEq)]
pub struct Child {
    /// What it is.
    pub source: Source,
    /// The fields that are ours.
    pub value: Value,
}

/// The owner reference by which the garbage collector finds an owner's objects.
fn owner_reference(kind: &str, owner: &ObjectMeta) -> Value {
    json!({
        "apiVersion": api_version(),
        "kind": kind,
        "name": owner.name,
        "uid": owner.uid,
        "controller": true,
    })
}

/// The port of every Service that leads to HTTPS.
const HTTPS_PORT: i32 = 443;

/// Whether a Service of this port serves nothing in the clear: it has each port once, and this one means HTTPS to everybody.
fn https_alone(port: i32, tls: bool) -> bool {
    tls && port == HTTPS_PORT
}

/// A Service's ports that lead to the proxies' traffic: in the clear, and over TLS where it is served.
fn traffic_ports(http: i32, tls: bool) -> Value {
    let port = |name: &str, port: i32| json!({"name": name, "port": port, "targetPort": name, "protocol": "TCP", "appProtocol": name});
    let mut ports = Vec::new();
    if !https_alone(http, tls) {
        ports.push(port("http", http));
    }
    if tls {
        ports.push(port("https", HTTPS_PORT));
    }
    ports.into()
}
