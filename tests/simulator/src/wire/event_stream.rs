//! AWS's binary frames: lengths, headers, payload, and a checksum of each half.
//!
//! Source: [event streams](https://smithy.io/2.0/aws/amazon-eventstream.html).

use bytes::{BufMut, Bytes, BytesMut};

use super::gzip::crc32;

/// Bytes before the headers: both lengths and their checksum.
const PRELUDE: usize = 12;
/// The type of a header's value that is a string.
const STRING: u8 = 7;

/// One message. A name that ends in `Exception` is that of an exception, any other that of an event.
pub(super) fn message(name: &str, payload: &[u8]) -> Bytes {
    let (of_name, kind) = if name.ends_with("Exception") {
        (":exception-type", "exception")
    } else {
        (":event-type", "event")
    };
    let mut headers = BytesMut::new();
    for (name, value) in [
        (of_name, name),
        (":content-type", "application/json"),
        (":message-type", kind),
    ] {
        headers.put_u8(u8::try_from(name.len()).unwrap_or(u8::MAX));
        headers.put_slice(name.as_bytes());
        headers.put_u8(STRING);
        headers.put_u16(u16::try_from(value.len()).unwrap_or(u16::MAX));
        headers.put_slice(value.as_bytes());
    }
    let whole = PRELUDE + headers.len() + payload.len() + 4;
    let length = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let mut frame = BytesMut::with_capacity(whole);
    frame.put_u32(length(whole));
    frame.put_u32(length(headers.len()));
    frame.put_u32(crc32(&frame));
    frame.put_slice(&headers);
    frame.put_slice(payload);
    frame.put_u32(crc32(&frame));
    frame.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn a_message_holds_its_lengths_and_checksums() {
        let frame = message("chunk", b"{}");
        let number = |at: usize| u32::from_be_bytes(frame[at..at + 4].try_into().unwrap());
        let (whole, headers) = (number(0) as usize, number(4) as usize);
        assert_eq!(whole, frame.len());
        assert_eq!(number(8), crc32(&frame[..8]));
        assert_eq!(number(whole - 4), crc32(&frame[..whole - 4]));
        assert_eq!(&frame[PRELUDE + headers..whole - 4], b"{}");
        assert_eq!(
            &frame[PRELUDE..PRELUDE + 20],
            b"\x0b:event-type\x07\0\x05chunk"
        );
        let exception = message("throttlingException", b"{}");
        let text = String::from_utf8_lossy(&exception);
        assert!(text.contains(":exception-type\u{7}\0\u{13}throttlingException"));
        assert!(text.contains(":message-type\u{7}\0\u{9}exception"));
    }
}
