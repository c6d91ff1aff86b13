//! LLMRoute: one virtual LLM endpoint that applications call.

use kube_derive::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::form::{each, form};
use crate::status::conditions;
use crate::{
    Api, Condition, Conversation, Cors, LLMBackendSpec, LogBodies, NameFilter, Reference, Thinking,
};

/// LLMRoute is one virtual LLM endpoint that applications call.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "dragoman.dev",
    version = "v1alpha1",
    kind = "LLMRoute",
    plural = "llmroutes",
    shortname = "llmr",
    category = "dragoman",
    namespaced,
    status = "LLMRouteStatus",
    derive = "Default",
    derive = "PartialEq",
    doc = "LLMRoute is one virtual LLM endpoint. Applications set `http://<name>.<namespace>.svc/v1` as their OpenAI base URL; `status.url` says it.",
    crates(kube_core = "kube_core"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Backends",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"BackendsHealthy\")].reason"
    ),
    printcolumn(name = "Access", type_ = "string", json_path = ".status.access"),
    printcolumn(name = "URL", type_ = "string", json_path = ".status.url"),
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
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "!has(self.apis) || has(self.conversation) || !('Conversation' in self.apis)",
    "message": "apis names Conversation, which needs its settings; set conversation, or leave it out of apis"
}, {
    "rule": "!has(self.paths) || self.paths.all(p, self.backends.exists(b, b.name == p.backend))",
    "message": "each of paths leads to a backend of this route; name one of backends[].name"
}]))]
pub struct LLMRouteSpec {
    /// The LLMProxies that serve this route. Default: the LLMProxy `default` in the operator's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 8))]
    pub proxy_refs: Option<Vec<Reference>>,
    /// Host names besides the route's own. An older route keeps a name that a newer one claims too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        inner(length(max = 253)),
        transform = each(
            r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?\.)*[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
            "write a whole host name in lower case, such as llm.example.com; leave out scheme, port and wildcards",
        ),
        extend("x-kubernetes-list-type" = "set", "x-kubernetes-validations" = [{
            "rule": "self.all(h, !h.endsWith('.svc') && !h.endsWith('.cluster.local'))",
            "message": "names under .svc or the cluster domain belong to Services; leave them out, the route answers to its own already"
        }])
    )]
    pub hostnames: Vec<String>,
    /// Whether a Service of the route's name is made in its namespace.
    #[serde(default)]
    pub service: RouteService,
    /// The APIs that clients may speak; paths of another answer 404. Absent: all, and Conversation where `conversation` is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 8), extend("x-kubernetes-list-type" = "set"))]
    pub apis: Option<Vec<Api>>,
    /// What model names mean. Absent: names go upstream as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_map_ref: Option<Reference>,
    /// AccessPolicies that apply to every request to this route, after the LLMProxy's. One of another namespace must admit this one's by its `allowedRoutes`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub access_policy_refs: Vec<Reference>,
    /// Who answers.
    #[schemars(length(min = 1, max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub backends: Vec<RouteBackend>,
    /// Paths below the route that lead to a path of a backend, whatever they ask for: a path that is listed is no longer the API that it was. An exact path wins
    /// over one that ends in `/*`, a longer one over a shorter; `/v1` before a path makes no difference. Query and body go on as they are. Where the backend has a credential of ours, its
    /// `relay` must list the path that is called.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["path"]))]
    pub paths: Vec<RoutePath>,
    /// What becomes of the models' thinking.
    #[serde(default)]
    pub thinking: Thinking,
    /// The Conversation API. Absent: it is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<Conversation>,
    /// What pages of other origins may do with this route in a browser ([CORS](https://fetch.spec.whatwg.org/#http-cors-protocol)). Absent: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cors: Option<Cors>,
    /// What the request log keeps of requests to this route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logging: Option<RouteLogging>,
    /// Replies that are on record, given once more to whoever got them. Absent: none are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<Replay>,
}

