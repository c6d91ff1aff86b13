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
pub mod wire;
mod world;

pub use compile::Outcome;
pub use condition::{Verdict, reason};
pub use item::{
    AwsItem, AwsKeysItem, BackendItem, Catalogued, ConversationItem, CredentialItem,
    DEFAULT_PROMPT, HeaderItem, HealthItem, Item, Library, ListItem, MapItem, MapRuleItem,
    MapperItem, PathItem, PromptsItem, ProxyItem, RelayItem, RetryItem, RouteBackendItem,
    RouteItem, Secret, Target, TemplateItem, TimeoutsItem, TlsItem, UpstreamUrl,
};
pub use key::{Key, Kind, ObjectKey};
pub use pattern::{BadPattern, NamePattern};
pub use world::{Changes, InputData, InputKey, InputKind, Object, Settings, World};
