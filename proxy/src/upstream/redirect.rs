//! Whether and where to a redirect is followed: [RFC 9110 §15.4](https://www.rfc-editor.org/rfc/rfc9110#section-15.4).
//!
//! Method and body stay what they are. (The RFC lets a client turn a POST into a GET upon 301 and 302; a prompt sent as GET would only fail.)

use http::{HeaderMap, HeaderName, Method, StatusCode, header, uri::PathAndQuery};

use super::endpoint::Endpoint;

/// How many redirects one request follows.
pub const MAX_HOPS: usize = 5;

/// Where a redirect leads.
#[derive(Debug, PartialEq, Eq)]
pub struct Target {
    /// The origin, without a base path.
    pub endpoint: Endpoint,
    /// The whole path.
    pub path: PathAndQuery,
    /// Whether the origin is another, which must not be told any credential.
    pub new_origin: bool,
}

/// Why a redirect is not followed. The upstream's fault; a retry leads nowhere else. Where it leads is not quoted: what an upstream says there may be anything, a
/// key of ours too, and this goes into the log and into status.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// One too many.
    #[error("it redirects more than {MAX_HOPS} times")]
    TooMany,
    /// It leads nowhere.
    #[error("it redirects to what is no URL that can be called")]
    Location,
    /// From TLS into the clear, where anybody could read the request's body.
    #[error("it redirects from https to http, which is not encrypted")]
    Downgrade,
}

/// Where a reply to a request of `method` for `path` at `from` redirects to; `None` if it is to be passed on as it is.
/// `hops` redirects have been followed before.
///
/// # Errors
/// [`Refused`] says why it must not be followed.
pub fn target(
    method: &Method,
    from: &Endpoint,
    path: &PathAndQuery,
    status: StatusCode,
    headers: &HeaderMap,
    hops: usize,
) -> Result<Option<Target>, Refused> {
    let follows = match status.as_u16() {
        301 | 302 | 307 | 308 => true,
        // "See other" asks for a GET of something else.
        303 => matches!(*method, Method::GET | Method::HEAD),
        _ => false,
    };
    let (true, Some(location)) = (follows, headers.get(header::LOCATION)) else {
        return Ok(None);
    };
    if hops >= MAX_HOPS {
        return Err(Refused::TooMany);
    }
    let text = location.to_str().map_err(|_| Refused::Location)?;
    let url = resolve(from, path, text.split('#').next().unwrap_or_default());
    let (endpoint, path) = Endpoint::origin_and_path(&url).map_err(|_| Refused::Location)?;
    if from.tls() && !endpoint.tls() {
        return Err(Refused::Downgrade);
    }
    let new_origin = !endpoint.same_origin(from);
    Ok(Some(Target {
        endpoint,
        path,
        new_origin,
    }))
}

/// Removes what only the first origin may know: the usual headers for credentials, and those in `also`.
pub fn drop_credentials(headers: &mut HeaderMap, also: &[HeaderName]) {
    for name in [
        header::AUTHORIZATION,
        header::COOKIE,
        header::PROXY_AUTHORIZATION,
    ] {
        headers.remove(name);
    }
    for name in [
        "x-api-key",
        "api-key",
        "x-goog-api-key",
        "ocp-apim-subscription-key",
        "x-amz-security-token",
    ] {
        headers.remove(name);
    }
    for name in also {
        headers.remove(name);
    }
}

/// A reference as an absolute URL: [RFC 3986 §5.2](https://www.rfc-editor.org/rfc/rfc3986#section-5.2).
fn resolve(from: &Endpoint, path: &PathAndQuery, reference: &str) -> String {
    let scheme = if from.tls() { "https" } else { "http" };
    let before_path = reference.split(['/', '?']).next().unwrap_or_default();
    if before_path.contains(':') {
        return reference.into();
    }
    if reference.starts_with("//") {
        return format!("{scheme}:{reference}");
    }
    let origin = format!("{scheme}://{}", from.authority());
    let (there, query) = match reference.split_once('?') {
        Some((there, query)) => (there, Some(query)),
        None => (reference, None),
    };
    let (joined, query) = if there.is_empty() {
        (path.path().to_owned(), query.or_else(|| path.query()))
    } else if there.starts_with('/') {
        (there.to_owned(), query)
    } else {
        let folder = path
            .path()
            .rsplit_once('/')
            .map_or("", |(folder, _)| folder);
        (format!("{folder}/{there}"), query)
    };
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    origin + &without_dots(&joined) + &query
}

