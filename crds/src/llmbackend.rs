//! LLMBackend: one upstream, described once and used by many routes.

use kube_derive::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::duration::at_least;
use crate::form::{each, form};
use crate::status::conditions;
use crate::{
    AllowedRoutes, Condition, Credential, Duration, LocalReference, Reference, SecretKeyReference,
};

/// LLMBackend is one upstream, described once and used by many routes.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "dragoman.dev",
    version = "v1alpha1",
    kind = "LLMBackend",
    plural = "llmbackends",
    shortname = "llmb",
    category = "dragoman",
    namespaced,
    status = "LLMBackendStatus",
    derive = "PartialEq",
    doc = "LLMBackend is one upstream, described once and used by many routes. A platform team keeps it, and its key, in its own namespace.",
    crates(kube_core = "kube_core"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Healthy",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Healthy\")].status"
    ),
    printcolumn(name = "Dialect", type_ = "string", json_path = ".spec.dialect"),
    printcolumn(name = "URL", type_ = "string", json_path = ".spec.url"),
    printcolumn(name = "Models", type_ = "integer", json_path = ".status.models"),
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
    "rule": "!has(self.tls) || self.url.startsWith('https://')",
    "message": "tls needs a url that begins with https://"
}, {
    "rule": "!has(self.openai) || self.dialect == 'OpenAI'",
    "message": "openai is for servers of that dialect; set dialect: OpenAI, or leave it out"
}, {
    "rule": "has(self.azure) == (self.dialect == 'AzureOpenAI')",
    "message": "set azure, with its apiVersion, with dialect AzureOpenAI, and with no other"
}, {
    "rule": "!has(self.credential) || !has(self.credential.aws) || self.dialect == 'Bedrock'",
    "message": "credential.aws signs requests to Bedrock; set dialect: Bedrock, or another credential"
}, {
    "rule": "!has(self.promptTemplate) || self.dialect == 'TGI'",
    "message": "promptTemplate is for servers that take plain prompts; set dialect: TGI, or leave it out"
}, {
    "rule": "self.dialect != 'Custom' || has(self.mapperRef)",
    "message": "dialect Custom needs mapperRef: a Mapper says what the server takes and gives"
}]))]
pub struct LLMBackendSpec {
    /// The upstream's base URL, as the vendor's own SDK takes it: `http://vllm.models.svc:8000/v1`. All addresses of its name are
    /// balanced by fewest requests in flight. No user, query or fragment.
    #[schemars(length(max = 2048), extend("x-kubernetes-validations" = form(
        r"^https?://[^\s/?#@]+(/[^\s?#]*)?$",
        "write http:// or https://, a host and, where needed, port and path, such as http://vllm.models.svc:8000/v1; leave out user, query and fragment, and put a key into credential",
    )))]
    pub url: String,
    /// The dialect that the upstream speaks.
    #[serde(default)]
    pub dialect: Dialect,
    /// What differs among servers of OpenAI's dialect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub openai: Option<OpenAi>,
    /// What an Azure OpenAI resource needs besides its URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azure: Option<Azure>,
    /// How a conversation becomes the one prompt that TGI takes. Absent: `name: plain`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_template: Option<PromptTemplate>,
    /// A Mapper of the backend's namespace, which changes what would be sent and what comes back. Required with dialect Custom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mapper_ref: Option<LocalReference>,
    /// How requests authenticate. Absent: not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<Credential>,
    /// Models that the upstream serves: completes what it lists, or stands in for it where it lists none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub catalog: Vec<CatalogEntry>,
    /// Paths that may go upstream with the backend's own credential besides the APIs that name a model (chat, completions, embeddings,
    /// responses, images, audio, moderations, rerank and their kin): files, batches and the like. Stored responses (`previous_response_id`,
    /// `conversation`) need `/responses` here. Without a credential of ours every path may, but for what changes which models an Ollama has
    /// (`/api/pull`, `/api/delete` and their kin), which is always listed or refused; `headers` says which of its headers count as one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub relay: Vec<Relay>,
    /// Headers that every request upstream carries, replacing the client's. Each counts as a credential of ours, which goes to no other
    /// origin, is masked in errors and closes the paths that `relay` does not list, but for these with a `value`: `accept`,
    /// `accept-language`, `anthropic-beta`, `anthropic-version`, `openai-beta`, `openai-organization`, `openai-project`, `user-agent`,
    /// `x-request-source`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub headers: Vec<UpstreamHeader>,
    /// How long each phase of a request may take.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// What is tried again on this backend. Nothing is, once a byte of the reply went to the client.
    #[serde(default)]
    pub retries: Retries,
    /// Active health checks. Absent: none are made, and health is judged by the requests themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// How the upstream's certificate is verified. Absent: by the system's roots and the URL's host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<BackendTls>,
    /// Most requests in flight to this backend from one proxy; one more gets the next backend, or 503. Absent: no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000000))]
    pub max_concurrency: Option<i32>,
    /// AccessPolicies that apply to every request that reaches this backend, after the LLMProxy's and the route's. They judge what the others made of it: they may neither change nor answer it (SetModel, Set, Respond, AllowBackendHeader). One of another namespace must admit this one's by its `allowedRoutes`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub access_policy_refs: Vec<Reference>,
    /// Which routes may use this backend. Default: those of its namespace.
    #[serde(default)]
    pub allowed_routes: AllowedRoutes,
}

