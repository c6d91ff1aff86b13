//! What items are called: kind, namespace and name, as in `LLMRoute/team-a/chat`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A resource kind that becomes an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// An AccessPolicy.
    Policy,
    /// An LLMProxy.
    Proxy,
    /// A Mapper.
    Mapper,
    /// An LLMBackend.
    Backend,
    /// A ModelMap.
    Map,
    /// An LLMRoute.
    Route,
}

impl Kind {
    /// The resource's kind, as manifests write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Policy => "AccessPolicy",
            Self::Proxy => "LLMProxy",
            Self::Mapper => "Mapper",
            Self::Backend => "LLMBackend",
            Self::Map => "ModelMap",
            Self::Route => "LLMRoute",
        }
    }
}

impl FromStr for Kind {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Self, BadKey> {
        [
            Self::Policy,
            Self::Proxy,
            Self::Mapper,
            Self::Backend,
            Self::Map,
            Self::Route,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == text)
        .ok_or_else(|| BadKey(text.to_owned()))
    }
}

/// A namespace and a name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectKey {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl ObjectKey {
    /// The object `name` in `namespace`.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// An item's name, written `Kind/namespace/name`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// What it is.
    pub kind: Kind,
    /// Which one it is.
    pub object: ObjectKey,
}

impl Key {
    /// The item of the object `name` in `namespace`.
    pub fn new(kind: Kind, namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            kind,
            object: ObjectKey::new(namespace, name),
        }
    }
}

/// Text that names no item. The sender's fault.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no item's name; it is written Kind/namespace/name")]
pub struct BadKey(pub String);

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.as_str(), self.object)
    }
}

impl FromStr for Key {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Self, BadKey> {
        let bad = || BadKey(text.to_owned());
        let (kind, rest) = text.split_once('/').ok_or_else(bad)?;
        let (namespace, name) = rest.split_once('/').ok_or_else(bad)?;
        if namespace.is_empty() || name.is_empty() || name.contains('/') {
            return Err(bad());
        }
        Ok(Self::new(kind.parse().map_err(|_| bad())?, namespace, name))
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_as_it_was_written() {
        let key = Key::new(Kind::Route, "team-a", "chat");
        assert_eq!(key.to_string(), "LLMRoute/team-a/chat");
        assert_eq!("LLMRoute/team-a/chat".parse(), Ok(key));
    }

    #[test]
    fn what_names_nothing_is_quoted_back() {
        for text in [
            "",
            "LLMRoute",
            "LLMRoute/a",
            "Pod/a/b",
            "LLMRoute//b",
            "LLMRoute/a/b/c",
        ] {
            assert_eq!(text.parse::<Key>(), Err(BadKey(text.into())));
        }
    }
}
