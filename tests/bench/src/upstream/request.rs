//! Reading one request: where it ends, and what it asks for.

use std::io;

use memchr::memmem;

use super::Expectation;
use crate::wire::{self, Api, Kind};

/// More headers than any contender sends.
const MOST_HEADERS: usize = 48;

/// How many bytes the request at the start of `buffer` has in all; `None` while its head is incomplete.
pub(super) fn length(buffer: &[u8]) -> io::Result<Option<usize>> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut head = httparse::Request::new(&mut headers);
    let parsed = head
        .parse(buffer)
        .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
    let httparse::Status::Complete(end) = parsed else {
        return Ok(None);
    };
    let body = head
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"))
        .and_then(|header| {
            std::str::from_utf8(header.value)
                .ok()?
                .parse::<usize>()
                .ok()
        })
        .unwrap_or(0);
    Ok(Some(end + body))
}

/// What a whole request asks for, and in which API; `None` when it is not as expected.
pub(super) fn asked(request: &[u8], expectation: Expectation) -> Option<(Api, Kind)> {
    let (model, key) = match expectation {
        Expectation::AsSent => (wire::REQUESTED_MODEL, wire::CLIENT_KEY),
        Expectation::Rewritten => (wire::UPSTREAM_MODEL, wire::UPSTREAM_KEY),
    };
    let body = memmem::find(request, b"\r\n\r\n")?;
    let (head, body) = request.split_at(body);
    let path = head.strip_prefix(b"POST ")?;
    let mut apis = Api::ALL.into_iter();
    let api = apis.find(|api| path.starts_with(api.path().as_bytes()))?;
    value_follows(head, api.key_mark(), key)?;
    value_follows(body, "\"model\":\"", model)?;
    let asks = |kind: &Kind| value_follows(body, api.user_mark(), kind.word()).is_some();
    Some((api, Kind::ALL.into_iter().find(asks)?))
}

fn value_follows(text: &[u8], mark: &str, value: &str) -> Option<()> {
    let at = memmem::find(text, mark.as_bytes())? + mark.len();
    text[at..].starts_with(value.as_bytes()).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Way;

    fn sent(way: Way, kind: Kind) -> Vec<u8> {
        wire::request(([127, 0, 0, 1], 80).into(), way, kind)
    }

    #[test]
    fn a_request_that_was_not_rewritten_is_noticed() {
        for (way, kind) in Way::ALL.into_iter().zip(Kind::ALL) {
            let sent = sent(way, kind);
            let as_sent = asked(&sent, Expectation::AsSent);
            assert_eq!(as_sent, Some((way.client, kind)));
            assert_eq!(asked(&sent, Expectation::Rewritten), None);
        }
    }

    #[test]
    fn a_request_ends_where_its_length_says() {
        let request = sent(Way::OPENAI, Kind::Plain);
        assert_eq!(length(&request).unwrap(), Some(request.len()));
        assert_eq!(length(&request[..40]).unwrap(), None);
    }
}
