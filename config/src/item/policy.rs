//! What becomes of AccessPolicies, and of references to them.

use dragoman_crds::{Calendar, CallFailure, NameFilter, NameMatch, Per};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::UpstreamUrl;
use crate::Key;

/// What a reference to an AccessPolicy came to. A policy that the proxy does not have closes what it applies to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PolicyTarget {
    /// This item.
    Item(Key),
    /// Nothing that may be used, and why: what it applies to is closed.
    Unresolved(String),
}

/// Who may call, from where, how much, saying what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyItem {
    /// Ways to say who is calling; absent: the policy does not ask.
    pub authentication: Option<AuthenticationItem>,
    /// Networks that are admitted; absent: all.
    pub allow: Option<Vec<IpNet>>,
    /// Networks that are refused.
    pub deny: Vec<IpNet>,
    /// What becomes of addresses from which authentication fails.
    pub ban: Option<BanItem>,
    /// Rules on requests, in order.
    pub rules: Vec<RuleItem>,
    /// Rules on replies, in order.
    pub response_rules: Vec<ResponseRuleItem>,
    /// Bounds.
    pub limits: Vec<LimitItem>,
    /// The models that may be called.
    pub models: NameFilter,
}

/// Ways to say who is calling.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuthenticationItem {
    /// Users who are known by tokens.
    pub tokens: Vec<TokensItem>,
    /// Why some tokens cannot be known at the moment; absent: all are.
    pub unknown_tokens: Option<String>,
    /// ServiceAccounts' tokens.
    pub service_accounts: Option<ServiceAccountsItem>,
    /// Issuers of JSON Web Tokens.
    pub jwt: Vec<JwtItem>,
    /// Whether callers without a credential are admitted.
    pub anonymous: bool,
}

/// A user, and the tokens by which it is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokensItem {
    /// The user's name.
    pub user: String,
    /// Its groups.
    pub groups: Vec<String>,
    /// Seconds since 1970 from which the tokens are worth nothing; absent: never.
    pub expires: Option<i64>,
    /// SHA-256 of each token, in lower-case hexadecimal.
    pub sha256: Vec<String>,
}

/// ServiceAccounts' tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceAccountsItem {
    /// The audience that tokens must be made for.
    pub audience: String,
    /// The cluster's issuer and keys; absent: they are not known yet, and no token can be checked.
    pub cluster: Option<ClusterKeysItem>,
}

/// What verifies the tokens of a cluster's ServiceAccounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterKeysItem {
    /// The `iss` of its tokens.
    pub issuer: String,
    /// The JSON Web Key Set, as text.
    pub jwks: String,
}

/// An issuer of JSON Web Tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JwtItem {
    /// The `iss` of its tokens.
    pub issuer: String,
    /// Audiences of which one must be there.
    pub audiences: Vec<String>,
    /// Its keys.
    pub keys: JwtKeysItem,
}

/// An issuer's keys.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum JwtKeysItem {
    /// The JSON Web Key Set, as text.
    Inline(String),
    /// Where it is fetched from.
    Uri(UpstreamUrl),
}

/// What becomes of addresses from which authentication fails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BanItem {
    /// The failure with which a ban begins.
    pub failures: u32,
    /// How long a failure counts, in milliseconds.
    pub window_ms: u64,
    /// How long a ban lasts, in milliseconds.
    pub duration_ms: u64,
    /// Networks that are never banned.
    pub exempt: Vec<IpNet>,
}

/// A rule on requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleItem {
    /// Its name.
    pub name: String,
    /// CEL that must hold; absent: it always applies.
    pub when: Option<String>,
    /// What is done.
    pub action: RuleActionItem,
}

/// What a rule does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RuleActionItem {
    /// Admits the request.
    Allow,
    /// Refuses it.
    Deny {
        /// With this status.
        status: u16,
        /// Saying this; absent: that the rule refuses it.
        message: Option<String>,
    },
    /// Answers this in the model's place.
    Respond(String),
    /// Calls this model instead.
    SetModel(String),
    /// Sets fields: names with dots between them, and CEL.
    Set(Vec<(String, String)>),
    /// Asks a service.
    Call(CallItem),
    /// Lets the client choose a backend.
    AllowBackendHeader,
}

/// A service that is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallItem {
    /// Where it is, with the whole path and query in `path`.
    pub url: UpstreamUrl,
    /// How long it may take, in milliseconds.
    pub timeout_ms: u64,
    /// What becomes of the request when it fails.
    pub failure: CallFailure,
}

/// A rule on replies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponseRuleItem {
    /// Its name.
    pub name: String,
    /// CEL that must hold; absent: it always applies.
    pub when: Option<String>,
    /// What is done.
    pub action: ResponseActionItem,
}

/// What a rule does to a reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ResponseActionItem {
    /// Refuses it.
    Deny {
        /// Where this matches the text; absent: wherever `when` holds.
        regex: Option<String>,
        /// Saying this; absent: that the rule refuses it.
        message: Option<String>,
    },
    /// Replaces what matches.
    Replace {
        /// What matches.
        regex: String,
        /// What stands there instead.
        replacement: String,
    },
    /// Sets the text to what this CEL gives.
    SetContent(String),
    /// Asks a service.
    Call(CallItem),
}

/// A bound.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LimitItem {
    /// Who has a count of their own.
    pub per: Per,
    /// What is counted, and how much of it there may be in which time; absent: nothing.
    pub amount: Option<(CountedItem, u64, SpanItem)>,
    /// Most requests at once.
    pub concurrency: Option<u32>,
    /// Models whose requests count; absent: all requests.
    pub models: Option<Vec<NameMatch>>,
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CountedItem {
    /// Requests.
    Requests,
    /// Tokens of prompts and replies.
    Tokens,
    /// Money, in millionths of a unit.
    Cost,
}

/// The time within which a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SpanItem {
    /// A window that slides, in milliseconds.
    Window(u64),
    /// A day or month of UTC.
    Calendar(Calendar),
}

/// What a model costs per million tokens, in millionths of a unit of money.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceItem {
    /// Prompts.
    pub input: u64,
    /// Prompts from the upstream's cache.
    pub cached_input: u64,
    /// Replies, reasoning included.
    pub output: u64,
}

/// What pages of other origins may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorsItem {
    /// Origins: whole, with `*.` before a domain, or `*`.
    pub origins: Vec<String>,
    /// Headers, in lower case; absent: those that are asked for.
    pub headers: Option<Vec<String>>,
    /// Methods.
    pub methods: Vec<String>,
    /// How long a browser may keep what a preflight said, in seconds.
    pub max_age: u32,
}

/// A certificate, and its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateItem {
    /// The Secret's name.
    pub name: String,
    /// The chain, as PEM.
    pub chain: String,
    /// The private key, as PEM.
    pub key: super::Secret,
}