/// Takes `.` and `..` out of a path.
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    for (index, segment) in segments.iter().enumerate() {
        let last = index + 1 == segments.len();
        match *segment {
            "." | ".." => {
                if *segment == ".." {
                    kept.pop();
                }
                if last {
                    kept.push("");
                }
            }
            other => kept.push(other),
        }
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(
        method: Method,
        status: u16,
        location: &'static str,
        hops: usize,
    ) -> Result<Option<Target>, Refused> {
        let from = Endpoint::parse("https://llm.example/v1").unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("location", location.parse().unwrap());
        let path = PathAndQuery::from_static("/v1/chat/completions?a=b");
        target(
            &method,
            &from,
            &path,
            StatusCode::from_u16(status).unwrap(),
            &headers,
            hops,
        )
    }

    fn leads(location: &'static str) -> (String, bool) {
        let target = decide(Method::POST, 307, location, 0).unwrap().unwrap();
        (target.endpoint.url(&target.path), target.new_origin)
    }

    #[test]
    fn a_post_follows_the_four_redirects_that_keep_it() {
        for status in [301, 302, 307, 308] {
            assert!(
                decide(Method::POST, status, "/v2", 0).unwrap().is_some(),
                "{status}"
            );
        }
        for status in [200, 201, 300, 303, 304, 305, 404] {
            assert_eq!(decide(Method::POST, status, "/v2", 0), Ok(None), "{status}");
        }
        assert!(decide(Method::GET, 303, "/v2", 0).unwrap().is_some());
    }

    #[test]
    fn references_of_every_form_are_resolved() {
        for (location, url) in [
            ("https://LLM.example/x?y#z", "https://llm.example/x?y"),
            ("//llm.example:443/x", "https://llm.example/x"),
            (
                "/v1/chat/completions/",
                "https://llm.example/v1/chat/completions/",
            ),
            ("completions/", "https://llm.example/v1/chat/completions/"),
            ("?c", "https://llm.example/v1/chat/completions?c"),
            ("", "https://llm.example/v1/chat/completions?a=b"),
            ("../x/./y/..", "https://llm.example/v1/x/"),
            ("/../../x", "https://llm.example/x"),
            ("/x:y", "https://llm.example/x:y"),
        ] {
            assert_eq!(leads(location), (url.to_owned(), false), "{location:?}");
        }
    }

    #[test]
    fn another_host_port_or_scheme_is_a_new_origin() {
        for location in [
            "https://other.example/v1",
            "https://llm.example:8443/v1",
            "//llm.example.evil/",
        ] {
            assert!(leads(location).1, "{location}");
        }
        let from = Endpoint::parse("http://llm").unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("location", "https://llm/".parse().unwrap());
        let path = PathAndQuery::from_static("/");
        let target = target(&Method::POST, &from, &path, StatusCode::FOUND, &headers, 0)
            .unwrap()
            .unwrap();
        assert!(target.new_origin);
    }

    #[test]
    fn what_must_not_be_followed_is_refused() {
        assert_eq!(
            decide(Method::POST, 308, "/v2", MAX_HOPS),
            Err(Refused::TooMany)
        );
        for location in [
            "ftp://a/",
            "https://",
            "https://u:p@llm.example/",
            "/a b",
            "javascript:1",
        ] {
            let decided = decide(Method::POST, 308, location, 0);
            assert_eq!(decided, Err(Refused::Location), "{location}");
        }
        assert_eq!(
            decide(Method::POST, 308, "http://llm.example/v1", 0),
            Err(Refused::Downgrade)
        );
    }

    #[test]
    fn every_credential_is_dropped_and_nothing_else() {
        let mut headers = HeaderMap::new();
        let names = [
            "authorization",
            "x-api-key",
            "api-key",
            "x-goog-api-key",
            "ocp-apim-subscription-key",
            "x-amz-security-token",
            "cookie",
            "x-own",
            "accept",
        ];
        for name in names {
            headers.append(name, "1".parse().unwrap());
            headers.append(name, "2".parse().unwrap());
        }
        drop_credentials(&mut headers, &[HeaderName::from_static("x-own")]);
        assert_eq!(headers.keys().collect::<Vec<_>>(), ["accept"]);
    }
}
