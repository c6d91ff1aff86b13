//! Where a URL leads: scheme, host, port and base path.

use http::{
    Uri,
    uri::{Authority, PathAndQuery},
};

/// An upstream's origin and base path, from the URL that a vendor's own SDK takes as its base URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    tls: bool,
    host: String,
    port: u16,
    authority: Authority,
    base_path: String,
}

/// Why a URL leads nowhere. The fault of whoever wrote it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadUrl {
    /// Not an absolute URL.
    #[error("{0:?} is no absolute URL")]
    Malformed(String),
    /// Neither http nor https.
    #[error("the scheme of {0:?} is neither http nor https")]
    Scheme(String),
    /// It carries a user or password, which would end up in logs.
    #[error("a URL must not hold a user name or password")]
    UserInfo,
    /// A base URL with a query.
    #[error("a base URL must not hold a query: {0:?}")]
    Query(String),
}

impl Endpoint {
    /// Reads a base URL. Without a port it is 80 or 443; a trailing slash makes no difference.
    ///
    /// # Errors
    /// [`BadUrl`] says what is wrong with it.
    pub fn parse(url: &str) -> Result<Self, BadUrl> {
        let uri: Uri = url.parse().map_err(|_| BadUrl::Malformed(url.into()))?;
        if uri.query().is_some() {
            return Err(BadUrl::Query(url.into()));
        }
        let (mut endpoint, path) = Self::split(&uri, url)?;
        endpoint.base_path = path.as_str().trim_end_matches('/').into();
        Ok(endpoint)
    }

    /// Splits an absolute URL into its origin, with no base path, and the rest.
    ///
    /// # Errors
    /// [`BadUrl`] says what is wrong with it.
    pub fn origin_and_path(url: &str) -> Result<(Self, PathAndQuery), BadUrl> {
        let uri: Uri = url.parse().map_err(|_| BadUrl::Malformed(url.into()))?;
        Self::split(&uri, url)
    }

    fn split(uri: &Uri, url: &str) -> Result<(Self, PathAndQuery), BadUrl> {
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            Some(_) => return Err(BadUrl::Scheme(url.into())),
            None => return Err(BadUrl::Malformed(url.into())),
        };
        let authority = uri
            .authority()
            .ok_or_else(|| BadUrl::Malformed(url.into()))?;
        if authority.as_str().contains('@') {
            return Err(BadUrl::UserInfo);
        }
        let host = authority.host().to_ascii_lowercase();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let colon = authority
            .as_str()
            .rsplit(']')
            .next()
            .and_then(|rest| rest.split_once(':'));
        let port = match (colon, authority.port_u16()) {
            (Some((_, "")) | None, _) => {
                if tls {
                    443
                } else {
                    80
                }
            }
            (_, Some(port)) if port != 0 => port,
            _ => return Err(BadUrl::Malformed(url.into())),
        };
        if host.is_empty() {
            return Err(BadUrl::Malformed(url.into()));
        }
        let shown = authority_of(tls, host, port);
        let endpoint = Endpoint {
            tls,
            host: host.into(),
            port,
            authority: shown.parse().map_err(|_| BadUrl::Malformed(url.into()))?,
            base_path: String::new(),
        };
        let path = uri
            .path_and_query()
            .cloned()
            .unwrap_or(PathAndQuery::from_static("/"));
        Ok((endpoint, path))
    }

    /// A path below the base path, as sent: `join("/chat/completions")` under `http://vllm:8000/v1` is `/v1/chat/completions`.
    ///
    /// # Errors
    /// [`BadUrl::Malformed`] if `path` (with its query) does not begin with `/` or holds what a path cannot.
    pub fn join(&self, path: &str) -> Result<PathAndQuery, BadUrl> {
        let malformed = || BadUrl::Malformed(path.into());
        if !path.starts_with('/') {
            return Err(malformed());
        }
        let mut joined = String::with_capacity(self.base_path.len() + path.len());
        joined.push_str(&self.base_path);
        joined.push_str(path);
        PathAndQuery::from_maybe_shared(bytes::Bytes::from(joined)).map_err(|_| malformed())
    }

    /// The base path itself, as sent.
    #[must_use]
    pub fn root(&self) -> PathAndQuery {
        let path = bytes::Bytes::from(self.base_path.clone());
        PathAndQuery::from_maybe_shared(path)
            .ok()
            .filter(|path| path.as_str().starts_with('/'))
            .unwrap_or_else(|| PathAndQuery::from_static("/"))
    }

    /// Whether it is spoken to in TLS.
    pub fn tls(&self) -> bool {
        self.tls
    }

    /// The name or address, in lower case, an IPv6 address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What stands in `Host`: the port only where it is not the scheme's own.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The base path, without a slash at its end; empty for the root.
    pub fn base_path(&self) -> &str {
        &self.base_path
    }

    /// Whether scheme, host and port are the same: what decides whether a credential may follow a redirect.
    pub fn same_origin(&self, other: &Endpoint) -> bool {
        (self.tls, &self.host, self.port) == (other.tls, &other.host, other.port)
    }

    /// The URL of a path on this origin, for logs.
    pub fn url(&self, path: &PathAndQuery) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}{path}", self.authority)
    }
}

fn authority_of(tls: bool, host: &str, port: u16) -> String {
    let bracketed = if host.contains(':') {
        format!("[{host}]")
    } else {
        host.into()
    };
    if port == if tls { 443 } else { 80 } {
        bracketed
    } else {
        format!("{bracketed}:{port}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_is_split() {
        let endpoint = Endpoint::parse("http://vLLM.models.svc:8000/v1/").unwrap();
        assert_eq!(
            (endpoint.tls(), endpoint.host(), endpoint.port()),
            (false, "vllm.models.svc", 8000)
        );
        assert_eq!(endpoint.authority(), "vllm.models.svc:8000");
        assert_eq!(
            endpoint.join("/chat/completions?a=b").unwrap(),
            "/v1/chat/completions?a=b"
        );
    }

    #[test]
    fn the_schemes_own_port_is_not_sent() {
        for url in [
            "https://api.openai.com/v1",
            "https://api.openai.com:443/v1",
            "https://api.openai.com:/v1",
        ] {
            let endpoint = Endpoint::parse(url).unwrap();
            assert_eq!(
                (endpoint.authority().as_str(), endpoint.port()),
                ("api.openai.com", 443),
                "{url}"
            );
        }
    }

    #[test]
    fn an_address_of_either_family_is_a_host() {
        let endpoint = Endpoint::parse("http://[::1]:11434").unwrap();
        assert_eq!(
            (endpoint.host(), endpoint.authority().as_str()),
            ("::1", "[::1]:11434")
        );
        assert_eq!(endpoint.join("/api/tags").unwrap(), "/api/tags");
        assert_eq!(Endpoint::parse("http://[::1]").unwrap().port(), 80);
        assert_eq!(
            Endpoint::parse("http://10.0.0.1").unwrap().authority(),
            "10.0.0.1"
        );
    }

    #[test]
    fn what_leads_nowhere_is_refused() {
        for url in [
            "",
            "vllm",
            "/v1",
            "ftp://a",
            "http://",
            "http://u:p@a/",
            "http://a/?b",
            "http://a:0/",
            "http://a:99999/",
            "unix:/a",
        ] {
            assert!(Endpoint::parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_path_cannot_leave_the_origin() {
        let endpoint = Endpoint::parse("http://a").unwrap();
        for path in ["", "@b/", "x", "/a b", "/a\r\nb"] {
            assert!(endpoint.join(path).is_err(), "{path:?}");
        }
    }
}