/// The API that an upstream speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Dialect {
    /// [OpenAI's API](https://platform.openai.com/docs/api-reference), as vLLM, llama.cpp and many others serve it too.
    #[default]
    OpenAI,
    /// [Azure OpenAI](https://learn.microsoft.com/en-us/azure/ai-foundry/openai/reference): OpenAI's bodies, at a path that names the
    /// deployment, which is the model's upstream name. Its `url` is the resource's endpoint: `https://team-a.openai.azure.com`; a key travels
    /// as `api-key`.
    AzureOpenAI,
    /// [Anthropic's messages](https://docs.claude.com/en/api/messages). Its `url` ends before `/v1`: `https://api.anthropic.com`; a key travels
    /// as `x-api-key`.
    Anthropic,
    /// [Ollama's own API](https://github.com/ollama/ollama/blob/main/docs/api.md). Its `url` ends before `/api`: `http://ollama.models.svc:11434`.
    Ollama,
    /// [Text Generation Inference's own API](https://huggingface.github.io/text-generation-inference/), which takes one prompt: see
    /// `promptTemplate`. Its `url` ends before `/generate`: `http://tgi.models.svc:8080`. (TGI speaks OpenAI's chat too, with its model's own
    /// template: `dialect: OpenAI` and a `url` that ends in `/v1`.)
    TGI,
    /// [Amazon Bedrock's runtime](https://docs.aws.amazon.com/bedrock/latest/APIReference/API_Operations_Amazon_Bedrock_Runtime.html): `converse` for
    /// clients of other dialects. Its `url` is the region's endpoint: `https://bedrock-runtime.us-east-1.amazonaws.com`; a key from `secretRef`
    /// is a Bedrock API key, and `aws` signs.
    Bedrock,
    /// [Gemini's API](https://ai.google.dev/api/generate-content). Its `url` ends before the version:
    /// `https://generativelanguage.googleapis.com`; a key travels as `x-goog-api-key`, never in the URL.
    Gemini,
    /// Any other JSON API, for which the Mapper that `mapperRef` names translates to and from OpenAI's chat completions and embeddings. Its `url` is what is called, unless
    /// the Mapper has a `path`; a key travels as a bearer token; its models stand in `catalog`.
    Custom,
}

/// What differs among servers of OpenAI's dialect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OpenAi {
    /// What becomes of [responses](https://platform.openai.com/docs/api-reference/responses).
    #[serde(default)]
    pub responses: Responses,
    /// What becomes of the reasoning of earlier turns that clients of other dialects bring back.
    #[serde(default)]
    pub reasoning_content: ReasoningContent,
}

