//! The id of a request: a UUIDv7 that every reply carries and the log is keyed by.
//!
//! Source: [RFC 9562 §5.7](https://www.rfc-editor.org/rfc/rfc9562#section-5.7). The random part comes from the thread's own generator, so
//! that no two threads wait for each other.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderName, HeaderValue};
use rand::RngCore;
use uuid::Uuid;

/// The header that carries it.
pub static HEADER: HeaderName = HeaderName::from_static("x-dragoman-request-id");

/// One request's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId(Uuid);

impl RequestId {
    /// A new id, made of the time and 74 random bits.
    #[must_use]
    #[allow(
        clippy::new_without_default,
        reason = "no two are the same, so there is no default one"
    )]
    pub fn new() -> Self {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let mut random = [0; 10];
        rand::rng().fill_bytes(&mut random);
        let millis = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    /// An id that was given before. None where the text is none that [`RequestId::new`] made.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let id = Uuid::try_parse(text).ok()?;
        (text.len() == uuid::fmt::Hyphenated::LENGTH && id.get_version_num() == 7)
            .then_some(Self(id))
    }

    /// When it was made.
    #[must_use]
    pub fn made(self) -> Option<SystemTime> {
        let (seconds, nanos) = self.0.get_timestamp()?.to_unix();
        UNIX_EPOCH.checked_add(Duration::new(seconds, nanos))
    }

    /// The header's value.
    pub fn header(self) -> HeaderValue {
        let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
        let text = self.0.hyphenated().encode_lower(&mut text);
        HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
    }
}

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_uuid_of_version_7_and_never_the_same() {
        let (one, two) = (RequestId::new(), RequestId::new());
        assert_ne!(one, two);
        let text = one.header().to_str().unwrap().to_owned();
        assert_eq!(text, one.to_string());
        assert_eq!(text.parse::<Uuid>().unwrap().get_version_num(), 7);
    }

    #[test]
    fn an_id_is_read_back_with_its_time_and_nothing_else_is_one() {
        let before = SystemTime::now() - Duration::from_millis(1);
        let id = RequestId::new();
        assert_eq!(RequestId::parse(&id.to_string()), Some(id));
        assert!(id.made().unwrap() >= before);
        let version_4 = Uuid::from_u128(4 << 76 | 2 << 62).to_string();
        for text in [
            "",
            "chatcmpl-1",
            &version_4,
            &id.to_string().replace('-', ""),
        ] {
            assert_eq!(RequestId::parse(text), None, "{text}");
        }
    }
}
