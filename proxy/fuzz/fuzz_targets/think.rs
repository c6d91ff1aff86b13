//! Any bytes as a reply whose thinking is taken out: streamed and split anywhere, whole, and as bare text.
//!
//! The input's first six bytes: the format, the rules, and four sizes of chunks.
#![no_main]

use std::sync::Arc;

use bytes::Bytes;
use dragoman_dialects::{Framing, Wire};
use dragoman_fuzz::splits::{choices, chunks};
use dragoman_fuzz::think::{Pieces, ReplyStream, Rules, Stripper, Tag, Text, Unreadable, whole};
use dragoman_fuzz::transcript::messages;
use serde_json::value::RawValue;

/// The formats, and whether the stream is one array.
const WIRES: [(Wire, bool); 10] = [
    (Wire::Chat, false),
    (Wire::Completions, false),
    (Wire::Messages, false),
    (Wire::OllamaChat, false),
    (Wire::OllamaGenerate, false),
    (Wire::Gemini, false),
    (Wire::Gemini, true),
    (Wire::BedrockConverse, false),
    (Wire::BedrockInvoke, false),
    (Wire::BedrockText, false),
];

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some(([wire, bits, sizes @ ..], body)) = choices::<6>(data) else {
        return;
    };
    let (wire, array) = WIRES[usize::from(wire) % WIRES.len()];
    let rules = rules(bits);
    let shown = bits & 0x40 != 0;
    let broken = bits & 0x80 != 0;
    let relay = |chunks: &mut dyn Iterator<Item = &[u8]>| {
        let rules = Arc::clone(&rules);
        let start = if array {
            ReplyStream::array(rules, shown)
        } else {
            ReplyStream::new(wire, rules, shown)
        };
        stream(start, chunks, broken)
    };
    let sent = match std::str::from_utf8(body) {
        Ok(transcript) if wire.codec().framing() == Framing::EventStream => {
            messages(wire, transcript)
        }
        _ => body.to_vec(),
    };
    assert_eq!(
        relay(&mut [&sent[..]].into_iter()),
        relay(&mut chunks(&sent, &sizes)),
        "splits show"
    );
    let reply = whole(wire, &rules, shown, Bytes::copy_from_slice(body)).concat();
    if is_json(body) {
        assert!(is_json(&reply), "{}", String::from_utf8_lossy(&reply));
    }
    if rules.is_inert() {
        assert_eq!(reply, body);
    }
    if let Ok(text) = std::str::from_utf8(body) {
        bare(&rules, text, &sizes);
    }
});

fn rules(bits: u8) -> Arc<Rules> {
    let text = match bits & 3 {
        0 => Text::Keep,
        1 => Text::Extract,
        _ => Text::Strip,
    };
    let mut tags = vec![Tag::default()];
    if bits & 4 != 0 {
        tags.push(Tag {
            open: "```".into(),
            close: "word".into(),
        });
    }
    Arc::new(Rules::new(text, tags, bits & 8 != 0, bits & 16 != 0))
}

/// What a client is sent, in one piece, or why the stream went no further.
fn stream(
    mut stream: ReplyStream,
    chunks: &mut dyn Iterator<Item = &[u8]>,
    broken: bool,
) -> Result<Vec<u8>, Unreadable> {
    let mut out = Vec::new();
    for chunk in chunks {
        stream.push(Bytes::copy_from_slice(chunk), &mut out)?;
    }
    if broken {
        stream.cut(&mut out)?;
    } else {
        stream.finish(&mut out)?;
    }
    Ok(out.concat())
}

fn bare(rules: &Arc<Rules>, text: &str, sizes: &[u8]) {
    let strip = |pieces: &mut dyn Iterator<Item = &str>| {
        let mut stripper = Stripper::new(Arc::clone(rules));
        let mut all = Pieces::default();
        pieces.for_each(|piece| all.append(stripper.push(piece)));
        all.append(stripper.finish());
        (
            all.visible.into_owned(),
            all.reasoning.into_owned(),
            all.removed,
        )
    };
    let once = strip(&mut [text].into_iter());
    let pieces = characters(text, sizes);
    assert_eq!(once, strip(&mut pieces.into_iter()), "splits show in text");
    if !rules.keeps_text() && !once.2 {
        assert_eq!(once.0, text, "nothing was removed and the text is another");
    }
}

/// The text cut where chunks of these sizes end, or at the next character.
fn characters<'a>(text: &'a str, sizes: &[u8]) -> Vec<&'a str> {
    let (mut out, mut from, mut at) = (Vec::new(), 0, 0);
    for chunk in chunks(text.as_bytes(), sizes) {
        at += chunk.len();
        if text.is_char_boundary(at) {
            out.push(&text[from..at]);
            from = at;
        }
    }
    out
}

fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<&RawValue>(bytes).is_ok()
}
