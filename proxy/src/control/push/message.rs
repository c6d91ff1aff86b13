//! What a line of the operator's says, in the reading of a proxy that may be older than the operator.
//!
//! Each item is read alone: one that this version cannot read spoils neither its transaction nor the stream. Messages of
//! an unknown type say nothing that is needed, and so do unknown members of a transaction, since its digest tells
//! whether the whole was understood. An unknown member of an *item* may be what restricts it (who may call, say),
//! so such an item is not run; a member that is null asks for nothing.

use std::sync::Arc;

use dragoman_config::wire::Logbook;
use dragoman_config::{Item, Key, Kind};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::unreadable::Unreadable;

/// A line from the operator; the counterpart of [`dragoman_config::wire::Down`].
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Message {
    /// Changes that apply together.
    Transaction(Changes),
    /// The first sync is complete.
    Synced,
    /// The operator is about to go.
    Goodbye,
    /// Where rows of the request log go.
    Logbook(Logbook),
    /// Something that a newer operator says, by its type.
    Unknown(String),
}

/// Changes that apply together; the counterpart of [`dragoman_config::wire::Transaction`].
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Changes {
    /// Items that are new or changed.
    pub(super) put: Vec<Change>,
    /// Items that are gone.
    pub(super) delete: Vec<Name>,
    /// Digest of everything that the proxy has once this is applied.
    pub(super) digest: String,
    /// The successors of the CA that signed this stream's certificate.
    pub(super) ca_pem: Option<String>,
}

/// One item on its way.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Change {
    /// Its name.
    pub(super) name: Name,
    /// The hash of its content.
    pub(super) hash: String,
    /// Its content.
    pub(super) content: Content,
}

/// An item's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// Of a kind that this version knows.
    Known(Key),
    /// Of another: the operator is newer.
    Foreign(String),
}

/// An item's content.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Content {
    /// The item.
    Item(Arc<Item>),
    /// It does not compile, says the operator.
    Invalid(String),
    /// This version cannot read it.
    Unreadable(String),
}

#[derive(Deserialize)]
struct Head {
    r#type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TransactionLine<'a> {
    #[serde(default, borrow)]
    put: Vec<&'a RawValue>,
    #[serde(default)]
    delete: Vec<String>,
    digest: String,
    #[serde(default)]
    ca_pem: Option<String>,
}

#[derive(Deserialize)]
struct PutLine<'a> {
    name: String,
    hash: String,
    #[serde(borrow)]
    content: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum ContentLine {
    Item(Value),
    Invalid(String),
}

/// Reads a line.
///
/// # Errors
/// [`Unreadable`] when it is none of the protocol's, or a transaction without what makes it one.
pub(super) fn read(line: &[u8]) -> Result<Message, Unreadable> {
    let head: Head = serde_json::from_slice(line)?;
    Ok(match head.r#type.as_str() {
        "transaction" => Message::Transaction(changes(line)?),
        "synced" => Message::Synced,
        "goodbye" => Message::Goodbye,
        // One that is not understood is as good as none: rows wait.
        "logbook" => serde_json::from_slice(line)
            .map_or_else(|_| Message::Unknown(head.r#type), Message::Logbook),
        _ => Message::Unknown(head.r#type),
    })
}

fn changes(line: &[u8]) -> Result<Changes, Unreadable> {
    let line: TransactionLine = serde_json::from_slice(line)?;
    let mut put = Vec::with_capacity(line.put.len());
    for text in line.put {
        match serde_json::from_str::<PutLine>(text.get()) {
            Ok(line) => put.push(change(line)),
            // Nameless, so it can be reported to nobody; the digest tells that something is missing.
            Err(fault) => {
                let fault = Unreadable::from(fault);
                tracing::error!(%fault, "an item came without a name or a hash and is left out");
            }
        }
    }
    Ok(Changes {
        put,
        delete: line.delete.into_iter().map(name).collect(),
        digest: line.digest,
        ca_pem: line.ca_pem,
    })
}

fn change(line: PutLine<'_>) -> Change {
    let name = name(line.name);
    let content = match (&name, content(&name, line.content)) {
        (_, Ok(content)) => content,
        (_, Err(fault)) => Content::Unreadable(format!(
            "proxy version {} cannot read it ({fault}); run proxies of the operator's version",
            env!("CARGO_PKG_VERSION")
        )),
    };
    Change {
        name,
        hash: line.hash,
        content,
    }
}

fn name(text: String) -> Name {
    match text.parse() {
        Ok(key) => Name::Known(key),
        Err(_) => Name::Foreign(text),
    }
}

fn content(name: &Name, text: &RawValue) -> Result<Content, Unreadable> {
    let Name::Known(key) = name else {
        return Err(Unreadable::new("its kind is unknown"));
    };
    match serde_json::from_str(text.get())? {
        ContentLine::Invalid(reason) => Ok(Content::Invalid(reason)),
        ContentLine::Item(came) => {
            let item = Item::deserialize(&came)?;
            if kind(&item) != key.kind {
                return Err(Unreadable::new("its content is of another kind"));
            }
            match lost(&came, &serde_json::to_value(&item)?) {
                None => Ok(Content::Item(Arc::new(item))),
                Some(path) => Err(Unreadable::new(format!("unknown field `{path}`"))),
            }
        }
    }
}

fn kind(item: &Item) -> Kind {
    match item {
        Item::Proxy(_) => Kind::Proxy,
        Item::Backend(_) => Kind::Backend,
        Item::Map(_) => Kind::Map,
        Item::Policy(_) => Kind::Policy,
        Item::Mapper(_) => Kind::Mapper,
        Item::Route(_) => Kind::Route,
    }
}

/// The path of something that `came` and was not `kept`, because nothing here knows it.
fn lost(came: &Value, kept: &Value) -> Option<String> {
    match (came, kept) {
        (Value::Object(came), Value::Object(kept)) => {
            came.iter()
                .find_map(|(member, came)| match kept.get(member) {
                    Some(kept) => lost(came, kept).map(|path| joined(member, &path)),
                    None if came.is_null() => None,
                    None => Some(member.clone()),
                })
        }
        (Value::Array(came), Value::Array(kept)) => {
            came.iter()
                .enumerate()
                .find_map(|(at, came)| match kept.get(at) {
                    Some(kept) => lost(came, kept).map(|path| joined(&at.to_string(), &path)),
                    None => Some(at.to_string()),
                })
        }
        _ => None,
    }
}

fn joined(step: &str, path: &str) -> String {
    format!("{step}.{path}")
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
