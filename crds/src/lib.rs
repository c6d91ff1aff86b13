//! The resources of Dragoman: Rust types, their validation, the generated YAML and reference.
//!
//! Nothing here reads a file or talks to an API server. The types say what a manifest may hold, the schema
//! generated from them is what the API server enforces, and [`generate`] turns one into the other.

#![allow(
    clippy::duplicated_attributes,
    reason = "the print columns of a kind each have a type and a path"
)]

mod accesspolicy;
mod allowed_routes;
mod api;
mod byte_size;
mod conversation;
mod cors;
mod credential;
mod duration;
mod form;
pub mod generate;
mod llmbackend;
mod llmproxy;
mod llmroute;
mod mapper;
mod matcher;
mod modelmap;
mod reference;
pub mod reference_docs;
mod status;
mod thinking;

pub use accesspolicy::{
    AccessPolicy, AccessPolicySpec, AccessPolicyStatus, Authentication, Ban, BearerTokens,
    Calendar, Call, CallFailure, Jwt, Limit, Network, Per, ResponseAction, ResponseRule,
    ResponseSet, ResponseTarget, Rule, RuleAction, ServiceAccounts, SetField,
};
pub use allowed_routes::{AllowedRoutes, RouteNamespaces, RoutesFrom};
pub use api::Api;
pub use byte_size::{BadByteSize, ByteSize};
pub use conversation::Conversation;
pub use cors::Cors;
pub use credential::{Aws, Credential, Passthrough};
pub use duration::{BadDuration, Duration};
pub use llmbackend::{
    Azure, BackendTls, CatalogEntry, Dialect, Health, LLMBackend, LLMBackendSpec, LLMBackendStatus,
    OpenAi, Price, PromptTemplate, ReasoningContent, Relay, Responses, Retries, RetryOn,
    TemplateReference, Timeouts, UpstreamHeader, ValueFrom,
};
pub use llmproxy::{
    BackendPolicy, Deployment, InlineBackends, LLMProxy, LLMProxySpec, LLMProxyStatus, Limits,
    LogAttribute, LogBodies, LogLevel, Logging, PodTemplate, ProxyAllowedRoutes, ProxyCounts,
    ProxyService, ProxyTls, Redaction, Redis, ServiceType, SharedState,
};
pub use llmroute::{
    Access, BackendHealth, BackendStatus, LLMRoute, LLMRouteSpec, LLMRouteStatus, Replay,
    RouteBackend, RouteLogging, RoutePath, RouteService,
};
pub use mapper::{
    Mapper, MapperInput, MapperPhase, MapperSpec, MapperStatus, MapperStream, MapperTest,
};
pub use matcher::{NameFilter, NameMatch};
pub use modelmap::{
    MapRule, Matching, ModelList, ModelMap, ModelMapSpec, ModelMapStatus, ModelTarget, ReplyModel,
    Unmatched,
};
pub use reference::{LocalReference, Reference, SecretKeyReference};
pub use status::{Condition, condition};
pub use thinking::{ReasoningFields, Tag, Thinking, ThinkingText};

/// The API group of every resource.
pub const GROUP: &str = "dragoman.dev";
/// The one version that is served and stored.
pub const VERSION: &str = "v1alpha1";
