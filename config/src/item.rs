//! Items: the compiled form of each resource, small, complete and free of references to anything but other items.
//!
//! An item is plain data that was validated; the proxy builds what it runs from it. The wire form is JSON with the
//! resource's kind as tag.
//!
//! A proxy does not run an item with a field that it does not know, since the field may be what restricts it. So a field
//! that is added later is an [`Option`], null (which every proxy passes over) in an item that does without it: an
//! operator that is newer than its proxies then updates all items but those that use what is new.

mod policy;

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use dragoman_crds::{
    Api, Dialect, LogBodies, LogLevel, MapperStream, Matching, ModelTarget, NameFilter, NameMatch,
    ReasoningContent, ReplyModel, Responses, RetryOn, Thinking, Unmatched,
};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Key;

pub use policy::{
    AuthenticationItem, BanItem, CallItem, CertificateItem, ClusterKeysItem, CorsItem, CountedItem,
    JwtItem, JwtKeysItem, LimitItem, PolicyItem, PolicyTarget, PriceItem, ResponseActionItem,
    ResponseRuleItem, RuleActionItem, RuleItem, ServiceAccountsItem, SpanItem, TokensItem,
};

/// The compiled form of one resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum Item {
    /// From an AccessPolicy.
    #[serde(rename = "AccessPolicy")]
    Policy(Box<PolicyItem>),
    /// From an LLMProxy.
    #[serde(rename = "LLMProxy")]
    Proxy(ProxyItem),
    /// From a Mapper. It reaches proxies within the items that use it.
    #[serde(rename = "Mapper")]
    Mapper(MapperItem),
    /// From an LLMBackend.
    #[serde(rename = "LLMBackend")]
    Backend(Box<BackendItem>),
    /// From a ModelMap.
    #[serde(rename = "ModelMap")]
    Map(MapItem),
    /// From an LLMRoute.
    #[serde(rename = "LLMRoute")]
    Route(RouteItem),
}

/// What a proxy itself must know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProxyItem {
    /// The domain of the cluster's Services, such as `cluster.local`.
    pub cluster_domain: String,
    /// Networks that no upstream may lead to. Link-local is denied besides.
    pub denied_cidrs: Vec<IpNet>,
    /// Whether upstreams may not be on loopback.
    pub deny_loopback: bool,
    /// Largest request body that is read into memory.
    pub body_bytes: u64,
    /// Largest header block.
    pub header_bytes: u32,
    /// The least severe level that is logged; absent: as the process was started.
    pub log_level: Option<LogLevel>,
    /// The policies that apply to every request, in order; none where there are none.
    #[serde(default)]
    pub policies: Option<Vec<PolicyTarget>>,
    /// Whose word on a caller's address is believed; none where nobody's is.
    #[serde(default)]
    pub trusted_proxies: Option<Vec<IpNet>>,
    /// The certificates with which HTTPS is served; absent: it is not.
    #[serde(default)]
    pub certificates: Option<Vec<CertificateItem>>,
    /// The URL of the Redis that counts for all proxies; absent: each counts for itself.
    #[serde(default)]
    pub redis: Option<Secret>,
    /// What the request log keeps; absent: what it keeps by default.
    #[serde(default)]
    pub logging: Option<LoggingItem>,
}

/// What the request log keeps of each request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggingItem {
    /// How much of what is asked and answered.
    pub bodies: LogBodies,
    /// How much of each, in bytes, where it is truncated.
    pub max_body_bytes: u64,
    /// What is replaced in it, and by what, in order.
    pub redact: Vec<(String, String)>,
    /// What is kept besides, by name: expressions in CEL. None where there are none.
    #[serde(default)]
    pub attributes: Option<Vec<(String, String)>>,
}

impl LoggingItem {
    /// What is kept where an LLMProxy says nothing: no bodies where others may read the log, all where it is one's own.
    #[must_use]
    pub fn usual(standalone: bool) -> Self {
        Self {
            bodies: if standalone {
                LogBodies::Full
            } else {
                LogBodies::None
            },
            max_body_bytes: 4 << 10,
            redact: Vec::new(),
            attributes: None,
        }
    }
}

/// One virtual endpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouteItem {
    /// Host names besides its own that this route has won.
    pub hostnames: Vec<String>,
    /// What model names mean; [`Target::Unresolved`] closes the route.
    pub model_map: Option<Target>,
    /// Who answers, in the order of the manifest.
    pub backends: Vec<RouteBackendItem>,
    /// What becomes of thinking.
    pub thinking: Thinking,
    /// The APIs that clients may speak; absent: all.
    #[serde(default)]
    pub apis: Option<Vec<Api>>,
    /// The Conversation API; absent: it is not there.
    #[serde(default)]
    pub conversation: Option<ConversationItem>,
    /// Paths that lead to a path of a backend; none where there are none.
    pub paths: Option<Vec<PathItem>>,
    /// The policies that apply to its requests, in order, after the proxy's; none where there are none.
    #[serde(default)]
    pub policies: Option<Vec<PolicyTarget>>,
    /// What pages of other origins may do; absent: nothing.
    #[serde(default)]
    pub cors: Option<CorsItem>,
    /// How much the request log keeps of bodies at most; absent: as much as the LLMProxy lets it.
    #[serde(default)]
    pub log_bodies: Option<LogBodies>,
    /// Whether replies that are on record are given again; absent: no.
    #[serde(default)]
    pub replay: Option<bool>,
}

