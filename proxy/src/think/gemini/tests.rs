//! What whole streams and replies become, to the byte, wherever they are split.

use std::sync::Arc;

use bytes::Bytes;
use dragoman_dialects::Wire;

use super::whole;
use crate::think::choices::CHOICES;
use crate::think::split::{Start, rules};
use crate::think::{ReplyStream, Rules, Tag, Text, Unreadable};

fn with(text: Text, drop_fields: bool, shown: bool) -> Start {
    Start {
        wire: Wire::Gemini,
        rules: rules(text, drop_fields),
        shown,
    }
}

fn strip() -> Start {
    with(Text::Strip, false, false)
}

fn extract() -> Start {
    with(Text::Extract, false, true)
}

/// A piece whose first candidate has these parts, and what follows them.
fn piece(parts: &str, more: &str) -> String {
    format!(
        r#"{{"candidates": [{{"content":{{"parts":[{parts}],"role":"model"}},"index":0{more}}}],"usageMetadata":{{"n":1}},"modelVersion":"m-1","responseId":"r"}}"#
    )
}

/// A part of text, given as the inside of its literal.
fn text(text: &str) -> String {
    format!("{{\"text\":\"{text}\"}}")
}

fn thought(text: &str) -> String {
    format!("{{\"text\":\"{text}\",\"thought\":true}}")
}

/// A piece of our own.
fn own(parts: &str) -> String {
    format!(
        r#"{{"candidates":[{{"content":{{"parts":[{parts}],"role":"model"}},"index":0}}],"modelVersion":"m-1","responseId":"r"}}"#
    )
}

fn say(said: &str) -> String {
    piece(&text(said), "")
}

