//! Messages of AWS's, made of what stands for them in the golden files: no mutation finds a checksum.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dragoman_dialects::Wire;
use dragoman_dialects::framing::event_stream::write;
use serde_json::json;

/// Messages of a transcript: a line with the event's name, one with its payload, and a blank one. What `invoke` streams are events that are
/// wrapped once more, of which only the lines with data count.
#[must_use]
pub fn messages(wire: Wire, transcript: &str) -> Vec<u8> {
    let mut out = Vec::new();
    if wire != Wire::BedrockConverse {
        let data = |line: &str| line.strip_prefix("data: ").unwrap_or(line).to_owned();
        for line in transcript.lines().map(data) {
            if line.starts_with('{') {
                let wrapped = json!({"bytes": STANDARD.encode(line)}).to_string();
                write::event("chunk", &mut out, |out| {
                    out.extend_from_slice(wrapped.as_bytes())
                });
            }
        }
        return out;
    }
    for event in transcript.split("\n\n") {
        let (name, payload) = event.split_once('\n').unwrap_or((event, "{}"));
        let fill = |out: &mut Vec<u8>| out.extend_from_slice(payload.as_bytes());
        if name.ends_with("Exception") {
            write::exception(name, &mut out, fill);
        } else {
            write::event(name, &mut out, fill);
        }
    }
    out
}
