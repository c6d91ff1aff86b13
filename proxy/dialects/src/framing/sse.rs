//! Server-sent events, written.
//!
//! Source: [WHATWG HTML §9.2](https://html.spec.whatwg.org/multipage/server-sent-events.html). JSON texts hold no line ends, so that an event's
//! data is one line.

/// Begins an event: its name, if it has one, and the field that its data follows.
pub fn begin(name: Option<&str>, out: &mut Vec<u8>) {
    if let Some(name) = name {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(name.as_bytes());
        out.push(b'\n');
    }
    out.extend_from_slice(b"data: ");
}

/// Ends an event.
pub fn end(out: &mut Vec<u8>) {
    out.extend_from_slice(b"\n\n");
}

/// A comment, which says that the stream is alive.
pub fn keep_alive(out: &mut Vec<u8>) {
    out.extend_from_slice(b": keep-alive\n\n");
}