fn end() -> String {
    piece(&text(""), r#","finishReason":"STOP""#)
}

fn events<const N: usize>(pieces: [String; N]) -> String {
    let event = |piece| format!("data: {piece}\n\n");
    pieces.into_iter().map(event).collect()
}

#[test]
fn a_stream_is_stripped_and_keeps_all_else() {
    let stream = events([
        say("<th"),
        say("ink>\\nsec"),
        say("ret</think>\\n"),
        say("\\n"),
        say("\\u00e9 a <"),
        say("b"),
        piece(r#"{"x":1,"text":"<think>"}"#, ""),
        piece(&text("c"), r#","finishReason":"STOP""#),
        end(),
    ]);
    let expected = events([
        say("\u{e9} a "),
        say("<b"),
        piece(r#"{"x":1,"text":""}"#, ""),
        piece(&text(""), r#","finishReason":"STOP""#),
        end(),
    ]);
    strip().becomes(&stream, &expected);
    let crlf = |text: &str| text.replace('\n', "\r\n");
    strip().becomes(&crlf(&stream), &crlf(&expected));
    let keep_alive = ": alive\n\n";
    strip().becomes(
        &format!("{keep_alive}{stream}"),
        &format!("{keep_alive}{expected}"),
    );
}

#[test]
fn a_tag_may_be_split_between_pieces_that_all_say_they_are_the_end() {
    let stop = |said| piece(&text(said), r#","finishReason":"STOP""#);
    let stream = events([stop("a <thi"), stop("nk>b</thi"), stop("nk>c")]);
    let expected = events([stop("a "), stop(""), stop("c")]);
    strip().becomes(&stream, &expected);
}

#[test]
fn what_is_held_back_comes_before_an_error_or_at_the_end() {
    let held = events([say("a <")]);
    let flushed = events([say("a "), own(&text("<"))]);
    strip().becomes(&held, &flushed);
    strip().becomes(held.trim_end(), &flushed);
    assert_eq!(strip().broken(held.as_bytes()), flushed);
    let error = "data: {\"error\":{\"code\":503}}\n\n";
    strip().becomes(&(held + error), &(flushed + error));
}

#[test]
fn text_that_is_held_back_stands_before_a_call() {
    let call = r#"{"functionCall":{"name":"f","args":{"t":"<think>"}},"thoughtSignature":"s"}"#;
    let stream = events([
        say("a <"),
        piece(call, ""),
        piece(&(text("b <") + "," + call), ""),
    ]);
    let expected = events([
        say("a "),
        piece(&(text("<") + "," + call), ""),
        piece(&(text("b <") + "," + call), ""),
    ]);
    strip().becomes(&stream, &expected);
}

#[test]
fn extracted_text_becomes_a_thought_before_what_follows_it() {
    let stream = events([say("<think>a\\n"), say("b</think>\\n\\nc"), say("d"), end()]);
    let expected = events([
        piece(&(thought("a\\n") + "," + &text("")), ""),
        piece(&(thought("b") + "," + &text("c")), ""),
        say("d"),
        end(),
    ]);
    extract().becomes(&stream, &expected);
    let alone = events([say("c"), say("d"), end()]);
    with(Text::Extract, false, false).becomes(&stream, &alone);
}

#[test]
fn own_thoughts_are_never_touched_unless_they_are_dropped() {
    let own = thought("<think>x");
    let stream = events([
        piece(&own, ""),
        piece(&(own.clone() + " , " + &text("a") + "," + &own), ""),
        end(),
    ]);
    strip().becomes(&stream, &stream);
    extract().becomes(&stream, &stream);
    let expected = events([piece(&text("a"), ""), end()]);
    with(Text::Keep, true, true).becomes(&stream, &expected);
}

#[test]
fn candidates_are_stripped_apart_and_lose_logprobs_with_their_text() {
    let two = |first: &str, second: &str| {
        format!(
            r#"{{"candidates":[{{"index":1,"content":{{"parts":[{{"text":"{first}"}}]}}}},{{"index":0,"content":{{"parts":[{{"text":"{second}"}}]}}}}]}}"#
        )
    };
    let stream = events([two("<think>a", "b"), two("c</think>d", "<think>e")]);
    let expected = events([two("", "b"), two("d", "")]);
    strip().becomes(&stream, &expected);
    let spelled = r#","logprobsResult":{"chosenCandidates":[]},"avgLogprobs":-1"#;
    let stream = events([piece(&text("<think>a"), spelled)]);
    let expected = events([piece(&text(""), r#","avgLogprobs":-1"#)]);
    strip().becomes(&stream, &expected);
    let kept = events([piece(&text("a"), spelled)]);
    strip().becomes(&kept, &kept);
}

#[test]
fn a_text_that_starts_within_a_block_is_stripped_from_its_start() {
    let open = Rules::new(Text::Strip, vec![Tag::default()], true, false);
    let open = Start {
        rules: open.into(),
        ..strip()
    };
    let stream = events([say("a"), say("b</think>c"), say("d")]);
    open.becomes(&stream, &events([say("c"), say("d")]));
}

#[test]
fn an_untouched_chunk_is_the_same_memory_in_one_piece() {
    strip().passes_in_one_piece(&events([say("a"), say("1 < 2 \\n```"), end()]));
    with(Text::Keep, false, false).passes_in_one_piece("data: {\"candi");
}

#[test]
fn what_is_no_such_piece_passes() {
    for stream in [
        "data: {\"candidates\":7}\n\n",
        "data: {\"candidates\":[7,{\"content\":\"<think>\"}]}\n\n",
        "data: {\"candidates\":[{\"content\":{\"parts\":[7,{\"text\":7}]}}]}\n\n",
        "data: {\"promptFeedback\":{\"x\":\"<think>\"}}\n\n",
        "data: {\"usageMetadata\":{}}\n\n",
        "data: [DONE]\n\n",
        "data: <think>\n\n",
        "<html>",
    ] {
        strip().becomes(stream, stream);
    }
}

#[test]
fn a_piece_that_was_cut_off_leaks_nothing() {
    let whole = events([say("<think>a"), say("secret")]);
    for at in 0..whole.len() {
        let bytes = &whole.as_bytes()[..at];
        for out in [strip().relay([bytes]), strip().broken(bytes)] {
            assert!(
                !out.contains("sec") && !out.contains("think>"),
                "{at}: {out}"
            );
        }
    }
}

#[test]
fn more_candidates_than_anyone_asks_for_are_refused() {
    let mut stream = strip().stream();
    let mut push = |index| {
        let piece = format!("{{\"candidates\":[{{\"index\":{index},\"content\":{{}}}}]}}");
        stream.push(events([piece]).into(), &mut Vec::new())
    };
    assert!((0..CHOICES).all(|index| push(index).is_ok()));
    assert_eq!(push(CHOICES), Err(Unreadable::Choices));
}

/// What comes of an array, and what an error would add to it.
fn relayed<'a>(
    start: &Start,
    chunks: impl IntoIterator<Item = &'a [u8]>,
    cut: bool,
) -> (String, String) {
    let mut stream = ReplyStream::array(Arc::clone(&start.rules), start.shown);
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
    let error = stream.error(b"{\"error\":1}").unwrap();
    let said = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (said(out.concat()), said(error.to_vec()))
}

/// Asserts what comes of an array wherever it is split.
fn array_becomes(start: &Start, stream: &str, expected: &str) {
    let stream = stream.as_bytes();
    assert_eq!(relayed(start, stream.chunks(1), false).0, expected);
    for at in 0..=stream.len() {
        let (head, tail) = stream.split_at(at);
        let out = relayed(start, [head, tail], false).0;
        assert_eq!(out, expected, "split at {at}");
    }
}

fn array<const N: usize>(pieces: [String; N]) -> String {
    format!("[{}\n]\r\n", pieces.join("\n,\r\n"))
}

#[test]
fn an_array_is_stripped_as_events_are_and_keeps_its_commas() {
    let stream = array([say("<think>a"), say("b</think>c "), say("d"), end()]);
    let expected = array([say("c "), say("d"), end()]);
    array_becomes(&strip(), &stream, &expected);
    let kept = array([say("a"), end()]);
    array_becomes(&strip(), &kept, &kept);
    array_becomes(&with(Text::Keep, false, false), &stream, &stream);
    let all = array([say("<think>a"), say("b"), end()]);
    array_becomes(&strip(), &all, &array([end()]));
    let held = format!("[{}]", say("a <"));
    let flushed = format!("[{},{}]", say("a "), own(&text("<")));
    array_becomes(&strip(), &held, &flushed);
    // Whoever answers with one reply alone.
    let alone = say("<think>a</think>b <");
    array_becomes(&strip(), &alone, &say("b <"));
    array_becomes(&strip(), "[]", "[]");
    array_becomes(&strip(), "<html>\n", "<html>\n");
}

#[test]
fn an_array_that_broke_off_ends_with_its_error_and_leaks_nothing() {
    let stream = array([say("<think>a</think>b"), say("c"), say("<think>secret")]);
    for at in 0..stream.len() {
        let bytes = &stream.as_bytes()[..at];
        let (out, error) = relayed(&strip(), [bytes], true);
        assert!(!out.contains("secret") && !out.contains("think>"), "{out}");
        let whole: serde_json::Value = serde_json::from_str(&(out + &error)).unwrap();
        let last = whole.as_array().unwrap().last();
        let ended = at >= stream.len() - 2;
        assert_eq!(
            last.is_some_and(|last| last["error"] == 1),
            !ended,
            "{at}: {whole}"
        );
    }
}

#[test]
fn a_whole_reply_is_edited_in_place() {
    let reply = |start: &Start, body: &str| {
        let segments = whole(&start.rules, start.shown, &body.to_owned().into());
        String::from_utf8(segments.concat()).unwrap()
    };
    let call = r#"{"functionCall":{"args":{"text":"<think>"}}}"#;
    let own = thought("<think>own");
    let parts = |parts: &[&str]| piece(&parts.join(", "), r#","finishReason":"STOP""#);
    let body = parts(&[
        &own,
        &text("<think>a"),
        &text("b</think>c"),
        call,
        &text("d <"),
    ]);
    let stripped = parts(&[&own, &text(""), &text("c"), call, &text("d <")]);
    assert_eq!(reply(&strip(), &body), stripped);
    assert_eq!(reply(&with(Text::Extract, false, false), &body), stripped);
    let first = thought("a") + "," + &text("");
    let second = thought("b") + "," + &text("c");
    let extracted = parts(&[&own, &first, &second, call, &text("d <")]);
    assert_eq!(reply(&extract(), &body), extracted);
    let dropped = body.replace(&(own + ", "), "");
    assert_eq!(reply(&with(Text::Keep, true, false), &body), dropped);
    for body in [
        "<think>",
        "[]",
        "{\"error\":\"<think>\"}",
        "{\"candidates\":\"<think>\"}",
    ] {
        assert_eq!(reply(&strip(), body), body);
    }
}
