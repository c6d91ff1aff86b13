//! Base URLs of upstreams.

use std::net::Ipv6Addr;

use crate::UpstreamUrl;

/// A base URL that cannot be used. The manifest's fault.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadUrl {
    #[error("{0:?} must begin with http:// or https://")]
    Scheme(String),
    #[error("{0:?} names no host; write it like http://vllm.models.svc:8000/v1")]
    Host(String),
    #[error("{0:?} has no port between 1 and 65535 after its colon")]
    Port(String),
    #[error("a base URL has no user, query or fragment: keys belong in spec.credential")]
    Extra,
    #[error("its path holds more than visible ASCII characters; write others as %xx")]
    Path,
}

/// Takes a base URL apart.
pub(crate) fn parse(url: &str) -> Result<UpstreamUrl, BadUrl> {
    if url.contains('?') {
        return Err(BadUrl::Extra);
    }
    let mut parsed = parse_whole(url)?;
    parsed
        .path
        .truncate(parsed.path.trim_end_matches('/').len());
    Ok(parsed)
}

/// Takes the address of one resource apart: its path stays as it is, with the query.
pub(crate) fn parse_whole(url: &str) -> Result<UpstreamUrl, BadUrl> {
    let (tls, rest) = if let Some(rest) = url.strip_prefix("https://") {
        (true, rest)
    } else if let Some(rest) = url.strip_prefix("http://") {
        (false, rest)
    } else {
        return Err(BadUrl::Scheme(url.to_owned()));
    };
    let (authority, path) = match rest.find(['/', '?', '#']) {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    if authority.contains('@') || path.contains('#') {
        return Err(BadUrl::Extra);
    }
    // Whoever writes a request line needs its path to be one word.
    if !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(BadUrl::Path);
    }
    let slash = if path.starts_with('?') { "/" } else { "" };
    let (host, port) = if let Some(inner) = authority.strip_prefix('[') {
        let (host, after) = inner
            .split_once(']')
            .ok_or_else(|| BadUrl::Host(url.to_owned()))?;
        host.parse::<Ipv6Addr>()
            .map_err(|_| BadUrl::Host(url.to_owned()))?;
        (
            host,
            after
                .strip_prefix(':')
                .or((!after.is_empty()).then_some("")),
        )
    } else {
        match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        }
    };
    let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | ':');
    if host.is_empty() || !host.chars().all(named) {
        return Err(BadUrl::Host(url.to_owned()));
    }
    let port = match port {
        None => {
            if tls {
                443
            } else {
                80
            }
        }
        Some(port) => port
            .parse()
            .ok()
            .filter(|port| *port > 0)
            .ok_or_else(|| BadUrl::Port(url.to_owned()))?,
    };
    Ok(UpstreamUrl {
        tls,
        host: host.to_ascii_lowercase(),
        port,
        path: format!("{slash}{path}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_reads_as_it_is_written() {
        for (url, same) in [
            (
                "http://vllm.models.svc:8000/v1/",
                "http://vllm.models.svc:8000/v1",
            ),
            ("https://api.openai.com:443/v1", "https://api.openai.com/v1"),
            ("http://[::1]:9000", "http://[::1]:9000"),
            ("http://Host", "http://host"),
        ] {
            assert_eq!(parse(url).unwrap().to_string(), same);
        }
    }

    #[test]
    fn the_address_of_one_resource_keeps_its_path_and_query() {
        for (url, path) in [
            ("https://issuer/keys?version=2", "/keys?version=2"),
            ("https://issuer/keys/", "/keys/"),
            ("https://issuer?a=b@c", "/?a=b@c"),
            ("https://issuer", ""),
        ] {
            assert_eq!(parse_whole(url).unwrap().path, path);
        }
        assert!(matches!(
            parse_whole("https://key@issuer/"),
            Err(BadUrl::Extra)
        ));
        assert!(matches!(
            parse_whole("https://issuer/#a"),
            Err(BadUrl::Extra)
        ));
        assert!(matches!(
            parse_whole("https://issuer/a b"),
            Err(BadUrl::Path)
        ));
    }

    #[test]
    fn what_leads_nowhere_is_refused_with_its_cure() {
        assert!(matches!(parse("ftp://x"), Err(BadUrl::Scheme(_))));
        assert!(matches!(parse("http://"), Err(BadUrl::Host(_))));
        assert!(matches!(parse("http://a b/"), Err(BadUrl::Host(_))));
        assert!(matches!(parse("http://x:0"), Err(BadUrl::Port(_))));
        assert!(matches!(parse("http://x:99999"), Err(BadUrl::Port(_))));
        assert!(matches!(parse("http://key@x"), Err(BadUrl::Extra)));
        assert!(matches!(parse("http://x?key=1"), Err(BadUrl::Extra)));
    }
}
