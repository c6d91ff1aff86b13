//! Versions of items: hashes of their content.
//!
//! Content may hold keys, so hashes are keyed: whoever sees one cannot test guesses of a key against it.

use std::fmt::{self, Write as _};

use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::Item;

/// The version of content for the proxy with this key: HMAC-SHA256 in hexadecimal.
#[must_use]
pub fn item_hash(proxy_key: &[u8; 32], canonical: &[u8]) -> String {
    // RFC 2104 §2: a key shorter than the hash's block is filled up with zeros.
    let mut block = [0; 64];
    block[..32].copy_from_slice(proxy_key);
    let mut mac = <Hmac<Sha256> as KeyInit>::new((&block).into());
    mac.update(canonical);
    hex(&mac.finalize().into_bytes())
}

/// The digest of a whole set of items, the same whatever the order in which it was built. Names count as they are written,
/// so that a proxy can follow which knows fewer kinds than its operator.
#[must_use]
pub fn digest<'a, N: fmt::Display>(items: impl Iterator<Item = (N, &'a str)>) -> String {
    let mut items: Vec<_> = items.map(|(name, hash)| (name.to_string(), hash)).collect();
    // Stable, since that sort is linear where runs are sorted already.
    items.sort();
    let mut digest = Sha256::new();
    for (name, hash) in items {
        digest.update(name);
        digest.update([0]);
        digest.update(hash);
        digest.update([0]);
    }
    hex(&digest.finalize()[..16])
}

/// An item as canonical JSON: members sorted, no white space.
pub(crate) fn canonical(item: &Item) -> Vec<u8> {
    let value = serde_json::to_value(item).unwrap_or_default();
    let mut out = Vec::with_capacity(512);
    write(&value, &mut out);
    out
}

fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            out.push(b'{');
            for (at, (name, member)) in members.into_iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                out.extend(Value::from(name.as_str()).to_string().bytes());
                out.push(b':');
                write(member, out);
            }
            out.push(b'}');
        }
        Value::Array(elements) => {
            out.push(b'[');
            for (at, element) in elements.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write(element, out);
            }
            out.push(b']');
        }
        scalar => out.extend(scalar.to_string().bytes()),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_members_does_not_change_the_canonical_form() {
        let mut one = Vec::new();
        let mut other = Vec::new();
        write(
            &serde_json::json!({"b": [1, {"d": 2, "c": null}], "a": "x"}),
            &mut one,
        );
        write(
            &serde_json::json!({"a": "x", "b": [1, {"c": null, "d": 2}]}),
            &mut other,
        );
        assert_eq!(one, other);
        assert_eq!(one, br#"{"a":"x","b":[1,{"c":null,"d":2}]}"#);
    }

    #[test]
    fn a_digest_is_the_same_whatever_the_order_of_the_items() {
        let items = [
            ("LLMRoute/n/a", "1"),
            ("Later/n/a", "2"),
            ("ModelMap/n/a", "3"),
        ];
        let mut turned = items;
        turned.reverse();
        assert_eq!(digest(items.into_iter()), digest(turned.into_iter()));
        assert_ne!(
            digest(items.into_iter()),
            digest(items[1..].iter().copied())
        );
    }

    #[test]
    fn two_proxies_see_different_hashes_of_the_same_content() {
        assert_ne!(item_hash(&[1; 32], b"x"), item_hash(&[2; 32], b"x"));
        assert_eq!(item_hash(&[1; 32], b"x").len(), 64);
    }
}
