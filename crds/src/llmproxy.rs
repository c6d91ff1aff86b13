//! LLMProxy: where and how proxies run.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ResourceRequirements;
use kube_derive::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::form::{each, form};
use crate::status::conditions;
use crate::{ByteSize, Condition, LocalReference, Reference, RouteNamespaces, SecretKeyReference};

/// LLMProxy says where and how proxies run: as a Deployment that the operator makes and keeps, named `dragoman-<name>`.
/// Routes attach to it with `spec.proxyRefs`.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "dragoman.dev",
    version = "v1alpha1",
    kind = "LLMProxy",
    plural = "llmproxies",
    shortname = "llmp",
    category = "dragoman",
    namespaced,
    status = "LLMProxyStatus",
    derive = "Default",
    derive = "PartialEq",
    scale(
        spec_replicas_path = ".spec.deployment.replicas",
        status_replicas_path = ".status.proxies.desired",
        label_selector_path = ".status.selector"
    ),
    doc = "LLMProxy says where and how proxies run: a Deployment that the operator makes and keeps, named `dragoman-<name>`.",
    crates(kube_core = "kube_core"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Desired",
        type_ = "integer",
        json_path = ".status.proxies.desired"
    ),
    printcolumn(
        name = "Connected",
        type_ = "integer",
        json_path = ".status.proxies.connected"
    ),
    printcolumn(
        name = "Programmed",
        type_ = "integer",
        json_path = ".status.proxies.programmed"
    ),
    printcolumn(name = "Routes", type_ = "integer", json_path = ".status.routes"),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LLMProxySpec {
    /// The Deployment that runs the proxies.
    #[serde(default)]
    pub deployment: Deployment,
    /// Which routes may attach. Default: routes of this LLMProxy's namespace, with any hostname.
    #[serde(default)]
    pub allowed_routes: ProxyAllowedRoutes,
    /// What the backends of attached routes may be.
    #[serde(default)]
    pub backends: BackendPolicy,
    /// AccessPolicies that apply to every request, before the route's own. One of another namespace must admit this one's by its `allowedRoutes`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub access_policy_refs: Vec<Reference>,
    /// Whether a route to which no AccessPolicy applies, this LLMProxy's or its own, is refused. Default false.
    #[serde(default)]
    pub require_access_policy: bool,
    /// Networks of load balancers and ingresses whose `X-Forwarded-For` or `Forwarded` is believed, hop by hop from the right. Absent: nobody's, and the connection's address is the caller's.
    /// Where a request has both, `X-Forwarded-For` is believed; a proxy that writes `Forwarded` must take clients' `X-Forwarded-For` out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 64)))]
    pub trusted_proxies: Vec<String>,
    /// HTTPS besides HTTP, on port 8443 (443 of the Services).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<ProxyTls>,
    /// Where bans and limits are counted for all proxies together. Absent: each proxy counts for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_state: Option<SharedState>,
    /// Bounds on what clients send.
    #[serde(default)]
    pub limits: Limits,
    /// What the proxies write to their own log, and what the request log keeps.
    #[serde(default)]
    pub logging: Logging,
}

/// A Deployment of proxies.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Deployment {
    /// Number of proxies. `kubectl scale llmproxy` sets it, and so does a HorizontalPodAutoscaler, which needs a first value here.
    /// Absent: the Deployment begins with 1, and whoever scales it keeps the say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1000))]
    pub replicas: Option<i32>,
    /// CPU and memory of one proxy. Default: requests of 100m and 64Mi, a memory limit of 1Gi.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "preserved_object")]
    pub resources: Option<ResourceRequirements>,
    /// The Service `dragoman-<name>` in front of the proxies.
    #[serde(default)]
    pub service: ProxyService,
    /// Additions to the pods.
    #[serde(default)]
    pub pod_template: PodTemplate,
}