/// Replies that are on record, given once more.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Replay {
    /// Whether a request with the header `x-dragoman-replay: <request id>` is answered by the reply that the request of that id got, without asking any backend. It must have been made to this route,
    /// by the same user; where there are no users, from the same address. What was made while this was not set, or was not kept whole (`logging.bodies` of the LLMProxy and of the route), cannot be
    /// given again. Default false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// What the request log keeps of requests to a route.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RouteLogging {
    /// How much of what is asked and answered. Never more than the LLMProxy's `logging.bodies` lets be kept. Absent: as much as that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bodies: Option<LogBodies>,
}

/// Whether a Service is made for a route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RouteService {
    /// A Service of the route's name in its namespace. One that exists and is not ours is left alone, and a condition says so.
    #[default]
    Auto,
    /// No Service: the route is reached by a hostname or below `/routes/<namespace>/<name>/`.
    None,
}

/// One backend of a route.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "has(self.backendRef) != has(self.inline)",
    "message": "set exactly one of backendRef and inline"
}]))]
pub struct RouteBackend {
    /// The backend's name within this route, which model maps refer to.
    #[schemars(length(max = 63), extend("x-kubernetes-validations" = form(
        "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        "write a backend's name with lower-case letters, digits and, between them, hyphens, such as vllm-large",
    )))]
    pub name: String,
    /// The LLMBackend that answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend_ref: Option<Reference>,
    /// A backend described here; its Secrets are the route's namespace's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inline: Option<Box<LLMBackendSpec>>,
    /// What the names of this backend's models carry towards clients, such as `vllm/`. A call reaches this backend only with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub model_prefix: Option<String>,
    /// Which of this backend's models are listed and callable, by their names without the prefix.
    #[serde(default)]
    pub models: NameFilter,
    /// Lowest first; the next level answers when every backend of this one failed. Default 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub priority: Option<i32>,
    /// Share among backends of the same priority. Default 1; 0 is used only when the others failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1000))]
    pub weight: Option<i32>,
}

/// A path that leads to a path of a backend.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "!has(self.to) || !self.to.endsWith('/*') || self.path.endsWith('/*')",
    "message": "what ends in /* takes the rest of a path that ends in /*; end path in /* too, or write the whole of to"
}]))]
pub struct RoutePath {
    /// The path after the route's base URL, such as `/score`. A path that ends in `/*` covers everything below it too.
    #[schemars(length(max = 256), extend("x-kubernetes-validations" = form(
        r"^/[^\s?#*]*(/\*)?$",
        "write a path that begins with /, such as /score, or /score/* for everything below it too; leave out query and fragment",
    )))]
    pub path: String,
    /// The route's `backends[].name` that is called.
    #[schemars(length(min = 1, max = 63))]
    pub backend: String,
    /// The path to call below the backend's `url`; with `/*` at its end, what stood in place of the `/*` of `path` follows. Default: the path as it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), extend("x-kubernetes-validations" = form(
        r"^/[^\s?#*]*(/\*)?$",
        "write a path that begins with /, such as /v2/score, or /v2/* to keep what follows; leave out query and fragment",
    )))]
    pub to: Option<String>,
    /// A Mapper for bodies on this path, instead of the backend's. It must admit this route's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mapper_ref: Option<Reference>,
}

/// What the operator and the proxies observed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LLMRouteStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Accepted, ResolvedRefs, Programmed, BackendsHealthy, Ready.
    #[serde(default)]
    #[schemars(schema_with = "conditions")]
    pub conditions: Vec<Condition>,
    /// The base URL that applications set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub url: Option<String>,
    /// Whether callers must authenticate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Access>,
    /// Each backend as the proxies see it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub backends: Vec<BackendStatus>,
}

/// Whether callers must authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Access {
    /// Anyone who reaches the route may call it.
    Open,
    /// A policy decides.
    Restricted,
}

/// One backend of a route as the proxies see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackendStatus {
    /// `backends[].name`.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// Whether it answers.
    pub health: BackendHealth,
    /// Number of models that it lists for this route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<i32>,
    /// Since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), extend("format" = "date-time"))]
    pub last_transition_time: Option<String>,
    /// The last fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32768))]
    pub message: Option<String>,
}

/// Whether a backend answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum BackendHealth {
    /// Nothing was asked of it yet.
    Unknown,
    /// The last requests or checks succeeded.
    Healthy,
    /// They failed.
    Unhealthy,
}
