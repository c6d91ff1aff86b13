//! An upstream's error as the client gets it: the same status, the reason in OpenAI's shape, `Retry-After` and request ids kept.

use std::borrow::Cow;

use std::time::Duration;

use bytes::Bytes;
use dragoman_crds::Dialect;
use dragoman_dialects::bedrock::error as error_of_bedrock;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use memchr::memmem;

use super::body::Body;
use super::error::{self, Blame, FAULT, Refusal, SHOULD_RETRY, bounded};
use super::headers;
use super::reply::{self, respond};
use super::translation::Ends;
use crate::json;
use crate::state::backend::Backend;
use crate::upstream::{Reply, ReplyBody};

/// The longest error body that is read.
const LONGEST: usize = 256 << 10;
/// How long a failed reply's body is waited for while another backend may answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How much of one that is not in OpenAI's shape is looked at…
const EXAMINED: usize = 16 << 10;
/// …and how much is quoted.
const QUOTED: usize = 2 << 10;

/// Passes an error on. A body in OpenAI's shape keeps its bytes; anything else is quoted in one.
pub(crate) async fn error(reply: Reply, backend: &Backend) -> Response<Body> {
    let Reply {
        status,
        mut headers,
        body,
        ..
    } = reply;
    headers::downstream_of_error(&mut headers, backend);
    let said = match body.collect(LONGEST).await {
        Ok(Some(body)) if !is_encoded(&headers) => body,
        _ => Bytes::new(),
    };
    let said = backend.masked(said);
    say_whose_fault(status, &mut headers, backend);
    if reply::is_json(&headers) && is_openais(&said) {
        if headers.get(header::CONTENT_LENGTH).is_some() {
            headers.insert(header::CONTENT_LENGTH, said.len().into());
        }
        return respond(status, headers, Body::whole(said));
    }
    let quoted = quote(status, &headers, &said);
    for name in [
        header::CONTENT_LENGTH,
        header::CONTENT_ENCODING,
        header::ETAG,
    ] {
        headers.remove(name);
    }
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    respond(status, headers, Body::whole(quoted.object().into()))
}

/// Passes an error on to a client of another dialect than OpenAI's, in its words. One in the client's own dialect keeps its bytes.
pub(crate) async fn in_dialect(
    reply: Reply,
    backend: &Backend,
    ends: Ends,
    request_id: &str,
) -> Response<Body> {
    let Reply {
        status,
        mut headers,
        body,
        ..
    } = reply;
    headers::downstream_of_error(&mut headers, backend);
    let said = match body.collect(LONGEST).await {
        Ok(Some(body)) if !is_encoded(&headers) => body,
        _ => Bytes::new(),
    };
    let said = backend.masked(said);
    say_whose_fault(status, &mut headers, backend);
    let is_json = reply::is_json(&headers) && said.starts_with(b"{");
    let quoted = quote(status, &headers, &said);
    for name in [
        header::CONTENT_LENGTH,
        header::CONTENT_ENCODING,
        header::ETAG,
    ] {
        headers.remove(name);
    }
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    if is_json && ends.client == ends.upstream {
        return respond(status, headers, Body::whole(said));
    }
    let mut failure = if is_json {
        let failure = ends.upstream.codec().read_error(status.as_u16(), &said);
        let named = headers.get(error_of_bedrock::TYPE);
        match named.and_then(|named| named.to_str().ok()) {
            Some(named) if backend.dialect == Dialect::Bedrock => {
                error_of_bedrock::named(failure, named)
            }
            _ => failure,
        }
    } else {
        quoted.failure()
    };
    failure.message = bounded(&failure.message, EXAMINED).to_owned();
    let (status, body) = ends.client.codec().write_error(&failure, request_id);
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    respond(status, headers, Body::whole(body.into()))
}

/// An error on a path that is relayed as it is: it keeps its shape, but says no secret of ours. One that is too long or encoded
/// for that is told in our words.
pub(crate) async fn relayed(mut reply: Reply, backend: &Backend) -> Response<Body> {
    if is_encoded(&reply.headers) {
        return error(reply, backend).await;
    }
    let said = match reply.body.collect(LONGEST).await {
        Ok(Some(said)) => backend.masked(said),
        _ => {
            reply.body = ReplyBody::held(Bytes::new());
            return error(reply, backend).await;
        }
    };
    headers::downstream_of_error(&mut reply.headers, backend);
    if reply.headers.contains_key(header::CONTENT_LENGTH) {
        reply
            .headers
            .insert(header::CONTENT_LENGTH, said.len().into());
    }
    respond(reply.status, reply.headers, Body::whole(said))
}