/// The name of the system prompt of requests that name none.
pub const DEFAULT_PROMPT: &str = "chat-conversation-simple";

/// The Conversation API of a route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversationItem {
    /// What its paths begin with, from the slash.
    pub prefix: String,
    /// The language of requests that name none.
    pub language: String,
    /// The system prompts; absent: none.
    pub prompts: Option<PromptsItem>,
}

/// System prompts: for each language, their texts by name.
pub type Library = BTreeMap<String, BTreeMap<String, String>>;

/// What a reference to system prompts came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PromptsItem {
    /// These.
    Library(Library),
    /// Nothing that may be used, and why: the API is closed.
    Unresolved(String),
}

/// A path that leads to a path of a backend.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PathItem {
    /// The path after the base URL, without `/*`.
    pub path: String,
    /// Whether everything below the path is covered too.
    pub below: bool,
    /// The name of the backend within the route.
    pub backend: String,
    /// The path to call, without `/*`; absent: the one that was asked for.
    pub to: Option<String>,
    /// Whether the rest of the path follows.
    pub rest: bool,
    /// What changes bodies, instead of the backend's.
    pub mapper: Option<Box<MapperItem>>,
    /// Why the path cannot be used.
    pub unusable: Option<String>,
}

/// What a reference came to. An item that the proxy does not have is treated as unresolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Target {
    /// This item.
    Item(Key),
    /// A backend that the route describes itself.
    Inline(Box<BackendItem>),
    /// Nothing that may be used, and why.
    Unresolved(String),
}

/// One backend of a route.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouteBackendItem {
    /// Its name within the route.
    pub name: String,
    /// The upstream.
    pub target: Target,
    /// What its models' names carry towards clients; empty for nothing.
    pub prefix: String,
    /// Which bare names are admitted.
    pub models: NameFilter,
    /// Lowest first.
    pub priority: u32,
    /// Share among equals.
    pub weight: u32,
}

/// One upstream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackendItem {
    /// Where it is.
    pub url: UpstreamUrl,
    /// What it speaks.
    #[serde(default)]
    pub dialect: Dialect,
    /// How requests authenticate.
    pub credential: CredentialItem,
    /// Models that complete or replace its own list.
    pub catalog: Vec<Catalogued>,
    /// Paths that may go upstream with our credential.
    pub relay: Vec<RelayItem>,
    /// Headers that every request carries.
    pub headers: Vec<HeaderItem>,
    /// How long each phase may take.
    pub timeouts: TimeoutsItem,
    /// What is tried again.
    pub retries: RetryItem,
    /// Active checks.
    pub health: Option<HealthItem>,
    /// How its certificate is verified, with `https` only.
    pub tls: TlsItem,
    /// Most requests in flight.
    pub max_concurrency: Option<u32>,
    /// What changes bodies.
    pub mapper: Option<Box<MapperItem>>,
    /// What becomes of responses, where they are not relayed.
    #[serde(default)]
    pub responses: Option<Responses>,
    /// What becomes of the reasoning of earlier turns, where it is not left out.
    #[serde(default)]
    pub reasoning_content: Option<ReasoningContent>,
    /// The version of Azure's API that is called.
    #[serde(default)]
    pub azure_api_version: Option<String>,
    /// The template of prompts; absent: `plain`.
    #[serde(default)]
    pub prompt_template: Option<TemplateItem>,
    /// The policies that apply to its requests, in order, after the route's; none where there are none.
    #[serde(default)]
    pub policies: Option<Vec<PolicyTarget>>,
}

/// A template of prompts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TemplateItem {
    /// A built-in one.
    Name(String),
    /// One of the user's own.
    Custom {
        /// The template, in Jinja.
        source: String,
        /// What it writes as `bos_token`.
        bos_token: String,
        /// What it writes as `eos_token`, which is a stop too.
        eos_token: String,
        /// Further texts at which a reply ends.
        stops: Vec<String>,
    },
}

/// A header that every request to an upstream carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeaderItem {
    /// Its name, in lower case.
    pub name: String,
    /// Its value.
    pub value: Secret,
    /// Whether it counts as a credential of ours: it came from a Secret, or its name is not known to be harmless. Such a
    /// header goes to no other origin and is quoted in no error.
    pub secret: bool,
}

/// A base URL, taken apart and checked.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct UpstreamUrl {
    /// Whether it is `https`.
    pub tls: bool,
    /// Host name or address, without brackets, lower case.
    pub host: String,
    /// Port, the scheme's own when the URL names none.
    pub port: u16,
    /// Path without a trailing slash: `/v1`, or empty.
    pub path: String,
}