/// A `core/v1` structure that the API server need not know field by field; the operator reads it as what it is.
fn preserved_object(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"type": "object", "maxProperties": 8, "x-kubernetes-preserve-unknown-fields": true})
}

/// Labels or annotations; the API server holds their syntax against the object that carries them.
fn string_map(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "maxProperties": 64,
        "additionalProperties": {"type": "string", "maxLength": 16384}
    })
}

/// The Service in front of the proxies.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProxyService {
    /// The Service's type.
    #[serde(default)]
    pub r#type: ServiceType,
    /// The Service's port. Default 80.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<i32>,
    /// Annotations for the Service, for load balancers say.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "string_map")]
    pub annotations: BTreeMap<String, String>,
}

/// A Service's type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ServiceType {
    /// Reached inside the cluster only.
    #[default]
    ClusterIP,
    /// Reached on a port of every node.
    NodePort,
    /// Reached through the cloud's load balancer.
    LoadBalancer,
}

/// Additions to the proxies' pods.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodTemplate {
    /// Labels for the pods. Those that the operator sets win.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "string_map")]
    pub labels: BTreeMap<String, String>,
    /// Annotations for the pods.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "string_map")]
    pub annotations: BTreeMap<String, String>,
    /// Labels that a node must carry.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "string_map")]
    pub node_selector: BTreeMap<String, String>,
    /// The pods' priority class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub priority_class_name: Option<String>,
    /// Secrets with which the image is pulled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub image_pull_secrets: Vec<LocalReference>,
}

/// Which routes may attach to an LLMProxy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProxyAllowedRoutes {
    /// The namespaces whose routes may attach. Default: this LLMProxy's own.
    #[serde(default)]
    pub namespaces: RouteNamespaces,
    /// Hostnames that routes may claim besides their own names: whole names, or `*.` before a suffix. Absent: any. An empty list is refused; to allow none, leave routes without `hostnames`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 64),
        inner(length(max = 253)),
        transform = each(
            r"^(\*\.)?([a-z0-9]([-a-z0-9]*[a-z0-9])?\.)*[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
            "write a whole host name in lower case, such as llm.example.com, or *. before a suffix, such as *.example.com; leave out scheme and port",
        ),
        extend("x-kubernetes-validations" = [{
            "rule": "self.size() > 0",
            "message": "an empty list admits no hostname; leave it out to admit any"
        }])
    )]
    pub hostnames: Option<Vec<String>>,
}

/// What the backends of attached routes may be.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BackendPolicy {
    /// Whether routes may describe a backend inline, and so choose any URL.
    #[serde(default)]
    pub inline: InlineBackends,
    /// Networks that no backend may lead to, checked on the address after DNS. Link-local addresses, and loopback in a cluster, are always denied.
    #[serde(default, rename = "deniedCIDRs", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 64)))]
    pub denied_cidrs: Vec<String>,
}

/// HTTPS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProxyTls {
    /// Secrets of type `kubernetes.io/tls` in this LLMProxy's namespace. The one whose certificate names the host that a client asks for is shown, the first one to
    /// others. A Secret that changes is used for new connections at once; those that stand go on.
    #[schemars(length(min = 1, max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub secret_refs: Vec<LocalReference>,
}

/// Where bans and limits are counted for all proxies together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SharedState {
    /// A Redis, or what speaks its protocol.
    pub redis: Redis,
}

/// A Redis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Redis {
    /// The key of a Secret in this LLMProxy's namespace that holds the URL: `redis://user:password@host:6379/0`, or `rediss://` for TLS.
    pub secret_ref: SecretKeyReference,
}

/// Whether inline backends are admitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum InlineBackends {
    /// They are.
    #[default]
    Allow,
    /// They are refused.
    Deny,
}

/// Bounds on what clients send.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Limits {
    /// Largest request body that is read into memory; a larger one gets 413. Default 32Mi.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_bytes: Option<ByteSize>,
    /// Largest header block; a larger one gets 431. Default 64Ki, at least 8Ki.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header_bytes: Option<ByteSize>,
}

