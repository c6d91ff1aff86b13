//! The push protocol: what goes up and down the stream between operator and proxy.
//!
//! `POST /v1/stream` over HTTP/2 and TLS; both bodies are lines of JSON ([NDJSON](https://github.com/ndjson/ndjson-spec)). The proxy
//! begins with [`Up::Hello`]; the operator answers with transactions and ends the first sync with [`Down::Synced`].

use std::collections::BTreeMap;
use std::sync::Arc;

use dragoman_crds::BackendHealth;
use serde::{Deserialize, Serialize};

use crate::{Item, Key, Secret};

/// The stream's path.
pub const STREAM_PATH: &str = "/v1/stream";
/// The audience of the token that a proxy presents to the operator.
pub const AUDIENCE: &str = "operator.dragoman.dev";
/// The media type of both bodies.
pub const CONTENT_TYPE: &str = "application/x-ndjson";
/// The longest line that either side reads. A compiled item is far smaller.
pub const LONGEST_LINE: usize = 16 << 20;
/// The longest hello that an operator reads: names and hashes of some ten thousand items. A proxy that has more claims
/// nothing, and is sent everything.
pub const LONGEST_HELLO: usize = 2 << 20;

/// A line from a proxy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Up {
    /// The first line.
    Hello(Hello),
    /// What the proxy runs and sees; after each transaction, and when health changes.
    Report(Report),
}

/// What a proxy says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hello {
    /// The LLMProxy that it asks for, as `namespace/name`.
    pub proxy: String,
    /// The pod's name, which the token must bear out.
    pub pod: String,
    /// The proxy's version.
    pub version: String,
    /// The items that it has, each with its hash.
    pub items: BTreeMap<Key, String>,
}

/// What a proxy runs and sees.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Digest of the last transaction that was applied; empty before the first.
    pub digest: String,
    /// Items that it could not apply, and why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub refused: BTreeMap<Key, String>,
    /// The health of backends: all of them in a stream's first report, changes later.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backends: Vec<BackendReport>,
    /// How many addresses are banned at the moment; absent: the proxy does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub banned: Option<u32>,
    /// Why bans and limits are not shared although a Redis is configured; absent: they are, or none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redis_away: Option<String>,
    /// Whether rows of the request log are stored; absent: the proxy does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<LogState>,
}

/// Whether a proxy's rows of the request log are stored. A word and no figures, so that a report is due only when it changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LogState {
    /// They are, within seconds.
    Stored,
    /// They wait, although the logbook takes some.
    Lagging,
    /// They wait, since the logbook, or its database, does not take any.
    LogbookAway,
    /// Some were lost a short while ago.
    Dropped,
    /// The proxy keeps no log, or was told of no logbook.
    NotKept,
    /// What a newer proxy says.
    #[serde(other)]
    Unknown,
}

/// One backend as a proxy sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackendReport {
    /// The route, or the LLMBackend itself when it is not a route's inline one.
    pub item: Key,
    /// The backend's name within the route, for an inline one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
    /// Whether it answers.
    pub health: BackendHealth,
    /// Number of models that it lists, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<u32>,
    /// The last fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A line from the operator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Down {
    /// Changes that apply together or not at all.
    Transaction(Transaction),
    /// The first sync is complete: the proxy may serve.
    Synced,
    /// The operator is about to go; the proxy dials again.
    Goodbye,
    /// Where the proxy sends the rows of the request log, before what it needs them for and whenever that changes. A proxy that does not know this line passes it over.
    Logbook(Logbook),
}

/// Where rows of the request log go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Logbook {
    /// The logbook, as `https://HOST:PORT`.
    pub url: String,
    /// The authorities that sign its certificate, as PEM.
    pub ca_pem: String,
    /// What says whose rows the proxy may write; it ends within the hour, and a successor comes before.
    pub ticket: Secret,
}

/// Changes that apply together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Transaction {
    /// Items that are new or changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub put: Vec<Put>,
    /// Items that are gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub delete: Vec<Key>,
    /// Digest of everything the proxy has once this is applied.
    pub digest: String,
    /// The successors of the CA that signed this stream's certificate, as PEM, when they changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_pem: Option<String>,
}

/// One item on its way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Put {
    /// Its name.
    pub name: Key,
    /// The hash of its content.
    pub hash: String,
    /// Its content.
    pub content: Content,
}

/// An item's content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Content {
    /// The item.
    Item(Arc<Item>),
    /// It does not compile, for this reason: the previous version stays, and where there is none it fails closed.
    Invalid(String),
}
