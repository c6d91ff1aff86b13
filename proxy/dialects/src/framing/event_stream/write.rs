//! Messages, written in place: lengths and checksums are filled in when the payload is there.

use super::message::PRELUDE;

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
    let total = out.len() - start + 4;
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
