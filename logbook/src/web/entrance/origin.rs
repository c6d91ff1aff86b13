//! Whose page a browser asks for.

use http::uri::Authority;
use http::{HeaderMap, Request, Uri, header};
use std::net::IpAddr;

/// Which host a request is for.
fn host<B>(request: &Request<B>) -> Option<Authority> {
    let named = |headers: &HeaderMap| headers.get(header::HOST)?.to_str().ok()?.parse().ok();
    let whole = request.uri().authority().cloned();
    whole.or_else(|| named(request.headers()))
}

/// Whether a page of this server asks; none where no browser says so.
pub(super) fn is_ours<B>(request: &Request<B>) -> Option<bool> {
    let headers = request.headers();
    if let Some(site) = headers.get("sec-fetch-site") {
        // `none` is somebody who typed the address.
        return Some(site == "same-origin" || site == "none");
    }
    let origin = headers.get(header::ORIGIN)?;
    let origin: Option<Uri> = origin.to_str().ok().and_then(|origin| origin.parse().ok());
    let origin = origin.and_then(|origin| origin.into_parts().authority);
    Some(origin.is_some() && origin == host(request))
}

/// Whether another site's page led here.
pub(super) fn is_led_here<B>(request: &Request<B>) -> bool {
    request
        .headers()
        .get("sec-fetch-site")
        .is_some_and(|site| site == "cross-site" || site == "same-site")
}

/// Whether `Host` is an address or `localhost`, or is not said: a browser that was led here by another name (DNS rebinding) says that name.
pub(super) fn names_this_machine<B>(request: &Request<B>) -> bool {
    let Some(host) = host(request) else {
        return !request.headers().contains_key(header::HOST);
    };
    let host = host.host();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::builder().uri("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap()
    }

    #[test]
    fn a_page_of_another_origin_is_not_ours() {
        let ours = |headers: &[(&str, &str)]| is_ours(&request(headers));
        let host = ("host", "log.example:9090");
        assert_eq!(ours(&[host]), None);
        assert_eq!(
            ours(&[host, ("origin", "http://log.example:9090")]),
            Some(true)
        );
        assert_eq!(
            ours(&[host, ("origin", "https://LOG.example:9090")]),
            Some(true)
        );
        for other in [
            "http://log.example",
            "http://evil.example:9090",
            "http://log.example:9090.evil.example",
            "null",
            "",
        ] {
            assert_eq!(ours(&[host, ("origin", other)]), Some(false), "{other}");
        }
        for (site, verdict) in [
            ("same-origin", true),
            ("none", true),
            ("same-site", false),
            ("cross-site", false),
        ] {
            let headers = [
                host,
                ("origin", "http://log.example:9090"),
                ("sec-fetch-site", site),
            ];
            assert_eq!(ours(&headers), Some(verdict), "{site}");
        }
    }

    #[test]
    fn only_addresses_and_localhost_name_this_machine() {
        for name in [
            "127.0.0.1:9090",
            "localhost",
            "LOCALHOST:1",
            "[::1]:9090",
            "10.0.0.1",
        ] {
            assert!(names_this_machine(&request(&[("host", name)])), "{name}");
        }
        for name in [
            "evil.example",
            "localhost.evil.example:9090",
            "127.0.0.1.evil.example",
            "",
        ] {
            assert!(!names_this_machine(&request(&[("host", name)])), "{name}");
        }
        assert!(names_this_machine(&request(&[])));
    }
}