/// What becomes of the reasoning of earlier turns, which servers of OpenAI's dialect refuse, ignore or ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ReasoningContent {
    /// It is left out: OpenAI and Mistral refuse the field.
    #[default]
    Omit,
    /// Each message of the model's has it as `reasoning_content`, empty where the client brought none back.
    /// [DeepSeek](https://api-docs.deepseek.com/guides/thinking_mode) refuses conversations with tools without it; vLLM and SGLang give it to
    /// templates that take it.
    Send,
}

/// What becomes of requests of OpenAI's Responses API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Responses {
    /// They go to the server's `/responses` as they came.
    #[default]
    Relay,
    /// They are translated to chat completions, for servers that have no responses. What needs a store (`previous_response_id`) is refused.
    Translate,
}

/// What an Azure OpenAI resource needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Azure {
    /// The [version of the API](https://learn.microsoft.com/en-us/azure/ai-foundry/openai/api-version-lifecycle), such as `2024-10-21`; it
    /// replaces the one that an Azure client asks for.
    #[schemars(length(max = 64), extend("x-kubernetes-validations" = form(
        "^[0-9A-Za-z.-]+$",
        "write a version of Azure's API, such as 2024-10-21",
    )))]
    pub api_version: String,
}

/// How a conversation becomes one prompt. The texts at which a reply ends by a template are stops of every request, and are trimmed from the
/// reply.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "has(self.name) != has(self.configMapRef)",
    "message": "set exactly one of name and configMapRef"
}]))]
pub struct PromptTemplate {
    /// A built-in template: `plain`, `llama-2`, `llama-3`, `chatml`, `mistral` or `falcon`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["plain", "llama-2", "llama-3", "chatml", "mistral", "falcon"]))]
    pub name: Option<String>,
    /// A template of your own, in a ConfigMap of the backend's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_ref: Option<TemplateReference>,
}

/// A chat template in Jinja, as Hugging Face's `tokenizer_config.json` holds it. Beside the template the ConfigMap may have the keys `bos_token` and
/// `eos_token`, which the template writes by these names, and `stops`: further texts at which a reply ends, one a line. `eos_token` is a
/// stop too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TemplateReference {
    /// Name of the ConfigMap.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The template's key. Default `chat_template`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub key: Option<String>,
}

/// One model of an upstream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CatalogEntry {
    /// The name that maps, filters and clients see.
    #[schemars(length(min = 1, max = 256))]
    pub name: String,
    /// The name that the upstream knows. Default: `name`. A model so renamed is no longer listed under the upstream's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub upstream_name: Option<String>,
    /// Tokens that fit the model's context; listed as `context_length`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub context_length: Option<i64>,
    /// Further fields of the model's entry in listings. At most 64 fields and 16 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "free_form")]
    pub metadata: Option<Map<String, Value>>,
    /// What the model costs, for limits on cost. Absent: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
}

/// What a model costs per million tokens, in the currency of your choice, as decimals in quotes such as `"2.50"`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Price {
    /// A million tokens of prompts. Default 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20), extend("x-kubernetes-validations" = amount()))]
    pub input_per_million: Option<String>,
    /// A million tokens of prompts that came from the upstream's cache. Default: as `inputPerMillion`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20), extend("x-kubernetes-validations" = amount()))]
    pub cached_input_per_million: Option<String>,
    /// A million tokens of replies, reasoning included. Default 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20), extend("x-kubernetes-validations" = amount()))]
    pub output_per_million: Option<String>,
}

/// The form of an amount of money.
fn amount() -> Value {
    form(
        r"^[0-9]{1,9}(\.[0-9]{1,6})?$",
        "write an amount with at most six decimals in quotes, such as \"2.50\"",
    )
}

