//! Which headers travel: the client's to the upstream, the upstream's to the client.
//!
//! Not upstream: what belongs to the connection ([RFC 9110 §7.6.1](https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1)), the four credential headers and those that say
//! which account of the client's they mean (but for a backend of `passthrough`), cookies, and what would tell a provider who the client is or where the request came through
//! (`X-Forwarded-*`, `Forwarded`, `X-Real-IP`, `Via`), nor `Origin`: which pages may call is decided here, and upstreams refuse pages that they do not know. Not to the
//! client: cookies, transport advice and CORS of another origin.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::state::backend::{Backend, CREDENTIAL_HEADERS, Credential};
use crate::state::dialect;
use crate::upstream::hop;

/// Whether a client's header stays here, whatever the backend.
fn stays(name: &HeaderName) -> bool {
    let text = name.as_str();
    // By the first letter: it is asked of every header of every request.
    match text.as_bytes().first() {
        Some(b'x') => {
            text.starts_with("x-dragoman-")
                || text.starts_with("x-forwarded-")
                || text == "x-real-ip"
                // Some servers do what these say instead of what was asked, and judged, here.
                || matches!(
                    text,
                    "x-http-method"
                        | "x-http-method-override"
                        | "x-method-override"
                        | "x-original-url"
                        | "x-rewrite-url"
                )
        }
        Some(b'a') => text == "accept-encoding" || text.starts_with("access-control-request-"),
        Some(b'c') => matches!(text, "content-length" | "cookie") || hop::is_hop_by_hop(name),
        Some(b'e') => text == "expect",
        Some(b'f') => text == "forwarded",
        Some(b'h') => matches!(text, "host" | "http2-settings"),
        Some(b'o') => text == "origin",
        Some(b'v') => text == "via",
        _ => hop::is_hop_by_hop(name),
    }
}

/// Whether a client's header says for which account its own key is used. Beside ours it would choose among accounts of ours, or be
/// refused with it: clients send it with every request once their environment names an account.
fn is_account(name: &HeaderName) -> bool {
    let text = name.as_str();
    match text.as_bytes().first() {
        Some(b'o') => matches!(
            text,
            "openai-organization" | "openai-project" | "ocp-apim-subscription-key"
        ),
        // What a signature of the client's consists of besides `authorization`.
        Some(b'x') => matches!(
            text,
            "x-amz-security-token" | "x-amz-date" | "x-amz-content-sha256" | "x-goog-user-project"
        ),
        _ => false,
    }
}

/// Headers that `Connection` lists, which go no further either.
fn listed(headers: &HeaderMap) -> Option<Vec<HeaderName>> {
    let values = headers.get_all(header::CONNECTION);
    let names = values
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    let mut listed = Vec::new();
    for name in names.map(str::trim) {
        if !name.eq_ignore_ascii_case("keep-alive")
            && !name.eq_ignore_ascii_case("close")
            && let Ok(name) = name.parse()
        {
            listed.push(name);
        }
    }
    (!listed.is_empty()).then_some(listed)
}

/// What goes upstream of a client's headers, with the backend's own.
///
/// `looks_into`: the reply will be read here, so that it must come unencoded.
pub(crate) fn upstream(mut headers: HeaderMap, backend: &Backend, looks_into: bool) -> HeaderMap {
    let listed = listed(&headers);
    let passthrough = matches!(backend.credential, Credential::Passthrough);
    let encodings = match headers.get(header::ACCEPT_ENCODING) {
        Some(encodings) if !looks_into => encodings.clone(),
        _ => HeaderValue::from_static("identity"),
    };
    let withheld = |name: &&HeaderName| {
        stays(name)
            || (!passthrough && (CREDENTIAL_HEADERS.contains(name) || is_account(name)))
            || listed.as_ref().is_some_and(|listed| listed.contains(name))
    };
    // Taken out where they stand: those that go on are the most, and are not touched.
    for name in headers.keys().filter(withheld).cloned().collect::<Vec<_>>() {
        headers.remove(name);
    }
    headers.insert(header::ACCEPT_ENCODING, encodings);
    if let Credential::Key(name, key) = &backend.credential {
        headers.insert(name.clone(), key.clone());
    }
    for (name, value) in &backend.headers {
        headers.insert(name.clone(), value.clone());
    }
    dialect::needs(backend.dialect, &mut headers);
    headers
}

/// The same for a backend of another dialect than the client's: what a client says in its own dialect's headers (versions, betas, what
/// its SDK is) means nothing there, and would mislead.
pub(crate) fn foreign(mut headers: HeaderMap, backend: &Backend) -> HeaderMap {
    const OF_DIALECTS: [&str; 8] = [
        "amz-sdk-",
        "anthropic-",
        "openai-",
        "x-amz-",
        "x-amzn-",
        "x-goog-",
        "x-ms-",
        "x-stainless-",
    ];
    let own = |name: &&HeaderName| {
        let is_of_dialect = |prefix: &str| name.as_str().starts_with(prefix);
        **name == header::ACCEPT
            || **name == header::CONTENT_TYPE
            || (OF_DIALECTS.iter().any(|prefix| is_of_dialect(prefix))
                && !CREDENTIAL_HEADERS.contains(name))
    };
    for name in headers.keys().filter(own).cloned().collect::<Vec<_>>() {
        headers.remove(name);
    }
    let json = HeaderValue::from_static("application/json");
    headers.insert(header::CONTENT_TYPE, json);
    upstream(headers, backend, true)
}

/// Whether an upstream's header is not the client's business: it speaks of the upstream's own origin, or decides for browsers what the
/// route's `cors` decides here. (An upstream that admits every page would open the route to pages that no policy knows of.)
fn is_of_origin(name: &HeaderName) -> bool {
    let text = name.as_str();
    match text.as_bytes().first() {
        Some(b'a') => *name == header::ALT_SVC || text.starts_with("access-control-"),
        Some(b's') => *name == header::SET_COOKIE || *name == header::STRICT_TRANSPORT_SECURITY,
        _ => false,
    }
}

/// Takes out of an upstream's headers what is not the client's business. Hop-by-hop ones are gone already.
pub(crate) fn downstream(headers: &mut HeaderMap) {
    // A look at each header costs less than a search for each name, and few replies have one of them.
    while let Some(name) = headers.keys().find(|name| is_of_origin(name)).cloned() {
        headers.remove(name);
    }
}

/// The same of an error's headers, which say no secret of ours either.
pub(crate) fn downstream_of_error(headers: &mut HeaderMap, backend: &Backend) {
    downstream(headers);
    for value in headers.values_mut() {
        let masked = backend.masked(Bytes::copy_from_slice(value.as_bytes()));
        if masked != value.as_bytes() {
            // Of a header's value, nothing is left that no header could hold.
            *value = HeaderValue::from_maybe_shared(masked).unwrap_or(HeaderValue::from_static(""));
        }
    }
}
