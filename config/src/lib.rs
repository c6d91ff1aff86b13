//! What the operator renders and the proxy runs: compiled, validated config and the push protocol's wire types.
//!
//! Pure functions: resources in, items and conditions out. The operator feeds a [`World`] from its watches, the
//! standalone proxy from files; both get the same items and the same faults. [`names`] holds the life of a model's
//! name, which the compiler validates with and the proxy runs.

pub mod cel;
mod compile;
mod condition;
pub mod hash;
mod item;
mod key;
pub mod manifest;
pub mod mapper;
pub mod names;
mod pattern;
pub mod response;
pub mod wire;
mod world;

pub use compile::Outcome;
pub use condition::{Verdict, reason};
pub use item::{
    AuthenticationItem, AwsItem, AwsKeysItem, BackendItem, BanItem, CallItem, Catalogued,
    CertificateItem, ClusterKeysItem, ConversationItem, CorsItem, CountedItem, CredentialItem,
    DEFAULT_PROMPT, HeaderItem, HealthItem, Item, JwtItem, JwtKeysItem, Library, LimitItem,
    ListItem, LoggingItem, MapItem, MapRuleItem, MapperItem, PathItem, PolicyItem, PolicyTarget,
    PriceItem, PromptsItem, ProxyItem, RelayItem, ResponseActionItem, ResponseRuleItem, RetryItem,
    RouteBackendItem, RouteItem, RuleActionItem, RuleItem, Secret, ServiceAccountsItem, SpanItem,
    Target, TemplateItem, TimeoutsItem, TlsItem, TokensItem, UpstreamUrl,
};
pub use key::{Key, Kind, ObjectKey};
pub use pattern::{BadPattern, NamePattern, fill, text_pattern};
pub use world::{
    Changes, ClusterKeys, InputContent, InputData, InputKey, InputKind, Object, Settings, World,
};
