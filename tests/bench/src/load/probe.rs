//! Whether a contender does what is to be measured: its replies are the upstream's, byte by byte.

use std::net::SocketAddr;

use memchr::memmem;

use super::client::Client;
use crate::fault::Fault;
use crate::wire::{self, Kind};

/// Sends one plain request and one stream, and compares.
pub(crate) async fn run(address: SocketAddr) -> Result<(), Fault> {
    let mut client = Client::connect(address).await?;
    let body = client
        .exchange(&wire::request(address, Kind::Plain))
        .await?;
    if client.buffer()[body..] != *wire::reply_body().as_bytes() {
        return Err(Fault::WrongReply("the body is not the upstream's".into()));
    }
    let head = client.open(&wire::request(address, Kind::Full)).await?;
    client.collect().await?;
    let stream = decoded(&client.buffer()[head.end..])
        .ok_or_else(|| Fault::WrongReply("a stream without chunked coding".into()))?;
    let expected = wire::event().repeat(wire::FULL_EVENTS) + "data: [DONE]\n\n";
    if stream != expected.as_bytes() {
        return Err(Fault::WrongReply("the stream is not the upstream's".into()));
    }
    Ok(())
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