/// What proxies write to their own log, and what the request log keeps of each request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Logging {
    /// The least severe level that is written; changes apply live. Default info.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<LogLevel>,
    /// How much the request log keeps of what is asked and answered: bodies, text and tool calls. Everything else of a request is on record whatever this says. Default: None in a
    /// cluster, Full standalone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bodies: Option<LogBodies>,
    /// How much of each body, and of the text, is kept where `bodies` is Truncated. Default 4Ki.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_body_bytes: Option<ByteSize>,
    /// What is replaced, in order, in all that the request log keeps of bodies, texts, tool calls and errors, before it leaves the proxy. What looks like a key is masked in any case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "atomic"))]
    pub redact: Vec<Redaction>,
    /// What the request log keeps besides of each request, whatever `bodies` says: named values in its column `attributes`, by which the dashboard and the APIs filter.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub attributes: Vec<LogAttribute>,
}

/// How much the request log keeps of what is asked and answered.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum LogBodies {
    /// Nothing.
    None,
    /// The beginning: `maxBodyBytes` of each.
    Truncated,
    /// All, up to 8 MiB of each.
    Full,
}

/// What is replaced in the request log.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Redaction {
    /// A regular expression (RE2 syntax) for what is replaced.
    #[schemars(length(min = 1, max = 512), extend("x-kubernetes-validations" = [{
        "rule": "[''.matches(self)].size() == 1",
        "message": "regex is not a valid RE2 regular expression"
    }]))]
    pub regex: String,
    /// What stands in a match's place. `$1`, `${name}` and `\\1` stand for what the regex captured, `$0` for all of it.
    #[schemars(length(max = 1024))]
    pub replacement: String,
}

/// A value that the request log keeps of each request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LogAttribute {
    /// Its name, by which one filters: `name=value`.
    #[schemars(length(max = 63), extend("x-kubernetes-validations" = form(
        "^[A-Za-z]([-_.A-Za-z0-9]*[A-Za-z0-9])?$",
        "write an attribute's name with letters, digits and, between them, dots, hyphens and underscores, such as team",
    )))]
    pub name: String,
    /// A CEL expression that gives the value: text, a number, true or false, or a list or an object of at most 1 KiB as JSON; of a longer text its beginning is kept. It knows `request` (the
    /// body; null where it is no JSON or longer than 1 MiB), `response` (`content`, `tool_calls`, `finish_reason`), `headers` (lower-case names), `user` (`name`, `groups`, `claims`; null for
    /// nobody), `client.address`, `route`, `model` (as the client named it) and `now`, all with secrets masked and `redact` applied. It is evaluated when the request has ended, apart from it. What gives null is left out; so
    /// is what fails, which is counted.
    #[schemars(length(min = 1, max = 1024))]
    pub expression: String,
}

/// A log level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Faults of ours.
    Error,
    /// Faults of others that somebody should look at.
    Warn,
    /// Transitions.
    Info,
    /// One line a request.
    Debug,
    /// Everything but bodies and secrets.
    Trace,
}

/// What the operator observed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LLMProxyStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Accepted, ResolvedRefs, Programmed, Ready.
    #[serde(default)]
    #[schemars(schema_with = "conditions")]
    pub conditions: Vec<Condition>,
    /// How many proxies there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxies: Option<ProxyCounts>,
    /// Number of routes attached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routes: Option<i32>,
    /// Number of addresses that are banned at the moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub banned_addresses: Option<i32>,
    /// The labels of the proxies' pods, by which autoscalers find them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub selector: Option<String>,
    /// Digest of the config that every programmed proxy runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub config_digest: Option<String>,
}

/// How many proxies there are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProxyCounts {
    /// Wanted by the Deployment.
    pub desired: i32,
    /// Connected to the operator.
    pub connected: i32,
    /// Running the current config.
    pub programmed: i32,
}
