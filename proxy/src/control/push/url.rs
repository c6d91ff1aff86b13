//! The operator's URL: `https://host:port`, and nothing else.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use http::Uri;
use http::uri::Scheme;

/// The port of the operator's stream when a URL names none.
const HTTPS: u16 = 443;

/// Where an operator answers. There is no plaintext mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorUrl {
    /// Host name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// A text that is no operator's URL. The command line's fault, or the operator's own in a redirect.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no operator's URL; write it like https://operator.example:9443")]
pub struct BadUrl(pub String);

impl FromStr for OperatorUrl {
    type Err = BadUrl;

    fn from_str(text: &str) -> Result<Self, BadUrl> {
        let bad = || BadUrl(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| bad())?;
        let authority = uri
            .authority()
            .filter(|it| !it.as_str().contains('@'))
            .ok_or_else(bad)?;
        if uri.scheme() != Some(&Scheme::HTTPS) {
            return Err(bad());
        }
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        Ok(Self {
            host,
            port: authority.port_u16().unwrap_or(HTTPS),
        })
    }
}

impl fmt::Display for OperatorUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.parse::<IpAddr>() {
            Ok(IpAddr::V6(_)) => write!(f, "https://[{}]:{}", self.host, self.port),
            _ => write!(f, "https://{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_port_are_what_counts() {
        for (text, whole) in [
            (
                "https://operator.ns.svc:9443",
                "https://operator.ns.svc:9443",
            ),
            ("https://10.0.0.7:9443/v1/stream", "https://10.0.0.7:9443"),
            ("https://[fd00::7]:9443/", "https://[fd00::7]:9443"),
            ("https://operator", "https://operator:443"),
        ] {
            assert_eq!(text.parse::<OperatorUrl>().unwrap().to_string(), whole);
        }
    }

    #[test]
    fn plaintext_and_nonsense_are_refused() {
        for text in [
            "http://operator",
            "operator:9443",
            "/v1/stream",
            "",
            "https://u:p@operator",
        ] {
            assert_eq!(text.parse::<OperatorUrl>(), Err(BadUrl(text.into())));
        }
    }
}
