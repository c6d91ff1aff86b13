//! What whole streams and replies become, to the byte, wherever they are split.

use std::sync::Arc;

use bytes::Bytes;
use dragoman_dialects::Wire;
use dragoman_dialects::framing::EventStream;
use dragoman_dialects::framing::event_stream::write;

use crate::chunk;
use crate::think::messages::OPEN;
use crate::think::split::rules;
use crate::think::{ReplyStream, Rules, Text, Unreadable, whole};

struct Start {
    wire: Wire,
    rules: Arc<Rules>,
    shown: bool,
}

fn with(wire: Wire, text: Text, drop_fields: bool, shown: bool) -> Start {
    let rules = rules(text, drop_fields);
    Start { wire, rules, shown }
}

fn strip(wire: Wire) -> Start {
    with(wire, Text::Strip, false, false)
}

fn extract(wire: Wire) -> Start {
    with(wire, Text::Extract, false, true)
}

impl Start {
    fn relay<'a>(&self, chunks: impl IntoIterator<Item = &'a [u8]>, cut: bool) -> Vec<u8> {
        let mut stream = ReplyStream::new(self.wire, Arc::clone(&self.rules), self.shown);
        let mut out = Vec::new();
        for chunk in chunks {
            let chunk = Bytes::copy_from_slice(chunk);
            stream.push(chunk, &mut out).unwrap();
        }
        if cut {
            stream.cut(&mut out).unwrap();
        } else {
            stream.finish(&mut out).unwrap();
        }
        out.concat()
    }

    /// Asserts what comes of a stream, byte by byte, split in two at every byte, and cut off after its end.
    fn becomes(&self, stream: &[Bytes], expected: &[Bytes]) {
        let (stream, expected) = (stream.concat(), expected.concat());
        let told = |bytes: &[u8]| told(bytes);
        let out = self.relay([&stream[..]], false);
        assert_eq!(told(&out), told(&expected));
        assert_eq!(out, expected);
        assert_eq!(self.relay(stream.chunks(1), false), expected);
        assert_eq!(self.relay([&stream[..]], true), expected);
        for at in 0..stream.len() {
            let (head, tail) = stream.split_at(at);
            assert_eq!(self.relay([head, tail], false), expected, "split at {at}");
        }
    }
}

/// The messages of a stream, whose checksums are right, for who reads a failure.
fn told(stream: &[u8]) -> Vec<String> {
    let mut cutter = EventStream::default();
    cutter.feed(Bytes::copy_from_slice(stream));
    let mut told = Vec::new();
    while let Some(message) = cutter.next_message().unwrap() {
        let payload = String::from_utf8_lossy(message.payload()).into_owned();
        told.push(format!("{} {payload}", message.name().unwrap_or_default()));
    }
    told
}

/// A message with a header of its own, which has to stay.
fn message(name: &str, payload: &str) -> Bytes {
    let mut out = Vec::new();
    let headers = [
        (":event-type", name),
        ("x-theirs", "1"),
        (":message-type", "event"),
    ];
    write::message(&headers, &mut out, |out| {
        out.extend_from_slice(payload.as_bytes());
    });
    out.into()
}

/// One of ours.
fn own(name: &str, payload: &str) -> Bytes {
    let mut out = Vec::new();
    write::event(name, &mut out, |out| {
        out.extend_from_slice(payload.as_bytes());
    });
    out.into()
}

fn exception() -> Bytes {
    let mut out = Vec::new();
    write::exception("throttlingException", &mut out, |_| {});
    out.into()
}

