//! Whether a contender does what is to be measured: its replies are the upstream's, byte by byte or translated.

use std::net::SocketAddr;

use memchr::memmem;

use super::client::Client;
use crate::fault::Fault;
use crate::wire::{self, Kind, Way};

/// Sends a plain request on each of the `ways` that have them, asks for a stream on each, and compares.
pub(crate) async fn run(address: SocketAddr, ways: &[Way]) -> Result<(), Fault> {
    let mut client = Client::connect(address).await?;
    for way in ways {
        if way.has_plain() {
            let request = wire::request(address, *way, Kind::Plain);
            let body = client.exchange(&request).await?;
            if client.buffer()[body..] != *wire::reply_body().as_bytes() {
                let what = format!("the body of {way:?} is not the upstream's");
                return Err(Fault::WrongReply(what));
            }
        }
        let head = client
            .open(&wire::request(address, *way, Kind::Full))
            .await?;
        client.collect().await?;
        let stream = decoded(&client.buffer()[head.end..])
            .ok_or_else(|| Fault::WrongReply("a stream without chunked coding".into()))?;
        if !is_right(*way, &stream) {
            let start = String::from_utf8_lossy(&stream[..stream.len().min(2048)]);
            let what = format!("the stream of {way:?} is not the upstream's: {start}");
            return Err(Fault::WrongReply(what));
        }
    }
    Ok(())
}

/// Whether a stream is the upstream's, byte by byte, or where it is translated has every event in the client's API and its end.
fn is_right(way: Way, stream: &[u8]) -> bool {
    let api = way.client;
    if !way.translates() {
        let expected = api.start() + &api.event().repeat(wire::FULL_EVENTS) + api.end();
        return stream == expected.as_bytes();
    }
    let count = |mark: &str| memmem::find_iter(stream, mark).count();
    let last = api.end().lines().rfind(|line| !line.is_empty());
    let ended = stream
        .trim_ascii_end()
        .ends_with(last.unwrap_or_default().as_bytes());
    count(api.event_mark()) == wire::FULL_EVENTS && count(wire::TOKEN) == wire::FULL_EVENTS && ended
}

/// A chunked body without its framing; `None` when the framing is broken.
fn decoded(mut body: &[u8]) -> Option<Vec<u8>> {
    let mut payload = Vec::with_capacity(body.len());
    loop {
        let line = memmem::find(body, b"\r\n")?;
        let length = usize::from_str_radix(std::str::from_utf8(&body[..line]).ok()?, 16).ok()?;
        if length == 0 {
            return Some(payload);
        }
        let begin = line + 2;
        payload.extend_from_slice(body.get(begin..begin + length)?);
        body = body.get(begin + length + 2..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn framing_is_taken_off_whatever_the_chunks() {
        assert_eq!(
            decoded(b"1\r\na\r\nb\r\n0123456789a\r\n0\r\n\r\n").unwrap(),
            b"a0123456789a"
        );
        assert_eq!(decoded(b"5\r\nab\r\n"), None);
    }
}