impl UpstreamUrl {
    /// The `Host` header's value: the port only where it is not the scheme's own, IPv6 in brackets.
    #[must_use]
    pub fn authority(&self) -> String {
        let host = match self.host.parse::<IpAddr>() {
            Ok(IpAddr::V6(_)) => format!("[{}]", self.host),
            _ => self.host.clone(),
        };
        if self.port == if self.tls { 443 } else { 80 } {
            host
        } else {
            format!("{host}:{}", self.port)
        }
    }
}

impl fmt::Display for UpstreamUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
}

/// A value that no log, error or debug output shows. It travels on the push stream, which is encrypted, and nowhere else.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Hides `value`.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, for the one place that sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// How requests authenticate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CredentialItem {
    /// Not at all; none of the client's credential headers travels on.
    None,
    /// With this key.
    Key(Secret),
    /// With the client's own.
    Passthrough,
    /// With a signature of AWS's.
    Aws(AwsItem),
}

/// How requests are signed for AWS.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AwsItem {
    /// The region that they are signed for.
    pub region: String,
    /// The keys; absent: the proxy's own identity.
    pub keys: Option<AwsKeysItem>,
}

/// Keys of AWS.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AwsKeysItem {
    /// The id, which is no secret but is told to nobody.
    pub id: Secret,
    /// The key itself.
    pub secret: Secret,
    /// What temporary keys come with.
    pub session_token: Option<Secret>,
}

/// A model of an upstream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Catalogued {
    /// The name on our side.
    pub name: String,
    /// The name that the upstream knows.
    pub upstream_name: String,
    /// Tokens that fit its context.
    pub context_length: Option<i64>,
    /// Further fields of its entry.
    pub metadata: Map<String, Value>,
    /// What it costs.
    #[serde(default)]
    pub price: Option<PriceItem>,
}

/// A path that may be relayed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayItem {
    /// Methods; absent: any.
    pub methods: Option<Vec<String>>,
    /// Path after the base URL, without `/*`.
    pub path: String,
    /// Whether everything below the path is covered too.
    pub below: bool,
}

/// Timeouts in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeoutsItem {
    /// Until a connection stands.
    pub connect_ms: u64,
    /// Until the reply's first byte.
    pub first_byte_ms: u64,
    /// Between two bytes.
    pub idle_ms: u64,
    /// For the whole request.
    pub request_ms: u64,
}

/// What is tried again on the same backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryItem {
    /// Attempts after the first.
    pub attempts: u32,
    /// After which faults.
    pub on: Vec<RetryOn>,
}

/// Active checks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthItem {
    /// Path on the upstream's host.
    pub path: String,
    /// Milliseconds between checks.
    pub interval_ms: u64,
    /// Failures in a row.
    pub unhealthy_after: u32,
}

/// How a certificate is verified.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TlsItem {
    /// Trusted authorities as PEM; absent: the system's.
    pub ca_pem: Option<String>,
    /// The certificate's name; absent: the URL's host.
    pub server_name: Option<String>,
}

/// What changes bodies, in CEL.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MapperItem {
    /// Its namespace and name, as faults quote it.
    pub name: String,
    /// The body to send.
    pub request: Option<String>,
    /// A whole reply.
    pub response: Option<String>,
    /// One event of a stream.
    pub stream_event: Option<String>,
    /// The body of an error.
    pub error: Option<String>,
    /// The path to call.
    pub path: Option<String>,
    /// How a backend of dialect Custom sends streams.
    pub stream: MapperStream,
    /// What expressions find as `parameters`.
    pub parameters: Map<String, Value>,
}

/// What model names mean.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MapItem {
    /// Rules in the order of the manifest.
    pub rules: Vec<MapRuleItem>,
    /// Whether rules tell upper from lower case.
    pub matching: Matching,
    /// What becomes of other names.
    pub unmatched: Unmatched,
    /// What listings show.
    pub list: ListItem,
    /// The `model` of replies.
    pub reply_model: ReplyModel,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MapRuleItem {
    /// The names that it speaks of.
    pub r#match: NameMatch,
    /// CEL that must hold too.
    pub when: Option<String>,
    /// What the name means.
    pub target: ModelTarget,
    /// What is called when the target fails.
    pub fallbacks: Vec<ModelTarget>,
    /// Body fields that are set when absent.
    pub defaults: Map<String, Value>,
    /// Body fields that are set always.
    pub overrides: Map<String, Value>,
}

/// What listings show.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListItem {
    /// Which names.
    pub names: NameFilter,
    /// Whether `names` tells upper from lower case.
    pub matching: Matching,
    /// Whether other names cannot be called.
    pub enforce: bool,
    /// Names on top.
    pub first: Vec<String>,
    /// How long an upstream's list is kept, in milliseconds.
    pub cache_ttl_ms: u64,
}