/// A failed reply that is kept while another backend is tried: its body has arrived, so that it takes up neither a connection
/// nor a place among the requests in flight. A body that is too long or too slow is left out.
pub(crate) async fn held(mut reply: Reply) -> Reply {
    let said = tokio::time::timeout(PATIENCE, reply.body.collect(LONGEST)).await;
    let said = match said {
        Ok(Ok(Some(said))) => said,
        _ => {
            reply.headers.remove(header::CONTENT_LENGTH);
            Bytes::new()
        }
    };
    reply.body = ReplyBody::held(said);
    reply
}

fn is_encoded(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_ENCODING)
        .is_some_and(|encoding| encoding != "identity")
}

/// Whether a body is what OpenAI's SDKs read: an object with an `error` that is one, and has a message.
fn is_openais(body: &[u8]) -> bool {
    let has_message = || {
        let text = std::str::from_utf8(body).ok()?;
        let error = json::scan(body, &["error"]).ok()?.get("error")?;
        json::read(text, &error, &["message"]).ok()?.get("message")
    };
    has_message().is_some()
}

fn say_whose_fault(status: StatusCode, headers: &mut HeaderMap, backend: &Backend) {
    let ours = backend.has_own_credential();
    let blame = match status.as_u16() {
        // The upstream refuses what this proxy was configured to send.
        401 | 403 if ours => Blame::Proxy,
        408 | 409 | 429 | 500.. => Blame::Upstream,
        _ => Blame::Client,
    };
    headers.insert(FAULT.clone(), HeaderValue::from_static(blame.as_str()));
    if !headers.contains_key(&SHOULD_RETRY) {
        let helps = matches!(status.as_u16(), 408 | 409 | 429 | 500..);
        headers.insert(SHOULD_RETRY.clone(), error::retry(helps));
    }
}

fn quote(status: StatusCode, headers: &HeaderMap, said: &[u8]) -> Refusal {
    let text = String::from_utf8_lossy(&said[..said.len().min(EXAMINED)]);
    let html = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"text/html"));
    let text = if html {
        Cow::Owned(without_tags(&text))
    } else {
        text
    };
    let text = text.trim();
    let message = if text.is_empty() {
        format!("The upstream answered {status}.")
    } else {
        format!("The upstream answered {status}: {}", bounded(text, QUOTED))
    };
    let blame = if status.is_server_error() || status.as_u16() == 429 {
        Blame::Upstream
    } else {
        Blame::Client
    };
    Refusal {
        blame,
        ..Refusal::client(status, code(status), message)
    }
}

fn code(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "invalid_api_key",
        404 => "not_found",
        429 => "rate_limit_exceeded",
        500.. => "upstream_error",
        _ => "upstream_refused",
    }
}

/// The words of a web page, without its markup.
fn without_tags(page: &str) -> String {
    let mut words = String::new();
    let mut rest = page;
    while let Some(open) = rest.find('<') {
        push_words(&mut words, &rest[..open]);
        let tag = &rest[open..];
        let inside = ["style", "script"].into_iter().find(|name| {
            tag[1..]
                .get(..name.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(name))
        });
        let end = match inside {
            Some(name) => find_end(tag, name),
            None => Some(0),
        };
        rest = match end.and_then(|end| tag[end..].find('>').map(|close| end + close + 1)) {
            Some(after) => &tag[after..],
            None => "",
        };
    }
    push_words(&mut words, rest);
    words
}

/// Where the end tag of `name` begins, in whatever case.
fn find_end(text: &str, name: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    memmem::find_iter(bytes, b"</").find(|at| {
        bytes[at + 2..]
            .get(..name.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()))
    })
}

fn push_words(words: &mut String, text: &str) {
    for word in text.split_whitespace() {
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openais_shape_is_known() {
        assert!(is_openais(br#"{"error":{"message":"x","type":"y"}}"#));
        for other in [
            r#"{"error":"x"}"#,
            r#"{"message":"x"}"#,
            "[]",
            "",
            "<html>",
            r#"{"error":{}}"#,
        ] {
            assert!(!is_openais(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn a_web_page_is_quoted_as_its_words() {
        let page = "<html><head><style>b {x}</style><title>502</title></head>\n<body> <h1>Bad\nGateway</h1></body></html>";
        assert_eq!(without_tags(page), "502 Bad Gateway");
        assert_eq!(without_tags("<STYLE>b</Style>c"), "c");
        assert_eq!(without_tags("a < b"), "a");
        assert_eq!(without_tags("<script>never ends"), "");
    }
}
