//! The head of a request as HTTP/1.1 bytes.

use http::{HeaderMap, Method, header, uri::PathAndQuery};

use crate::upstream::hop::is_hop_by_hop;

/// Appends the head to `out`. `length` is the body's, `None` for one that is sent chunked.
///
/// Nothing can break out of its line: the types of path and headers refuse control characters.
pub(crate) fn head(
    method: &Method,
    path: &PathAndQuery,
    host: &str,
    headers: &HeaderMap,
    length: Option<u64>,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(method.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(path.as_str().as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    if !headers.contains_key(header::HOST) {
        line(out, "host", host.as_bytes());
    }
    for (name, value) in headers {
        // The body is sent without waiting for a 100, so an expectation would only invite a 417.
        let ours =
            *name == header::CONTENT_LENGTH || *name == header::EXPECT || is_hop_by_hop(name);
        if !ours {
            line(out, name.as_str(), value.as_bytes());
        }
    }
    match length {
        None => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        // Methods that define no body say nothing of one: RFC 9110 §8.6.
        Some(0) if !matches!(*method, Method::POST | Method::PUT | Method::PATCH) => {}
        Some(length) => {
            out.extend_from_slice(b"content-length: ");
            decimal(out, length);
            out.extend_from_slice(b"\r\n");
        }
    }
    out.extend_from_slice(b"\r\n");
}

fn line(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

fn decimal(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(
        method: Method,
        pairs: &[(&'static str, &'static str)],
        length: Option<u64>,
    ) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        let mut out = Vec::new();
        head(
            &method,
            &PathAndQuery::from_static("/v1?a=b"),
            "h:1",
            &headers,
            length,
            &mut out,
        );
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn host_and_length_are_added() {
        assert_eq!(
            encoded(Method::POST, &[("accept", "*/*")], Some(1203)),
            "POST /v1?a=b HTTP/1.1\r\nhost: h:1\r\naccept: */*\r\ncontent-length: 1203\r\n\r\n"
        );
    }

    #[test]
    fn framing_of_the_callers_headers_is_ignored() {
        let sent = encoded(
            Method::POST,
            &[
                ("content-length", "9"),
                ("transfer-encoding", "gzip"),
                ("connection", "close"),
                ("expect", "100-continue"),
            ],
            Some(0),
        );
        assert_eq!(
            sent,
            "POST /v1?a=b HTTP/1.1\r\nhost: h:1\r\ncontent-length: 0\r\n\r\n"
        );
    }

    #[test]
    fn an_unknown_length_is_sent_chunked() {
        assert!(encoded(Method::PUT, &[], None).contains("\r\ntransfer-encoding: chunked\r\n"));
    }

    #[test]
    fn a_get_says_nothing_of_a_body() {
        assert_eq!(
            encoded(Method::GET, &[], Some(0)),
            "GET /v1?a=b HTTP/1.1\r\nhost: h:1\r\n\r\n"
        );
    }

    #[test]
    fn a_given_host_wins() {
        let sent = encoded(Method::GET, &[("host", "other")], Some(0));
        assert_eq!(sent, "GET /v1?a=b HTTP/1.1\r\nhost: other\r\n\r\n");
    }
}
