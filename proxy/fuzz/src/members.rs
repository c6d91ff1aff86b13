//! Objects read by serde with all their members, in their order: what the proxy's own reader is held against.

use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of an object.
#[derive(Debug)]
pub struct Members<'a>(pub Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_map(Each)
    }
}

struct Each;

impl<'de> Visitor<'de> for Each {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut all = Vec::new();
        while let Some(member) = map.next_entry()? {
            all.push(member);
        }
        Ok(Members(all))
    }
}

/// The members of a text that is an object.
#[must_use]
pub fn read(text: &str) -> Option<Members<'_>> {
    serde_json::from_str(text).ok()
}

/// Where a value stands in the text that it was read from.
#[must_use]
pub fn place(text: &str, value: &RawValue) -> Range<usize> {
    let start = value.get().as_ptr() as usize - text.as_ptr() as usize;
    start..start + value.get().len()
}

/// Whether serde may refuse what is JSON all the same: brackets that could stand deeper than it goes, and escapes that could be halves of
/// surrogate pairs ([RFC 8259 §8.2](https://www.rfc-editor.org/rfc/rfc8259#section-8.2)).
#[must_use]
pub fn is_odd(text: &[u8]) -> bool {
    is_deep(text) || memchr::memmem::find(&text.to_ascii_lowercase(), b"\\ud").is_some()
}

/// Whether brackets could stand deeper than any reader goes.
#[must_use]
pub fn is_deep(text: &[u8]) -> bool {
    text.iter()
        .filter(|byte| matches!(byte, b'[' | b'{'))
        .count()
        > 100
}
