//! Mapper: a custom mapping of bodies in CEL, with its own tests.

use kube_derive::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::llmbackend::free_form;
use crate::status::conditions;
use crate::{AllowedRoutes, Condition};

/// Mapper changes bodies in CEL.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "dragoman.dev",
    version = "v1alpha1",
    kind = "Mapper",
    plural = "mappers",
    shortname = "mapr",
    category = "dragoman",
    namespaced,
    status = "MapperStatus",
    derive = "Default",
    derive = "PartialEq",
    doc = "Mapper changes requests, replies, stream events, errors and paths in CEL, and carries tests of it. A backend or a route's path refers to it by `mapperRef`.",
    crates(kube_core = "kube_core"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Tests",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"TestsPassed\")].status"
    ),
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
    "rule": "has(self.request) || has(self.response) || has(self.streamEvent) || has(self.error) || has(self.path) || has(self.stream)",
    "message": "a Mapper that says nothing changes nothing; set request, response, streamEvent, error, path or stream"
}, {
    "rule": "!(has(self.streamEvent) && has(self.stream) && self.stream == 'None')",
    "message": "with stream None there are no events; leave streamEvent out, and map the reply with response"
}]))]
pub struct MapperSpec {
    /// CEL that yields the body to send. Absent: `body` goes as it is. Every expression here knows `body`, `operation` (such as `chat`), `model` (by the
    /// upstream's name), `stream`, `status` (of a reply), `parameters` and `headers` (the client's by lower-case name, credentials never), and the functions `merge(a, b)`, `omit(object, keys)`,
    /// `join`, `split`, `replace`, `parseJson`, `toJson` and `render(template, vars)` (Jinja). What is missing reads as null; any other failure is answered with
    /// 500 that names the Mapper, the expression and the column. For dialect Custom, `body` is the request as OpenAI's chat completions have it, otherwise what would be sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 8192))]
    pub request: Option<String>,
    /// CEL that makes of a reply, which is not a stream, the reply that goes on: for dialect Custom one as OpenAI's chat completions have it, otherwise one in the
    /// backend's dialect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 8192))]
    pub response: Option<String>,
    /// CEL that makes of one event of a stream null (nothing goes on), an event, a list of events, or `{"done": true}`, which ends the stream. Events are what
    /// the backend's dialect has, for Custom OpenAI's chunks. An event that is no JSON is text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 8192))]
    pub stream_event: Option<String>,
    /// CEL that makes of the body of a reply of 400 and above the one that goes on: for dialect Custom `{"error": {"message": …}}`, otherwise one in the backend's
    /// dialect. A body that is no JSON is text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 8192))]
    pub error: Option<String>,
    /// CEL that yields the path to call below the backend's `url`, such as `'/generate/' + model`, with a query if need be. `body` is the body before `request` changes
    /// it. Absent: for dialect Custom `url` itself, otherwise the path that would be called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 8192))]
    pub path: Option<String>,
    /// How a backend of dialect Custom sends streams. Default SSE. None: it sends none; it is asked for a whole reply, of which clients that want a stream get one.
    /// Others send theirs as their dialect does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<MapperStream>,
    /// What expressions find as `parameters`. At most 64 fields and 16 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "free_form")]
    pub parameters: Option<Map<String, Value>>,
    /// Tests, which run whenever the Mapper is compiled: by `dragoman-proxy check`, by the operator and on reload. While one fails, the Mapper's previous version stays in use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub tests: Vec<MapperTest>,
    /// Which routes may name this Mapper in their `paths`. Default: those of its namespace. A backend names Mappers of its own namespace only.
    #[serde(default)]
    pub allowed_routes: AllowedRoutes,
}

/// How an upstream sends streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MapperStream {
    /// [Server-sent events](https://html.spec.whatwg.org/multipage/server-sent-events.html).
    #[default]
    SSE,
    /// [One JSON value a line](https://github.com/ndjson/ndjson-spec).
    NDJSON,
    /// Not at all.
    None,
}

/// One test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MapperTest {
    /// Its name.
    #[schemars(length(min = 1, max = 128))]
    pub name: String,
    /// Which expression is tried.
    pub phase: MapperPhase,
    /// What it is evaluated over.
    #[serde(default)]
    pub input: MapperInput,
    /// What it must yield. Absent: null.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any")]
    pub expect: Option<Value>,
}

/// An expression of a Mapper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MapperPhase {
    /// `request`.
    Request,
    /// `response`.
    Response,
    /// `streamEvent`.
    StreamEvent,
    /// `error`.
    Error,
    /// `path`.
    Path,
}

/// What an expression is evaluated over in a test; its `parameters` are the Mapper's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MapperInput {
    /// `body`. Default: null.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any")]
    pub body: Option<Value>,
    /// `operation`. Default: `chat`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub operation: Option<String>,
    /// `model`. Default: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub model: Option<String>,
    /// `stream`. Default false.
    #[serde(default)]
    pub stream: bool,
    /// `status`. Default: null.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 100, max = 599))]
    pub status: Option<i32>,
    /// `headers`, by lower-case name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "header_values")]
    pub headers: Option<Map<String, Value>>,
}

/// Any JSON.
fn any(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"x-kubernetes-preserve-unknown-fields": true})
}

fn header_values(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "maxProperties": 32,
        "additionalProperties": {"type": "string", "maxLength": 4096}
    })
}

/// What the operator observed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MapperStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Accepted, TestsPassed, Ready.
    #[serde(default)]
    #[schemars(schema_with = "conditions")]
    pub conditions: Vec<Condition>,
}
