//! Any bytes as a reply that is to name another model: whole, and streamed and split anywhere, that name alone changes.
//!
//! The input's first six bytes: the format, the name, and four sizes of chunks.
#![no_main]

use dragoman_dialects::{Framing, Wire};
use dragoman_fuzz::reply_models;
use dragoman_fuzz::splits::choices;
use dragoman_fuzz::transcript::messages;

/// The formats, and whether the stream is one array. Seeds name them by their place.
const WIRES: [(Wire, bool); 10] = [
    (Wire::Chat, false),
    (Wire::Completions, false),
    (Wire::Responses, false),
    (Wire::Messages, false),
    (Wire::OllamaChat, false),
    (Wire::OllamaGenerate, false),
    (Wire::Gemini, false),
    (Wire::Gemini, true),
    (Wire::BedrockInvoke, false),
    (Wire::BedrockText, false),
];
const NAMES: [&str; 4] = ["asked", "", "a\"b\\\n\u{2028}", "m"];

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some(([wire, name, sizes @ ..], body)) = choices::<6>(data) else {
        return;
    };
    let (wire, array) = WIRES[usize::from(wire) % WIRES.len()];
    let name = NAMES[usize::from(name) % NAMES.len()];
    reply_models::whole(wire, name, body);
    let sent = match std::str::from_utf8(body) {
        Ok(transcript) if wire.codec().framing() == Framing::EventStream => {
            messages(wire, transcript)
        }
        _ => body.to_vec(),
    };
    reply_models::stream((wire, array), name, &sent, &sizes);
});
