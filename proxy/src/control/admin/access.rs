//! Who may use the APIs of the admin server.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use http::{HeaderMap, Uri, header};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// The environment variable that holds the token.
pub const ADMIN_TOKEN: &str = "DRAGOMAN_ADMIN_TOKEN";

/// What a request must bring.
#[derive(Debug)]
pub(super) enum Access {
    /// Nothing: only this machine reaches it.
    Loopback,
    /// The token with this SHA-256.
    Token([u8; 32]),
    /// Nobody has said a token.
    Closed,
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// 401: no token, or another.
    Token,
    /// 403: there is no token that would do.
    Closed,
    /// 403: a page of another site asks, by a name that it made lead here.
    Name,
    /// 429: too many tokens were refused; this long.
    Wait(Duration),
}

impl Refused {
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Token => "this needs the admin token as Authorization: Bearer\n",
            Self::Closed => {
                "this needs an admin token, and none is set: set DRAGOMAN_ADMIN_TOKEN, or bind --admin to a loopback address\n"
            }
            Self::Name => "without an admin token, ask by an address or as localhost\n",
            Self::Wait(_) => "too many tokens were refused; wait as long as Retry-After says\n",
        }
    }
}

impl Access {
    /// Of a server at `address`. An empty token is none.
    pub(super) fn new(address: SocketAddr, token: Option<&str>) -> Self {
        match token.map(str::trim).filter(|token| !token.is_empty()) {
            _ if address.ip().to_canonical().is_loopback() => Self::Loopback,
            Some(token) => Self::Token(Sha256::digest(token).into()),
            None => Self::Closed,
        }
    }

    /// Whether a token decides, and the request brings one.
    pub(super) fn takes_a_token(&self, headers: &HeaderMap) -> bool {
        matches!(self, Self::Token(_)) && bearer(headers).is_some_and(|token| !token.is_empty())
    }

    /// Why a request with these headers is refused.
    pub(super) fn refuse(&self, headers: &HeaderMap) -> Option<Refused> {
        match self {
            Self::Loopback => (!names_this_machine(headers)).then_some(Refused::Name),
            Self::Closed => Some(Refused::Closed),
            Self::Token(token) => {
                let brought = Sha256::digest(bearer(headers).unwrap_or_default());
                let same: bool = token.ct_eq(&<[u8; 32]>::from(brought)).into();
                (!same).then_some(Refused::Token)
            }
        }
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Whether `Host` is an address or `localhost`: a browser that was led here by another name (DNS rebinding) says that name.
fn names_this_machine(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST) else {
        return true;
    };
    let uri = host.to_str().ok().and_then(|host| host.parse::<Uri>().ok());
    let Some(host) = uri.as_ref().and_then(Uri::host) else {
        return false;
    };
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn refused(
        address: &str,
        token: Option<&str>,
        header: Option<(HeaderName, &'static str)>,
    ) -> Option<Refused> {
        let headers = header.map(|(name, value)| (name, HeaderValue::from_static(value)));
        let access = Access::new(address.parse().unwrap(), token);
        access.refuse(&HeaderMap::from_iter(headers))
    }

    fn with(value: &'static str) -> Option<(HeaderName, &'static str)> {
        Some((header::AUTHORIZATION, value))
    }

    #[test]
    fn beyond_loopback_the_token_opens_and_nothing_else_does() {
        for (value, verdict) in [
            (with("Bearer s3cret"), None),
            (with("bearer  s3cret"), None),
            (with("Bearer s3cre"), Some(Refused::Token)),
            (with("Bearer s3crett"), Some(Refused::Token)),
            (with("Bearer "), Some(Refused::Token)),
            (with("s3cret"), Some(Refused::Token)),
            (with("Basic s3cret"), Some(Refused::Token)),
            (None, Some(Refused::Token)),
        ] {
            assert_eq!(
                refused("0.0.0.0:9090", Some("s3cret\n"), value.clone()),
                verdict,
                "{value:?}"
            );
        }
    }

    #[test]
    fn beyond_loopback_nothing_opens_where_no_token_is_set() {
        for token in [None, Some(""), Some(" \n")] {
            assert_eq!(
                refused("[::]:9090", token, with("Bearer ")),
                Some(Refused::Closed)
            );
        }
    }

    #[test]
    fn at_loopback_no_token_is_needed_but_no_other_name_than_its_own_leads_in() {
        let host = |host| Some((header::HOST, host));
        for address in ["127.0.0.1:9090", "[::1]:9090", "127.9.9.9:1"] {
            for name in [
                "127.0.0.1:9090",
                "localhost",
                "LOCALHOST:9090",
                "[::1]:9090",
                "10.0.0.1",
            ] {
                assert_eq!(refused(address, Some("s3cret"), host(name)), None, "{name}");
            }
            for name in [
                "evil.example",
                "localhost.evil.example:9090",
                "127.0.0.1.evil.example",
                "",
            ] {
                assert_eq!(
                    refused(address, None, host(name)),
                    Some(Refused::Name),
                    "{name}"
                );
            }
            assert_eq!(refused(address, None, None), None);
        }
    }
}