fn spoken(index: usize, text: &str) -> String {
    format!(r#"{{"contentBlockIndex":{index},"delta":{{"text":"{text}"}}}}"#)
}

/// A piece of text, given as the inside of its literal.
fn say(index: usize, text: &str) -> Bytes {
    let padded = spoken(index, text).replace("}}", "},\"p\":\"abc\"}");
    message("contentBlockDelta", &padded)
}

fn own_say(index: usize, text: &str) -> Bytes {
    own("contentBlockDelta", &spoken(index, text))
}

fn think(index: usize, text: &str) -> String {
    format!(r#"{{"contentBlockIndex":{index},"delta":{{"reasoningContent":{{"text":"{text}"}}}}}}"#)
}

fn stop(index: usize) -> Bytes {
    message(
        "contentBlockStop",
        &format!(r#"{{"contentBlockIndex":{index},"p":"ab"}}"#),
    )
}

fn own_stop(index: usize) -> Bytes {
    own(
        "contentBlockStop",
        &format!(r#"{{"contentBlockIndex":{index}}}"#),
    )
}

fn call(index: usize) -> [Bytes; 2] {
    let start = format!(
        r#"{{"contentBlockIndex":{index},"start":{{"toolUse":{{"toolUseId":"<think>","name":"f"}}}}}}"#
    );
    let delta = format!(
        r#"{{"contentBlockIndex":{index},"delta":{{"toolUse":{{"input":"<think>x</think>"}}}}}}"#
    );
    [
        message("contentBlockStart", &start),
        message("contentBlockDelta", &delta),
    ]
}

fn begin() -> Bytes {
    message("messageStart", r#"{"role":"assistant","p":"<think>"}"#)
}

fn end() -> [Bytes; 2] {
    [
        message("messageStop", r#"{"stopReason":"end_turn"}"#),
        message("metadata", r#"{"usage":{"inputTokens":1},"metrics":{}}"#),
    ]
}

const CONVERSE: Wire = Wire::BedrockConverse;

#[test]
fn a_conversation_is_stripped_and_keeps_all_else() {
    let [start, input] = call(1);
    let [ended, usage] = end();
    let stream = [
        begin(),
        say(0, "<th"),
        say(0, "ink>\\nsec"),
        say(0, "ret</think>\\n"),
        say(0, "\\u00e9 a <"),
        say(0, "b"),
        say(0, "c <"),
        stop(0),
        start.clone(),
        input.clone(),
        stop(1),
        ended.clone(),
        usage.clone(),
    ];
    let expected = [
        begin(),
        say(0, "\u{e9} a "),
        say(0, "<b"),
        say(0, "c "),
        own_say(0, "<"),
        stop(0),
        start,
        input,
        stop(1),
        ended,
        usage,
    ];
    strip(CONVERSE).becomes(&stream, &expected);
    with(CONVERSE, Text::Keep, false, false).becomes(&stream, &stream);
}

#[test]
fn a_block_that_lost_all_its_text_stays_empty() {
    let stream = [
        say(0, "<think>a"),
        say(0, "b</think>"),
        stop(0),
        say(1, "c"),
        stop(1),
    ];
    let expected = [own_say(0, ""), stop(0), say(1, "c"), stop(1)];
    strip(CONVERSE).becomes(&stream, &expected);
}

#[test]
fn what_is_held_back_comes_before_the_end_or_an_exception() {
    let held = [say(0, "a <")];
    let flushed = [say(0, "a "), own_say(0, "<")];
    strip(CONVERSE).becomes(&held, &flushed);
    for after in [exception(), end()[0].clone()] {
        let [held] = held.clone();
        let [first, second] = flushed.clone();
        strip(CONVERSE).becomes(&[held, after.clone()], &[first, second, after]);
    }
}

#[test]
fn extracted_text_becomes_a_block_of_reasoning_before_what_follows_it() {
    let [start, input] = call(1);
    let stream = [
        say(0, "<think>a\\n"),
        say(0, "b</think>\\n\\nc"),
        say(0, "d"),
        stop(0),
        start,
        input,
        stop(1),
    ];
    let [start, input] = call(2);
    let expected = [
        own("contentBlockDelta", &think(0, "a\\n")),
        own("contentBlockDelta", &think(0, "b")),
        own_stop(0),
        say(1, "c"),
        say(1, "d"),
        stop(1),
        start,
        input,
        stop(2),
    ];
    extract(CONVERSE).becomes(&stream, &expected);
    let all = [say(0, "<think>a</think>"), stop(0)];
    let expected = [own("contentBlockDelta", &think(0, "a")), stop(0)];
    extract(CONVERSE).becomes(&all, &expected);
    let [start, input] = call(1);
    let alone = [say(0, "c"), say(0, "d"), stop(0), start, input, stop(1)];
    with(CONVERSE, Text::Extract, false, false).becomes(&stream, &alone);
}

#[test]
fn dropped_reasoning_leaves_no_gap_in_the_numbers() {
    let reasoning = |text: &str| message("contentBlockDelta", &think(0, text));
    let stream = [
        reasoning("<think>a"),
        reasoning("b"),
        stop(0),
        say(1, "<think>c</think>d"),
        stop(1),
    ];
    strip(CONVERSE).becomes(
        &stream,
        &[
            reasoning("<think>a"),
            reasoning("b"),
            stop(0),
            say(1, "d"),
            stop(1),
        ],
    );
    let drop = with(CONVERSE, Text::Keep, true, false);
    drop.becomes(&stream, &[say(0, "<think>c</think>d"), stop(0)]);
    let drop = with(CONVERSE, Text::Strip, true, true);
    drop.becomes(&stream, &[say(0, "d"), stop(0)]);
}

#[test]
fn a_text_that_a_server_opens_is_stripped_too() {
    let start = message("contentBlockStart", r#"{"contentBlockIndex":0,"start":{}}"#);
    let stream = [
        start.clone(),
        say(0, "<think>a</think>"),
        say(0, "b"),
        stop(0),
    ];
    let expected = [start, say(0, "b"), stop(0)];
    strip(CONVERSE).becomes(&stream, &expected);
}

#[test]
fn a_message_that_is_damaged_or_not_of_this_kind_passes() {
    let mut damaged = say(0, "<think>").to_vec();
    *damaged.last_mut().unwrap() ^= 1;
    let damaged = Bytes::from(damaged);
    for wire in [CONVERSE, Wire::BedrockInvoke, Wire::BedrockText] {
        assert_eq!(strip(wire).relay([&damaged[..]], false), damaged);
        for other in [
            message("contentBlockDelta", "<think>"),
            message("contentBlockDelta", r#"{"delta":7}"#),
            message("tomorrows", r#"{"text":"<think>"}"#),
            chunk::own(br#"{"completion":7,"type":"tomorrows","delta":{"text":"<think>"}}"#),
        ] {
            strip(wire).becomes(std::slice::from_ref(&other), std::slice::from_ref(&other));
        }
    }
}

#[test]
fn a_message_that_was_cut_off_leaks_nothing() {
    let event = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"<think>a"}}"#;
    for (wire, first) in [
        (CONVERSE, say(0, "<think>a")),
        (Wire::BedrockInvoke, chunk::own(event.as_bytes())),
        (
            Wire::BedrockText,
            chunk::own(br#"{"completion":"<think>a"}"#),
        ),
    ] {
        for at in 0..first.len() {
            for cut in [true, false] {
                assert_eq!(
                    strip(wire).relay([&first[..at]], cut),
                    b"",
                    "{wire:?}: {at}"
                );
            }
        }
    }
}

#[test]
fn more_open_blocks_than_anyone_reads_are_refused() {
    let mut stream = ReplyStream::new(CONVERSE, rules(Text::Strip, false), false);
    let mut push = |index| stream.push(say(index, "a"), &mut Vec::new());
    assert!((0..OPEN).all(|index| push(index).is_ok()));
    assert_eq!(push(OPEN), Err(Unreadable::Blocks));
}

fn event(json: &str) -> Bytes {
    chunk::Chunk::read(chunk::own(b"{}"))
        .unwrap()
        .with_event(json.as_bytes())
}

fn anthropics(index: usize, text: &str) -> String {
    format!(
        r#"{{"type":"content_block_delta","index":{index},"delta":{{"type":"text_delta","text":"{text}"}}}}"#
    )
}

#[test]
fn anthropics_events_in_chunks_are_stripped_as_they_are_elsewhere() {
    let start = |index: usize, block: &str| {
        format!(r#"{{"type":"content_block_start","index":{index},"content_block":{block}}}"#)
    };
    let stop = |index: usize| format!(r#"{{"type":"content_block_stop","index":{index}}}"#);
    let text = r#"{"type":"text","text":""}"#;
    let last = r#"{"type":"message_stop","amazon-bedrock-invocationMetrics":{"n":1}}"#;
    let padded = |json: &str| {
        let padded = message("chunk", r#"{"p":"abc","bytes":""}"#);
        chunk::Chunk::read(padded)
            .unwrap()
            .with_event(json.as_bytes())
    };
    let stream = [
        padded(r#"{"type":"message_start","message":{"model":"<think>"}}"#),
        padded(&start(0, text)),
        padded(&anthropics(0, "<th")),
        padded(&anthropics(0, "ink>a</think>b")),
        padded(&anthropics(0, "c <")),
        padded(&stop(0)),
        padded(last),
    ];
    let expected = [
        stream[0].clone(),
        stream[1].clone(),
        padded(&anthropics(0, "b")),
        padded(&anthropics(0, "c ")),
        event(&anthropics(0, "<")),
        stream[5].clone(),
        stream[6].clone(),
    ];
    strip(Wire::BedrockInvoke).becomes(&stream, &expected);
    with(Wire::BedrockInvoke, Text::Keep, false, false).becomes(&stream, &stream);
    let thinking = r#"{"type":"thinking","thinking":"","signature":""}"#;
    let delta = r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"a"}}"#;
    let expected = [
        stream[0].clone(),
        event(&start(0, thinking)),
        event(delta),
        event(&stop(0)),
        padded(&start(1, text)),
        padded(&anthropics(1, "b")),
        padded(&anthropics(1, "c ")),
        event(&anthropics(1, "<")),
        padded(&stop(1)),
        stream[6].clone(),
    ];
    extract(Wire::BedrockInvoke).becomes(&stream, &expected);
    let held = [padded(&anthropics(0, "a <")), exception()];
    let expected = [
        padded(&anthropics(0, "a ")),
        event(&anthropics(0, "<")),
        exception(),
    ];
    strip(Wire::BedrockInvoke).becomes(&held, &expected);
}

#[test]
fn the_text_of_claude_2_is_stripped_and_keeps_all_else() {
    let said = |text: &str, more: &str| {
        let json = format!(r#"{{"type":"completion","completion":"{text}","stop_reason":{more}}}"#);
        let padded = message("chunk", r#"{"bytes":"","p":"abc"}"#);
        chunk::Chunk::read(padded)
            .unwrap()
            .with_event(json.as_bytes())
    };
    let stop = r#""stop_sequence","stop":"x""#;
    let stream = [
        said(" <thi", "null,\"stop\":null"),
        said("nk>a</think>b", "null,\"stop\":null"),
        said(" <", "null"),
        said("", stop),
    ];
    let expected = [
        said(" ", "null,\"stop\":null"),
        said("b", "null,\"stop\":null"),
        said(" ", "null"),
        said("<", stop),
    ];
    strip(Wire::BedrockText).becomes(&stream, &expected);
    extract(Wire::BedrockText).becomes(&stream, &expected);
    let own = event(r#"{"type":"completion","completion":"<","stop_reason":null,"stop":null}"#);
    let held = [said("a <", "null"), exception()];
    strip(Wire::BedrockText).becomes(&held, &[said("a ", "null"), own, exception()]);
}

#[test]
fn whole_replies_are_edited_in_place() {
    let reply = |start: &Start, body: &str| {
        let body = Bytes::copy_from_slice(body.as_bytes());
        let segments = whole(start.wire, &start.rules, start.shown, body);
        String::from_utf8(segments.concat()).unwrap()
    };
    let body = r#"{"output":{"message":{"content": [{"reasoningContent":{"reasoningText":{"text":"<think>"}}}, {"text":"<think>a</think>\n\u00e9"},{"toolUse":{"input":{"text":"<think>"}}}, {"text":"<thi"}],"role":"assistant"}},"usage":{}}"#;
    let stripped = body.replace(r"<think>a</think>\n\u00e9", "\u{e9}");
    assert_eq!(reply(&strip(CONVERSE), body), stripped);
    let unasked = with(CONVERSE, Text::Extract, false, false);
    assert_eq!(reply(&unasked, body), stripped);
    let block = r#"{"reasoningContent":{"reasoningText":{"text":"a"}}},{"text":"é"#;
    let extracted = stripped.replace(r#"{"text":"é"#, block);
    assert_eq!(reply(&extract(CONVERSE), body), extracted);
    let own = r#"{"reasoningContent":{"reasoningText":{"text":"<think>"}}}, "#;
    let drop = with(CONVERSE, Text::Keep, true, false);
    assert_eq!(reply(&drop, body), body.replace(own, ""));

    let message = r#"{"content":[{"type":"text","text":"<think>a</think>b"}],"model":"m"}"#;
    let stripped = message.replace("<think>a</think>", "");
    assert_eq!(reply(&strip(Wire::BedrockInvoke), message), stripped);
    let completion = r#"{"completion" : " <think>a</think>b","stop_reason":"max_tokens"}"#;
    let stripped = completion.replace("<think>a</think>", "");
    assert_eq!(reply(&strip(Wire::BedrockText), completion), stripped);
    for wire in [CONVERSE, Wire::BedrockInvoke, Wire::BedrockText] {
        for body in ["<think>", "[]", r#"{"message":"<think>"}"#] {
            assert_eq!(reply(&strip(wire), body), body);
        }
    }
}
