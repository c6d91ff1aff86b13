//! What a request brings to say who sends it.

use http::{HeaderMap, HeaderName, header};

use crate::state::backend::CREDENTIAL_HEADERS;

/// The longest credential that is looked at, in bytes.
const LONGEST: usize = 16 << 10;

/// Some of the four headers in which credentials travel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Consumed(u8);

impl Consumed {
    pub(super) fn insert(&mut self, header: usize) {
        self.0 |= 1 << header;
    }

    /// Those of `others` too.
    pub fn add(&mut self, others: Self) {
        self.0 |= others.0;
    }

    /// Those that are not among `others`.
    #[must_use]
    pub fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// How many they are.
    #[must_use]
    pub fn count(self) -> u32 {
        self.0.count_ones()
    }

    /// Their names.
    pub fn names(self) -> impl Iterator<Item = &'static HeaderName> {
        let names = CREDENTIAL_HEADERS.iter().enumerate();
        names.filter_map(move |(at, name)| (self.0 & (1 << at) != 0).then_some(name))
    }

    /// Takes them out, every line of each.
    pub fn take_out_of(self, headers: &mut HeaderMap) {
        for name in self.names() {
            headers.remove(name);
        }
    }
}

/// A credential, or why there is none to look at, and the number of its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Brought<'h> {
    pub(super) header: usize,
    pub(super) credential: Result<&'h [u8], Unreadable>,
}

/// Why a credential cannot be looked at. The client's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// Nobody can say which line is meant, and an upstream might mean another than we.
    Twice,
    /// A scheme that names nobody here.
    Scheme,
    /// Longer than any credential.
    Long,
}

impl Unreadable {
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Twice => "a header with a credential stands there more than once",
            Self::Scheme => "the Authorization header must be `Bearer` and an API key",
            Self::Long => "the credential is longer than 16 KiB",
        }
    }
}

/// The credentials of a request, in the order in which they are tried. An empty header is an absent one.
pub(super) fn brought(headers: &HeaderMap) -> impl Iterator<Item = Brought<'_>> {
    let names = CREDENTIAL_HEADERS.iter().enumerate();
    names.filter_map(|(header, name)| {
        let lines = headers.get_all(name).iter();
        let mut lines = lines
            .map(|line| line.as_bytes().trim_ascii())
            .filter(|line| !line.is_empty());
        let line = lines.next()?;
        let credential = if lines.next().is_some() {
            Err(Unreadable::Twice)
        } else if *name == header::AUTHORIZATION {
            match bearer(line) {
                Some(b"") => return None,
                Some(credential) => Ok(credential),
                None => Err(Unreadable::Scheme),
            }
        } else {
            Ok(line)
        };
        let credential = credential.and_then(|credential| match credential.len() {
            0..=LONGEST => Ok(credential),
            _ => Err(Unreadable::Long),
        });
        Some(Brought { header, credential })
    })
}

/// What follows `Bearer`: [RFC 6750 §2.1](https://www.rfc-editor.org/rfc/rfc6750#section-2.1). The scheme's case does not matter.
fn bearer(line: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = line.split_at_checked(b"bearer".len())?;
    let separated = rest.first().is_none_or(u8::is_ascii_whitespace);
    (scheme.eq_ignore_ascii_case(b"bearer") && separated).then(|| rest.trim_ascii_start())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    fn told(lines: &[(&'static str, &'static str)]) -> Vec<Result<(usize, String), Unreadable>> {
        let headers = headers(lines);
        let told = brought(&headers).map(|brought| {
            let text = |credential: &[u8]| String::from_utf8(credential.to_vec()).unwrap();
            let credential = brought.credential;
            credential.map(|credential| (brought.header, text(credential)))
        });
        told.collect()
    }

    #[test]
    fn a_credential_may_stand_in_any_of_four_headers() {
        let all = told(&[
            ("x-goog-api-key", "d"),
            ("api-key", "c"),
            ("x-api-key", "b"),
            ("authorization", "Bearer a"),
        ]);
        let all: Vec<_> = all.into_iter().map(Result::unwrap).collect();
        let letters = ["a", "b", "c", "d"].map(str::to_owned);
        assert_eq!(all, letters.into_iter().enumerate().collect::<Vec<_>>());
    }

    #[test]
    fn the_schemes_case_and_spaces_do_not_matter() {
        for value in ["bearer a", "BEARER   a", " Bearer\ta "] {
            assert_eq!(told(&[("authorization", value)]), [Ok((0, "a".into()))]);
        }
    }

    #[test]
    fn an_empty_header_is_an_absent_one() {
        for value in ["", "  ", "Bearer", "Bearer ", "bearer\t "] {
            assert_eq!(told(&[("authorization", value)]), []);
        }
        assert_eq!(told(&[("x-api-key", " "), ("api-key", "")]), []);
        assert_eq!(told(&[("x-api-key", ""), ("x-api-key", "a")]).len(), 1);
    }

    #[test]
    fn other_schemes_are_no_credential_that_could_be_right() {
        for value in [
            "Basic YTpi",
            "a",
            "Bearera",
            "AWS4-HMAC-SHA256 Credential=a/b",
        ] {
            assert_eq!(told(&[("authorization", value)]), [Err(Unreadable::Scheme)]);
        }
    }

    #[test]
    fn two_lines_of_one_header_are_refused() {
        for name in ["authorization", "x-api-key", "api-key", "x-goog-api-key"] {
            let told = told(&[(name, "Bearer a"), (name, "Bearer a")]);
            assert_eq!(told, [Err(Unreadable::Twice)]);
        }
    }

    #[test]
    fn consumed_headers_go_and_others_stay() {
        let mut map = headers(&[("authorization", "a"), ("x-api-key", "b"), ("api-key", "c")]);
        let (mut consumed, mut others) = (Consumed::default(), Consumed::default());
        consumed.insert(0);
        others.insert(2);
        consumed.add(others);
        consumed.take_out_of(&mut map);
        let left: Vec<_> = map.keys().map(HeaderName::as_str).collect();
        assert_eq!(left, ["x-api-key"]);
    }
}
