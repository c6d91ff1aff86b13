//! The head of a reply: parsed by `httparse` in its strict form, then judged.

use std::mem::MaybeUninit;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use super::framing::{self, Framing};
use crate::upstream::hop;

/// The longest head that is read, status line included.
pub(crate) const MAX_HEAD: usize = 64 * 1024;
/// The most headers that a reply may have.
const MAX_HEADERS: usize = 128;

/// A final reply's head.
#[derive(Debug)]
pub(crate) struct Head {
    /// Never 1xx.
    pub(crate) status: StatusCode,
    /// End-to-end headers alone.
    pub(crate) headers: HeaderMap,
    /// Where the body ends.
    pub(crate) framing: Framing,
    /// Whether the connection may carry another request.
    pub(crate) keep_alive: bool,
}

/// What stands at the beginning of the bytes read so far.
#[derive(Debug)]
pub(crate) enum Parsed {
    /// Not yet a whole head.
    Partial,
    /// An interim (1xx) reply, which means nothing to us, and its length.
    Interim(usize),
    /// A final head, and its length.
    Final(Head, usize),
}

/// Parses the head of a reply to a request of `method`.
///
/// # Errors
/// What is wrong with it. The upstream's fault; the connection is of no further use.
pub(crate) fn parse(bytes: &[u8], method: &Method) -> Result<Parsed, String> {
    let mut storage = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut reply = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
        &mut reply,
        bytes,
        &mut storage,
    );
    let length = match parsed {
        Ok(httparse::Status::Complete(length)) if length <= MAX_HEAD => length,
        Ok(httparse::Status::Partial) if bytes.len() < MAX_HEAD => return Ok(Parsed::Partial),
        Ok(_) => return Err(format!("its head is longer than {MAX_HEAD} bytes")),
        Err(httparse::Error::TooManyHeaders) => {
            return Err(format!("it has more than {MAX_HEADERS} headers"));
        }
        Err(error) => return Err(error.to_string()),
    };
    let code = reply.code.unwrap_or_default();
    let status = StatusCode::from_u16(code).map_err(|_| format!("its status is {code}"))?;
    if status == StatusCode::SWITCHING_PROTOCOLS {
        return Err("it switches protocols, which nobody asked for".into());
    }
    if status.is_informational() {
        return Ok(Parsed::Interim(length));
    }
    if !(200..600).contains(&code) {
        return Err(format!("its status is {code}"));
    }
    let http_1_0 = reply.version == Some(0);
    let mut headers = collect(&bytes[..length], reply.headers)?;
    let framing = framing::decide(method, status, &headers, http_1_0)?;
    let keep_alive = framing != Framing::Close && persistent(&headers, http_1_0);
    hop::strip(&mut headers);
    check_length(&mut headers)?;
    Ok(Parsed::Final(
        Head {
            status,
            headers,
            framing,
            keep_alive,
        },
        length,
    ))
}

/// The headers, whose values share one copy of the block.
fn collect(block: &[u8], parsed: &[httparse::Header<'_>]) -> Result<HeaderMap, String> {
    let shared = Bytes::copy_from_slice(block);
    let mut headers = HeaderMap::with_capacity(parsed.len());
    for each in parsed {
        let name = HeaderName::from_bytes(each.name.as_bytes())
            .map_err(|_| format!("a header's name is {:?}", each.name))?;
        let value = if each.value.is_empty() {
            HeaderValue::from_static("")
        } else {
            let start = each.value.as_ptr().addr() - block.as_ptr().addr();
            HeaderValue::from_maybe_shared(shared.slice(start..start + each.value.len()))
                .map_err(|_| format!("the value of {name} has a control character"))?
        };
        headers.append(name, value);
    }
    Ok(headers)
}

/// Whether the connection outlives the reply: RFC 9112 §9.3.
fn persistent(headers: &HeaderMap, http_1_0: bool) -> bool {
    let has = |option: &str| {
        headers
            .get_all(header::CONNECTION)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|each| each.trim().eq_ignore_ascii_case(option))
    };
    if http_1_0 {
        has("keep-alive") && !has("close")
    } else {
        !has("close")
    }
}

/// Leaves one valid `Content-Length` where there is any, since a repeated one would go on repeated.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check_length(headers: &mut HeaderMap) -> Result<(), String> {
    if let Some(length) = framing::length(headers)? {
        let all = headers.get_all(header::CONTENT_LENGTH);
        if all.iter().count() > 1 || all.iter().any(|value| value.as_bytes().contains(&b',')) {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Result<Head, String> {
        match parse(text.as_bytes(), &Method::POST)? {
            Parsed::Final(head, length) => {
                assert_eq!(length, text.len());
                Ok(head)
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_plain_head_is_read() {
        let head =
            head("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b c \r\nx-e:\r\n\r\n").unwrap();
        assert_eq!(head.status, StatusCode::OK);
        assert_eq!(head.headers["x-a"], "b c");
        assert_eq!(head.headers["x-e"], "");
        assert_eq!(head.framing, Framing::Length(5));
        assert!(head.keep_alive);
    }

    #[test]
    fn hop_by_hop_headers_stay_here() {
        let head = head(
            "HTTP/1.1 200 OK\r\nConnection: keep-alive, x-a\r\nKeep-Alive: timeout=5\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        )
        .unwrap();
        assert!(head.headers.is_empty());
        assert!(head.keep_alive);
    }

    #[test]
    fn who_closes_is_believed() {
        let closes = |text: &str| !head(text).unwrap().keep_alive;
        assert!(closes(
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: Close\r\n\r\n"
        ));
        assert!(closes("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"));
        assert!(closes("HTTP/1.1 200 OK\r\n\r\n"));
        assert!(!closes(
            "HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n"
        ));
    }

    #[test]
    fn a_repeated_length_goes_on_once() {
        let head =
            head("HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\nContent-Length: 5\r\n\r\n").unwrap();
        let all: Vec<_> = head.headers.get_all("content-length").iter().collect();
        assert_eq!(all, ["5"]);
    }

    #[test]
    fn an_interim_reply_is_told_apart() {
        let parsed = parse(
            b"HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\nHTTP",
            &Method::POST,
        )
        .unwrap();
        assert!(matches!(parsed, Parsed::Interim(37)), "{parsed:?}");
    }

    #[test]
    fn what_is_not_http_is_refused() {
        for text in [
            "HTTP/2 200 OK\r\n\r\n",
            "HTTP/1.1 OK\r\n\r\n",
            "ICY 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\n folded: a\r\n\r\n",
            "HTTP/1.1 200 OK\r\na: b\r\n c\r\n\r\n",
            "HTTP/1.1 200 OK\r\na : b\r\n\r\n",
            "HTTP/1.1 200 OK\r\na: b\rc\r\n\r\n",
            "HTTP/1.1 200 OK\r\na: b\0c\r\n\r\n",
            "HTTP/1.1 200 OK\r\n: b\r\n\r\n",
            "HTTP/1.1 999 Odd\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        ] {
            assert!(parse(text.as_bytes(), &Method::POST).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_head_without_end_is_refused() {
        let endless = format!("HTTP/1.1 200 OK\r\na: {}", "b".repeat(MAX_HEAD));
        assert!(parse(endless.as_bytes(), &Method::POST).is_err());
        let many = format!(
            "HTTP/1.1 200 OK\r\n{}\r\n",
            "a: b\r\n".repeat(MAX_HEADERS + 1)
        );
        assert!(parse(many.as_bytes(), &Method::POST).is_err());
    }
}
