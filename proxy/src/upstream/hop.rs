//! Headers that belong to one connection and never travel past it: [RFC 9110 §7.6.1](https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1).

use http::{HeaderMap, HeaderName, header};

/// Whether a header speaks of the connection or of the framing on it, whatever `Connection` lists.
pub fn is_hop_by_hop(name: &HeaderName) -> bool {
    let text = name.as_str();
    // The first letter tells most apart: it is asked of every header that passes.
    matches!(
        text.as_bytes().first(),
        Some(b'c' | b'k' | b'p' | b't' | b'u')
    ) && matches!(
        text,
        "connection"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// Removes every hop-by-hop header, and those that `Connection` lists. `Content-Length` stays: it says how long the content is.
pub fn strip(headers: &mut HeaderMap) {
    if headers.contains_key(header::CONNECTION) {
        let listed: Vec<HeaderName> = headers
            .get_all(header::CONNECTION)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|name| name.trim().parse().ok())
            // Framing is decided by now, and end-to-end headers are no business of a connection.
            .filter(|name| *name != header::CONTENT_LENGTH && *name != header::HOST)
            .collect();
        for name in listed {
            headers.remove(name);
        }
        headers.remove(header::CONNECTION);
    }
    // A look at each header costs less than a search for each name, and few replies have one of them.
    while let Some(name) = headers.keys().find(|name| is_hop_by_hop(name)).cloned() {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn what_connection_lists_goes_with_it() {
        let mut headers = map(&[
            ("connection", "close, X-Mine"),
            ("x-mine", "1"),
            ("x-other", "2"),
        ]);
        strip(&mut headers);
        assert_eq!(headers, map(&[("x-other", "2")]));
    }

    #[test]
    fn a_listed_content_length_or_host_stays() {
        let mut headers = map(&[
            ("connection", "content-length, host"),
            ("content-length", "3"),
            ("host", "a"),
        ]);
        strip(&mut headers);
        assert_eq!(headers, map(&[("content-length", "3"), ("host", "a")]));
    }

    #[test]
    fn every_header_of_the_list_is_known_as_one() {
        for name in [
            "connection",
            "keep-alive",
            "te",
            "transfer-encoding",
            "upgrade",
            "trailer",
        ] {
            assert!(is_hop_by_hop(&name.parse().unwrap()), "{name}");
        }
        assert!(!is_hop_by_hop(&header::CONTENT_TYPE));
    }
}
