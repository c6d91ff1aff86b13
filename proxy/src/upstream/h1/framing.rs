//! Where a reply's body ends: [RFC 9112 §6.3](https://www.rfc-editor.org/rfc/rfc9112#section-6.3), with every ambiguity refused
//! instead of resolved, since two readers that resolve it differently are what request smuggling lives on.

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

/// How the end of a body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// There is no body.
    Empty,
    /// So many bytes.
    Length(u64),
    /// By the chunked coding.
    Chunked,
    /// By the end of the connection.
    Close,
}

/// Decides the framing of a final reply to a request of `method`.
///
/// # Errors
/// What is wrong, where the headers contradict each other, or themselves. The upstream's fault.
pub(crate) fn decide(
    method: &Method,
    status: StatusCode,
    headers: &HeaderMap,
    http_1_0: bool,
) -> Result<Framing, String> {
    let chunked = chunked(headers)?;
    let length = length(headers)?;
    if chunked && length.is_some() {
        return Err("both Transfer-Encoding and Content-Length".into());
    }
    if chunked && http_1_0 {
        return Err("Transfer-Encoding in an HTTP/1.0 reply".into());
    }
    let bodiless = *method == Method::HEAD
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED;
    Ok(match (bodiless, chunked, length) {
        (true, ..) | (_, false, Some(0)) => Framing::Empty,
        (_, true, _) => Framing::Chunked,
        (_, _, Some(length)) => Framing::Length(length),
        (_, _, None) => Framing::Close,
    })
}

/// Whether the body is chunked. No other transfer coding was offered, so any other is refused.
fn chunked(headers: &HeaderMap) -> Result<bool, String> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(false),
        (Some(one), None) if one.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(true),
        (Some(other), _) => Err(format!(
            "Transfer-Encoding {other:?}, where chunked alone is known"
        )),
    }
}

/// The declared length. Repeated it must be the same each time, as RFC 9110 §8.6 allows.
pub(crate) fn length(headers: &HeaderMap) -> Result<Option<u64>, String> {
    let mut found = None;
    for value in headers.get_all(header::CONTENT_LENGTH) {
        for part in value.as_bytes().split(|byte| *byte == b',') {
            let length = number(part.trim_ascii()).ok_or_else(|| malformed(value))?;
            if found.is_some_and(|before| before != length) {
                return Err("two different values of Content-Length".into());
            }
            found = Some(length);
        }
    }
    Ok(found)
}

/// Digits only: no sign, no space, no overflow.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

fn malformed(value: &HeaderValue) -> String {
    format!("Content-Length {value:?} is no number")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&'static str, &'static str)]) -> Result<Framing, String> {
        framing(Method::POST, 200, pairs, false)
    }

    fn framing(
        method: Method,
        status: u16,
        pairs: &[(&'static str, &'static str)],
        http_1_0: bool,
    ) -> Result<Framing, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        decide(
            &method,
            StatusCode::from_u16(status).unwrap(),
            &headers,
            http_1_0,
        )
    }

    #[test]
    fn each_plain_framing_is_known() {
        assert_eq!(of(&[]), Ok(Framing::Close));
        assert_eq!(of(&[("content-length", "12")]), Ok(Framing::Length(12)));
        assert_eq!(of(&[("content-length", "0")]), Ok(Framing::Empty));
        assert_eq!(
            of(&[("transfer-encoding", "Chunked")]),
            Ok(Framing::Chunked)
        );
    }

    #[test]
    fn a_repeated_equal_length_is_one_length() {
        assert_eq!(
            of(&[("content-length", "5, 5"), ("content-length", "5")]),
            Ok(Framing::Length(5))
        );
    }

    #[test]
    fn a_length_that_is_no_number_is_refused() {
        for value in [
            "",
            "-1",
            "+1",
            "1 1",
            "0x10",
            "1,",
            "18446744073709551616",
            "1.0",
        ] {
            assert!(of(&[("content-length", value)]).is_err(), "{value:?}");
        }
    }

    #[test]
    fn contradictions_are_refused() {
        assert!(of(&[("content-length", "5"), ("content-length", "6")]).is_err());
        assert!(of(&[("content-length", "5,6")]).is_err());
        assert!(of(&[("transfer-encoding", "chunked"), ("content-length", "5")]).is_err());
    }

    #[test]
    fn any_transfer_coding_but_chunked_alone_is_refused() {
        for value in [
            "gzip",
            "gzip, chunked",
            "chunked, chunked",
            "identity",
            "xchunked",
            "",
        ] {
            assert!(of(&[("transfer-encoding", value)]).is_err(), "{value:?}");
        }
        assert!(
            of(&[
                ("transfer-encoding", "chunked"),
                ("transfer-encoding", "chunked")
            ])
            .is_err()
        );
        assert!(framing(Method::POST, 200, &[("transfer-encoding", "chunked")], true).is_err());
    }

    #[test]
    fn a_reply_that_cannot_have_a_body_has_none_whatever_it_declares() {
        let declared = [("content-length", "5")];
        assert_eq!(
            framing(Method::HEAD, 200, &declared, false),
            Ok(Framing::Empty)
        );
        assert_eq!(
            framing(Method::POST, 204, &declared, false),
            Ok(Framing::Empty)
        );
        assert_eq!(
            framing(Method::GET, 304, &declared, false),
            Ok(Framing::Empty)
        );
        assert!(framing(Method::HEAD, 200, &[("content-length", "x")], false).is_err());
    }
}