/// An object whose fields are the user's own.
pub(crate) fn free_form(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"type": "object", "maxProperties": 64, "x-kubernetes-preserve-unknown-fields": true})
}

/// A path that may go upstream with our credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Relay {
    /// HTTP methods. Absent: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 9),
        inner(length(max = 16)),
        transform = each("^[A-Z]+$", "write HTTP methods in capitals, such as GET")
    )]
    pub methods: Option<Vec<String>>,
    /// The path after the base URL, such as `/files`. A path that ends in `/*` covers everything below it too.
    #[schemars(length(max = 256), extend("x-kubernetes-validations" = form(
        r"^/[^\s?#*]*(/\*)?$",
        "write a path that begins with /, such as /files, or /files/* for everything below it too; leave out query and fragment",
    )))]
    pub path: String,
}

/// A header for every request upstream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "has(self.value) != has(self.valueFrom)",
    "message": "set exactly one of value and valueFrom"
}, {
    "rule": "!(self.name.lowerAscii() in ['host', 'content-length', 'transfer-encoding', 'connection', 'keep-alive', 'upgrade', 'te', 'trailer', 'proxy-connection', 'expect'])",
    "message": "this header belongs to the connection and cannot be set"
}]))]
pub struct UpstreamHeader {
    /// The header's name.
    #[schemars(length(max = 128), extend("x-kubernetes-validations" = form(
        "^[A-Za-z0-9!#$%&'*+.^_|~-]+$",
        "write a header's name alone, such as x-team: letters, digits and hyphens, without colon or space",
    )))]
    pub name: String,
    /// Its value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub value: Option<String>,
    /// Where its value is kept, when it is secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_from: Option<ValueFrom>,
}

/// Where a secret value is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ValueFrom {
    /// A key of a Secret in the backend's namespace.
    pub secret_ref: SecretKeyReference,
}

/// How long each phase of a request may take.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Timeouts {
    /// Until a connection stands, TLS included. Default 5s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect: Option<Duration>,
    /// From the request's last byte to the reply's first. Default 300s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_byte: Option<Duration>,
    /// Between two bytes of the reply. Default 120s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle: Option<Duration>,
    /// For the whole request. Default 600s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Duration>,
}

/// What is tried again on the same backend.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Retries {
    /// Further attempts after the first. Default 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10))]
    pub attempts: Option<i32>,
    /// The faults after which it is tried again. Default: ConnectFailure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4))]
    pub on: Option<Vec<RetryOn>>,
}

/// A fault after which a request may be tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RetryOn {
    /// No connection: DNS, TCP or TLS failed, so the upstream saw nothing.
    ConnectFailure,
    /// The connection closed before the reply began; the upstream may have worked on it.
    Reset,
    /// The reply's first byte took too long.
    Timeout,
    /// The upstream answered 429, 502, 503 or 504.
    Unavailable,
}

/// Active health checks: a GET that must answer 2xx.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Health {
    /// Path on the upstream's host, such as `/health`.
    #[schemars(length(max = 1024), extend("x-kubernetes-validations" = form(
        r"^/[^\s#]*$",
        "write a path that begins with /, such as /health, without spaces or fragment",
    )))]
    pub path: String,
    /// Time between checks. Default 10s, at least 1s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-validations" = at_least("1s")))]
    pub interval: Option<Duration>,
    /// Failures in a row after which the backend is left out while another can answer. Default 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub unhealthy_after: Option<i32>,
}

/// How the upstream's certificate is verified.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BackendTls {
    /// PEM certificates of the authorities that are trusted instead of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_secret_ref: Option<SecretKeyReference>,
    /// The name that the certificate must carry, sent as SNI. Default: the URL's host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub server_name: Option<String>,
}

/// What the operator and the proxies observed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LLMBackendStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Accepted, ResolvedRefs, Healthy, Ready.
    #[serde(default)]
    #[schemars(schema_with = "conditions")]
    pub conditions: Vec<Condition>,
    /// Number of models that it lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<i32>,
}
