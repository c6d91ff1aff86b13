//! Fetches an issuer's keys.

use std::time::Duration;

use dragoman_config::UpstreamUrl;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use tokio::time::Instant;

use super::jwk::Keys;
use crate::upstream::{Cluster, Denied, Endpoint, Request, RequestBody, Settings, Timeouts};

/// The longest that a fetch may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest set that is read, in bytes.
const LONGEST: usize = 1 << 20;
/// How long a set is kept at least, at most, and where nothing is said of it.
pub(super) const SHORTEST: Duration = Duration::from_mins(1);
const LONGEST_KEPT: Duration = Duration::from_hours(24);
const USUAL: Duration = Duration::from_mins(5);

/// A set that was fetched, and how long it may be kept.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) keys: Keys,
    pub(super) lasts: Duration,
}

/// Asks for a set, at no address that `denied` denies. Redirects are not followed.
pub(super) async fn fetch(url: &UpstreamUrl, denied: Denied) -> Result<Fetched, String> {
    let (endpoint, path) =
        Endpoint::origin_and_path(&url.to_string()).map_err(|fault| fault.to_string())?;
    let mut settings = Settings::new(endpoint);
    settings.denied = denied;
    settings.timeouts = Timeouts {
        connect: PATIENCE / 2,
        first_byte: PATIENCE,
        idle: PATIENCE / 2,
        request: PATIENCE,
    };
    // Of its own for each fetch: those are minutes apart, and the name may have moved.
    let cluster = Cluster::new(settings).map_err(|fault| fault.to_string())?;
    let accept = "application/jwk-set+json, application/json";
    let agent = concat!("dragoman-proxy/", env!("CARGO_PKG_VERSION"));
    let request = Request {
        method: Method::GET,
        path,
        headers: HeaderMap::from_iter([
            (header::ACCEPT, HeaderValue::from_static(accept)),
            (
                header::ACCEPT_ENCODING,
                HeaderValue::from_static("identity"),
            ),
            (header::USER_AGENT, HeaderValue::from_static(agent)),
        ]),
        body: RequestBody::Empty,
    };
    let reply = cluster.send(request, Some(Instant::now() + PATIENCE)).await;
    let reply = reply.map_err(|fault| fault.to_string())?;
    if reply.status != StatusCode::OK {
        return Err(format!("it answers {}", reply.status));
    }
    let lasts = lasts(&reply.headers);
    let body = reply.body.collect(LONGEST).await;
    let body = body.map_err(|fault| fault.to_string())?;
    let body = body.ok_or("it is longer than 1 MiB")?;
    let keys = Keys::read(&body).map_err(|fault| fault.to_string())?;
    if keys.is_empty() {
        // Whoever signs has one: what was known before stands, as where nothing is answered.
        return Err("it holds no key that could verify a signature".into());
    }
    Ok(Fetched { keys, lasts })
}

/// How long a reply may be kept: [RFC 9111](https://www.rfc-editor.org/rfc/rfc9111#section-5.2.2), within our bounds.
fn lasts(headers: &HeaderMap) -> Duration {
    let directives = headers.get_all(header::CACHE_CONTROL).iter();
    let directives = directives.filter_map(|line| line.to_str().ok());
    let mut lasts = None;
    for directive in directives.flat_map(|line| line.split(',')) {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        let name = name.trim();
        if name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache") {
            return SHORTEST;
        }
        if name.eq_ignore_ascii_case("max-age") {
            let seconds = value.trim().trim_matches('"').parse().ok();
            lasts = lasts.or(seconds.map(Duration::from_secs));
        }
    }
    let age = headers.get(header::AGE).and_then(|age| age.to_str().ok());
    let age = age.and_then(|age| age.trim().parse().ok());
    let age = Duration::from_secs(age.unwrap_or(0));
    lasts.map_or(USUAL, |lasts| {
        lasts.saturating_sub(age).clamp(SHORTEST, LONGEST_KEPT)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_kept_as_long_as_it_says_within_our_bounds() {
        for (control, age, seconds) in [
            (None, None, 300),
            (Some("public, max-age=600"), None, 600),
            (Some("max-age=600, must-revalidate"), Some("200"), 400),
            (Some("Max-Age=\"900\""), None, 900),
            (Some("max-age=1"), None, 60),
            (Some("max-age=600"), Some("99999999999999999999"), 600),
            (Some("max-age=99999999"), None, 86_400),
            (Some("max-age=-1"), None, 300),
            (Some("max-age=x"), None, 300),
            (Some("no-store"), None, 60),
            (Some("max-age=600, no-cache"), None, 60),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in [(header::CACHE_CONTROL, control), (header::AGE, age)] {
                if let Some(value) = value {
                    headers.insert(name, value.parse().unwrap());
                }
            }
            assert_eq!(lasts(&headers), Duration::from_secs(seconds), "{control:?}");
        }
    }
}
