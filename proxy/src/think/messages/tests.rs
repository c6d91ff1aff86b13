//! What whole streams and replies become, to the byte, wherever they are split.

use dragoman_dialects::Wire;
use serde_json::{Value, json};

use super::{stream::OPEN, whole};
use crate::think::split::{Start, rules};
use crate::think::{ReplyStream, Rules, Tag, Text, Unreadable};

fn with(text: Text, drop_fields: bool, shown: bool) -> Start {
    Start {
        wire: Wire::Messages,
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

fn event(name: &str, more: &str) -> String {
    format!("event: {name}\ndata: {{\"type\":\"{name}\"{more}}}\n\n")
}

fn start(index: usize, block: &str) -> String {
    event(
        "content_block_start",
        &format!(",\"index\":{index},\"content_block\":{block}"),
    )
}

fn start_text(index: usize) -> String {
    start(index, r#"{"type":"text","text":""}"#)
}

fn start_thinking(index: usize) -> String {
    start(index, r#"{"type":"thinking","thinking":"","signature":""}"#)
}

fn delta(index: usize, delta: &str) -> String {
    event(
        "content_block_delta",
        &format!(",\"index\":{index},\"delta\":{delta}"),
    )
}

/// A piece of text, given as the inside of its literal.
fn say(index: usize, text: &str) -> String {
    delta(
        index,
        &format!("{{\"type\":\"text_delta\",\"text\":\"{text}\"}}"),
    )
}

fn think(index: usize, text: &str) -> String {
    delta(
        index,
        &format!("{{\"type\":\"thinking_delta\",\"thinking\":\"{text}\"}}"),
    )
}

fn stop(index: usize) -> String {
    event("content_block_stop", &format!(",\"index\":{index}"))
}

fn begin() -> String {
    let message = r#","message":{"id":"msg_1","role":"assistant","content":[],"model":"<think>"}"#;
    event("message_start", message) + &event("ping", "")
}

fn end() -> String {
    event("message_delta", r#","delta":{"stop_reason":"end_turn"}"#) + &event("message_stop", "")
}

#[test]
fn a_message_is_stripped_and_keeps_all_else() {
    let stream = [
        begin(),
        start_text(0),
        say(0, "<th"),
        say(0, "ink>\\nsec"),
        ": keep-alive\n\n".into(),
        say(0, "ret</think>\\n"),
        say(0, "\\n"),
        say(0, "\\u00e9 a <"),
        say(0, "b"),
        say(0, "\\ud83d\\ude00"),
        delta(0, r#"{"x":1,"type":"text_delta","text":"<think>"}"#),
        stop(0),
        end(),
    ];
    let expected = [
        begin(),
        start_text(0),
        ": keep-alive\n\n".into(),
        say(0, "\u{e9} a "),
        say(0, "<b"),
        say(0, "\\ud83d\\ude00"),
        delta(0, r#"{"x":1,"type":"text_delta","text":""}"#),
        stop(0),
        end(),
    ];
    strip().becomes(&stream.concat(), &expected.concat());
}

#[test]
fn carriage_returns_and_bare_data_are_kept() {
    let stream = start_text(0) + &say(0, "<think>x</think>\u{e9} <") + &stop(0);
    let stream = stream.replace('\n', "\r\n");
    let held = say(0, "<").replace('\n', "\r\n");
    let expected = stream.replace("<think>x</think>\u{e9} <", "\u{e9} ");
    let at = expected.find("event: content_block_stop").unwrap();
    let expected = [&expected[..at], &held, &expected[at..]].concat();
    strip().becomes(&stream, &expected);
    let bare = "data: {\"delta\":{\"text\":\"<think>x</think>y\",\"type\":\"text_delta\"},\"index\":0,\"type\":\"content_block_delta\"}\n\n";
    strip().becomes(bare, &bare.replace("<think>x</think>", ""));
}

#[test]
fn each_block_is_a_text_of_its_own_and_gets_what_was_held_before_its_end() {
    let stream = [
        start_text(0),
        say(0, "a <thi"),
        stop(0),
        start_text(1),
        say(1, "nk>b"),
        stop(1),
        start_text(2),
        say(2, "<think>c"),
        stop(2),
        start_text(3),
        say(3, "d"),
        stop(3),
    ];
    let expected = [
        start_text(0),
        say(0, "a "),
        say(0, "<thi"),
        stop(0),
        start_text(1),
        say(1, "nk>b"),
        stop(1),
        start_text(2),
        stop(2),
        start_text(3),
        say(3, "d"),
        stop(3),
    ];
    strip().becomes(&stream.concat(), &expected.concat());
}

#[test]
fn what_is_held_back_comes_before_the_message_ends_whoever_forgets_to_end_the_block() {
    let held = start_text(0) + &say(0, "a <");
    let flushed = start_text(0) + &say(0, "a ") + &say(0, "<");
    strip().becomes(&(held.clone() + &end()), &(flushed.clone() + &end()));
    strip().becomes(&held, &flushed);
    strip().becomes(held.trim_end(), &flushed);
    let error = event("error", r#","error":{"type":"overloaded_error"}"#);
    strip().becomes(&(held.clone() + &error), &(flushed.clone() + &error));
    assert_eq!(strip().broken(held.as_bytes()), flushed);
}

#[test]
fn text_that_a_block_starts_with_is_stripped_too() {
    let stream = start(0, r#"{"type":"text","text":"<think>x</think>a<","y":1}"#) + &say(0, "b");
    let expected = start(0, r#"{"type":"text","text":"a","y":1}"#) + &say(0, "<b");
    strip().becomes(&stream, &expected);
    let expected = [
        start_thinking(0),
        think(0, "x"),
        stop(0),
        start(1, r#"{"type":"text","text":"","y":1}"#),
        say(1, "a"),
        say(1, "<b"),
    ];
    extract().becomes(&stream, &expected.concat());
}

#[test]
fn a_tools_input_and_own_thinking_are_never_touched() {
    let stream = [
        start_thinking(0),
        think(0, "<think>own</think>"),
        delta(0, r#"{"type":"signature_delta","signature":"<think>"}"#),
        stop(0),
        start(
            1,
            r#"{"type":"tool_use","id":"<think>","name":"f","input":{}}"#,
        ),
        delta(
            1,
            r#"{"type":"input_json_delta","partial_json":"{\"t\":\"<think>x</think>"}"#,
        ),
        stop(1),
    ];
    let stream = stream.concat();
    strip().becomes(&stream, &stream);
    extract().becomes(&stream, &stream);
}

#[test]
fn extracted_text_becomes_a_thinking_block_before_what_follows_it() {
    let stream = [
        begin(),
        start(0, r#"{"type":"text","text":"","citations":[]}"#),
        say(0, "<think>a\\n"),
        say(0, "b</think>\\n\\nc"),
        say(0, "d"),
        stop(0),
        start(1, r#"{"type":"tool_use","id":"t","name":"f","input":{}}"#),
        delta(1, r#"{"type":"input_json_delta","partial_json":"{}"}"#),
        stop(1),
        end(),
    ];
    let expected = [
        begin(),
        start_thinking(0),
        think(0, "a\\n"),
        think(0, "b"),
        stop(0),
        start(1, r#"{"type":"text","text":"","citations":[]}"#),
        say(1, "c"),
        say(1, "d"),
        stop(1),
        start(2, r#"{"type":"tool_use","id":"t","name":"f","input":{}}"#),
        delta(2, r#"{"type":"input_json_delta","partial_json":"{}"}"#),
        stop(2),
        end(),
    ];
    extract().becomes(&stream.concat(), &expected.concat());
}

#[test]
fn a_thought_in_the_middle_of_a_text_divides_it() {
    let stream = [
        start_text(0),
        say(0, "a"),
        say(0, "b"),
        say(0, "<think>x"),
        say(0, "y</think>"),
        say(0, "c"),
        say(0, "d"),
        stop(0),
    ];
    let expected = [
        start_text(0),
        say(0, "a"),
        say(0, "b"),
        stop(0),
        start_thinking(1),
        think(1, "x"),
        think(1, "y"),
        stop(1),
        start_text(2),
        say(2, "c"),
        say(2, "d"),
        stop(2),
    ];
    extract().becomes(&stream.concat(), &expected.concat());
}

#[test]
fn a_text_that_is_all_thought_is_a_thinking_block_alone() {
    let stream = start_text(0) + &say(0, "<think>a</think>") + &stop(0);
    let expected = start_thinking(0) + &think(0, "a") + &stop(0);
    extract().becomes(&stream, &expected);
    let silent = start_text(0) + &stop(0);
    extract().becomes(&silent, &silent);
}

#[test]
fn a_client_that_did_not_ask_for_thinking_gets_the_text_alone() {
    let stream = start_text(0) + &say(0, "<think>a</think>b") + &stop(0);
    let expected = start_text(0) + &say(0, "b") + &stop(0);
    with(Text::Extract, false, false).becomes(&stream, &expected);
}

#[test]
fn dropped_thinking_blocks_leave_no_gap_in_the_numbers() {
    let stream = [
        start_thinking(0),
        think(0, "a"),
        delta(0, r#"{"type":"signature_delta","signature":"s"}"#),
        stop(0),
        start(1, r#"{"type":"redacted_thinking","data":"x"}"#),
        stop(1),
        start_text(2),
        say(2, "<think>b</think>c"),
        say(2, "d"),
        stop(2),
    ];
    let text = [
        start_text(0),
        say(0, "<think>b</think>c"),
        say(0, "d"),
        stop(0),
    ]
    .concat();
    with(Text::Keep, true, false).becomes(&stream.concat(), &text);
    let stripped = text.replace("<think>b</think>", "");
    with(Text::Strip, true, true).becomes(&stream.concat(), &stripped);
    let extracted = [
        start_thinking(0),
        think(0, "b"),
        stop(0),
        start_text(1),
        say(1, "c"),
        say(1, "d"),
        stop(1),
    ];
    with(Text::Extract, true, true).becomes(&stream.concat(), &extracted.concat());
}

#[test]
fn only_the_first_text_starts_inside_of_a_block() {
    let open = Rules::new(Text::Strip, vec![Tag::default()], true, false);
    let open = Start {
        rules: open.into(),
        ..strip()
    };
    let block = |index, text: &str| start_text(index) + &say(index, text) + &stop(index);
    let stream = block(0, "x</think>a") + &block(1, "b");
    open.becomes(&stream, &(block(0, "a") + &block(1, "b")));
}

#[test]
fn blocks_that_are_open_at_once_are_kept_apart() {
    let stream = [
        start_text(0),
        start_text(1),
        say(0, "<think>a"),
        say(1, "b"),
        say(0, "c</think>d"),
        stop(0),
        say(1, "e"),
        stop(1),
    ];
    let expected = [
        start_text(0),
        start_text(1),
        say(1, "b"),
        say(0, "d"),
        stop(0),
        say(1, "e"),
        stop(1),
    ];
    strip().becomes(&stream.concat(), &expected.concat());
}

#[test]
fn an_untouched_chunk_is_the_same_memory_in_one_piece() {
    let block = begin() + &start_text(0) + &say(0, "a") + &say(0, "1 < 2 \\n```") + &say(0, "b");
    let chunk = block + &stop(0) + &end();
    strip().passes_in_one_piece(&chunk);
    with(Text::Keep, false, false).passes_in_one_piece("data: {\"typ");
}

#[test]
fn what_is_no_such_event_passes() {
    for stream in [
        "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":7}}\n\n",
        "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":7}\n\n",
        "data: {\"type\":\"content_block_delta\",\"index\":0}\n\n",
        "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":null}\n\n",
        "data: {\"type\":\"content_block_stop\",\"index\":9}\n\n",
        "data: {\"type\":\"tomorrows\",\"text\":\"<think>\"}\n\n",
        "data: [DONE]\n\n",
        "data: <think>\n\n",
        "<html>",
    ] {
        strip().becomes(stream, stream);
    }
}

#[test]
fn an_event_that_was_cut_off_leaks_nothing() {
    let whole = start_text(0) + &say(0, "<think>a") + &say(0, "secret");
    for at in 0..whole.len() {
        let bytes = &whole.as_bytes()[..at];
        for out in [strip().relay([bytes]), strip().broken(bytes)] {
            assert!(
                !out.contains("sec") && !out.contains("think>"),
                "cut at {at}: {out}"
            );
        }
    }
}

#[test]
fn more_open_blocks_than_anyone_reads_are_refused() {
    let mut stream = ReplyStream::new(Wire::Messages, strip().rules, false);
    let mut push = |index| stream.push(start_text(index).into(), &mut Vec::new());
    assert!((0..OPEN).all(|index| push(index).is_ok()));
    assert_eq!(push(OPEN), Err(Unreadable::Blocks));
}

fn reply(start: &Start, body: &str) -> String {
    let body = body.to_owned().into();
    String::from_utf8(whole(&start.rules, start.shown, &body).concat()).unwrap()
}

#[test]
fn a_whole_message_is_edited_in_place() {
    let body = r#"{"id":"m", "content": [{"type":"thinking","thinking":"<think>"}, {"type":"text","text":"<think>a</think>\n\u00e9","x":[]},{"type":"tool_use","input":{"text":"<think>"}}, {"type":"text","text":"<thi"}],"usage":{}}"#;
    let stripped = body.replace(r"<think>a</think>\n\u00e9", "\u{e9}");
    assert_eq!(reply(&strip(), body), stripped);
    assert_eq!(reply(&with(Text::Extract, false, false), body), stripped);
    let block = r#"{"type":"thinking","thinking":"a","signature":""},{"type":"text","text":"é"#;
    let extracted = stripped.replace(r#"{"type":"text","text":"é"#, block);
    assert_eq!(reply(&extract(), body), extracted);
    let dropped = body.replace(r#"{"type":"thinking","thinking":"<think>"}, "#, "");
    assert_eq!(reply(&with(Text::Keep, true, false), body), dropped);
}

#[test]
fn thinking_blocks_are_dropped_wherever_they_stand() {
    let blocks = |list: Vec<Value>| json!({"content": list, "model": "m"}).to_string();
    let thought = || json!({"type": "redacted_thinking", "data": "x"});
    let text = |text: &str| json!({"type": "text", "text": text});
    let drop = with(Text::Extract, true, true);
    for (before, after) in [
        (vec![thought()], vec![]),
        (vec![thought(), thought()], vec![]),
        (vec![thought(), text("a"), thought()], vec![text("a")]),
        (
            vec![thought(), thought(), text("a"), thought(), text("b")],
            vec![text("a"), text("b")],
        ),
        (
            vec![thought(), text("<think>a</think>b")],
            vec![
                json!({"type": "thinking", "thinking": "a", "signature": ""}),
                text("b"),
            ],
        ),
    ] {
        let edited: Value = serde_json::from_str(&reply(&drop, &blocks(before))).unwrap();
        assert_eq!(edited["content"], Value::from(after));
    }
}

#[test]
fn a_body_that_is_no_message_comes_back_as_it_is() {
    for body in [
        "<think>",
        "[]",
        r#"{"content":"<think>a</think>"}"#,
        r#"{"content":[1,{"type":"text"},{"text":"<think>a"}]}"#,
        r#"{"type":"error","error":{"message":"<think>"}}"#,
    ] {
        assert_eq!(reply(&strip(), body), body);
    }
}
