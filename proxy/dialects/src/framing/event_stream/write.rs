//! Messages, written in place: lengths and checksums are filled in when the payload is there.

use super::message::{CHECKSUM, PRELUDE, number};

/// Appends an event whose payload, JSON, `payload` appends.
pub fn event(name: &str, out: &mut Vec<u8>, payload: impl FnOnce(&mut Vec<u8>)) {
    let headers = [
        (":event-type", name),
        (":content-type", "application/json"),
        (":message-type", "event"),
    ];
    message(&headers, out, payload);
}

/// Appends an exception whose payload, JSON, `payload` appends.
pub fn exception(name: &str, out: &mut Vec<u8>, payload: impl FnOnce(&mut Vec<u8>)) {
    let headers = [
        (":exception-type", name),
        (":content-type", "application/json"),
        (":message-type", "exception"),
    ];
    message(&headers, out, payload);
}

/// Appends a message with headers of text. A name of more than 255 bytes, or a value of more than 65,535, is cut; no header of ours is that long.
pub fn message(headers: &[(&str, &str)], out: &mut Vec<u8>, payload: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; PRELUDE]);
    for (name, value) in headers {
        let length = u8::try_from(name.len()).unwrap_or(u8::MAX);
        out.push(length);
        out.extend_from_slice(&name.as_bytes()[..usize::from(length)]);
        out.push(7);
        let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&value.as_bytes()[..usize::from(length)]);
    }
    let headers = out.len() - start - PRELUDE;
    payload(out);
    seal(out, start, headers);
}

/// Appends a message with the headers of another, to the byte, and this payload. The other is one that was [read](super::Message::read).
pub fn with_payload(other: &[u8], payload: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    let headers = number(other, 4).and_then(|length| usize::try_from(length).ok());
    let headers = headers.unwrap_or_default();
    let kept = other.get(..PRELUDE.saturating_add(headers));
    out.extend_from_slice(kept.unwrap_or(&[0; PRELUDE]));
    let headers = out.len() - start - PRELUDE;
    out.extend_from_slice(payload);
    seal(out, start, headers);
}

/// Fills in the lengths and checksums of the message that begins at `start` and has headers of this length.
fn seal(out: &mut Vec<u8>, start: usize, headers: usize) {
    let total = out.len() - start + CHECKSUM;
    fill(out, start, total);
    fill(out, start + 4, headers);
    let checksum = crc32fast::hash(&out[start..start + 8]);
    out[start + 8..start + PRELUDE].copy_from_slice(&checksum.to_be_bytes());
    let checksum = crc32fast::hash(&out[start..]);
    out.extend_from_slice(&checksum.to_be_bytes());
}

/// Fills a length in. One event of ours never comes near four gigabytes.
fn fill(out: &mut [u8], at: usize, length: usize) {
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
}
