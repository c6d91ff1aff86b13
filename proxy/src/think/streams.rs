//! What whole streams become, to the byte, wherever they are split.

use std::sync::Arc;

use bytes::Bytes;

use super::stream::CHOICES;
use super::{OpenAiStream, Rules, Tag, Text, Unreadable};

fn rules(text: Text, drop_fields: bool) -> Arc<Rules> {
    Arc::new(Rules::new(text, vec![Tag::default()], false, drop_fields))
}

fn relay<'a>(rules: &Arc<Rules>, chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut stream = OpenAiStream::new(Arc::clone(rules));
    let mut out = Vec::new();
    for chunk in chunks {
        stream
            .push(Bytes::copy_from_slice(chunk), &mut out)
            .unwrap();
    }
    stream.finish(&mut out).unwrap();
    out.concat()
}

/// Asserts what comes of a stream, in one piece, byte by byte, and split in two at every byte.
fn becomes(rules: &Arc<Rules>, stream: &str, expected: &str) {
    let stream = stream.as_bytes();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    assert_eq!(text(relay(rules, [stream])), expected);
    assert_eq!(text(relay(rules, stream.chunks(1))), expected);
    for at in 0..stream.len() {
        let (head, tail) = stream.split_at(at);
        assert_eq!(text(relay(rules, [head, tail])), expected, "split at {at}");
    }
}

/// An event of a chat's only choice.
fn say(delta: &str) -> String {
    format!(
        "data: {{\"id\":\"x\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":null}}]}}\n\n"
    )
}

fn end(delta: &str) -> String {
    say(delta).replace("null", "\"stop\"")
}

const DONE: &str = "data: [DONE]\n\n";

#[test]
fn a_chat_is_stripped_and_keeps_all_else() {
    let role = say(r#"{"role":"assistant","content":""}"#);
    let usage = "data: {\"id\":\"x\",\"choices\":[],\"usage\":{\"total_tokens\":9}}\n\n";
    let stream = [
        role.clone(),
        say(r#"{"content":"<th"}"#),
        say(r#"{"content":"ink>\nsec"}"#),
        ": keep-alive\n\n".into(),
        say(r#"{"content":"ret</think>\n"}"#),
        say(r#"{"content":"\n"}"#),
        say(r#"{"content":"\u00e9 a <"}"#),
        say(r#"{"content":"b \ud83d\ude00"}"#),
        say(r#"{"content":"\ud83d\ude00","x":1}"#),
        end("{}"),
        usage.into(),
        DONE.into(),
    ];
    let expected = [
        role,
        ": keep-alive\n\n".into(),
        say("{\"content\":\"\u{e9} a \"}"),
        say("{\"content\":\"<b \u{1f600}\"}"),
        say(r#"{"content":"\ud83d\ude00","x":1}"#),
        end("{}"),
        usage.into(),
        DONE.into(),
    ];
    becomes(
        &rules(Text::Strip, false),
        &stream.concat(),
        &expected.concat(),
    );
}

#[test]
fn carriage_returns_and_bare_fields_are_kept() {
    let stream = "\u{feff}event: message\r\ndata:{\"choices\":[{\"delta\":{\"content\":\"<think>x</think>\u{e9}\"}}]}\r\nid: 1\r\n\r\ndata: [DONE]\r\n\r\n";
    let expected = stream.replace("<think>x</think>", "");
    becomes(&rules(Text::Strip, false), stream, &expected);
}

#[test]
fn every_choice_has_its_own_state() {
    let choice = |index: u32, text: &str| {
        format!(r#"{{"index":{index},"delta":{{"content":"{text}"}},"finish_reason":null}}"#)
    };
    let event = |choices: &[String]| format!("data: {{\"choices\":[{}]}}\n\n", choices.join(", "));
    let stream = [
        event(&[choice(0, "<think>a"), choice(1, "b<thi")]),
        event(&[choice(1, "s"), choice(0, "c</think>d")]),
        event(&[choice(0, "e")]),
    ];
    let expected = [
        event(&[choice(0, ""), choice(1, "b")]),
        event(&[choice(1, "<this"), choice(0, "d")]),
        event(&[choice(0, "e")]),
    ];
    becomes(
        &rules(Text::Strip, false),
        &stream.concat(),
        &expected.concat(),
    );
}

#[test]
fn escaped_tags_are_tags() {
    let stream = say(r#"{"content":"\u003cthink\u003ehm\u003c/think\u003eHi \"you\""}"#);
    becomes(
        &rules(Text::Strip, false),
        &stream,
        &say(r#"{"content":"Hi \"you\""}"#),
    );
}

#[test]
fn completions_are_stripped_in_their_text() {
    let event = |text: &str, end: &str| {
        format!(
            "data: {{\"object\":\"text_completion\",\"choices\":[{{\"text\":\"{text}\",\"index\":0,\"finish_reason\":{end}}}]}}\n\n"
        )
    };
    let stream = [
        event("<think>a", "null"),
        event("b</think>c<", "null"),
        event("", "\"length\""),
    ];
    let expected = [event("c", "null"), event("<", "\"length\"")];
    becomes(
        &rules(Text::Strip, false),
        &stream.concat(),
        &expected.concat(),
    );
}

#[test]
fn what_is_held_back_comes_before_the_end() {
    let strip = rules(Text::Strip, false);
    let held = say(r#"{"content":"a <thin"}"#);
    let a = say(r#"{"content":"a "}"#);
    becomes(
        &strip,
        &[&held, &end("{}")].map(String::as_str).concat(),
        &(a.clone() + &end(r#"{"content":"<thin"}"#)),
    );
    let bare = "data: {\"choices\":[{\"index\":0,\"finish_reason\":\"stop\"}]}\n\n";
    let filled = bare.replace("\"stop\"", "\"stop\",\"delta\":{\"content\":\"<thin\"}");
    becomes(&strip, &(held.clone() + bare), &(a.clone() + &filled));
    becomes(
        &strip,
        &(held.clone() + DONE),
        &(a.clone() + &say(r#"{"content":"<thin"}"#) + DONE),
    );
    becomes(&strip, &held, &(a.clone() + &say(r#"{"content":"<thin"}"#)));
    becomes(
        &strip,
        held.trim_end(),
        &(a + &say(r#"{"content":"<thin"}"#)),
    );
}

#[test]
fn a_completion_without_an_end_gets_what_was_held_as_a_chunk() {
    let stream = "data: {\"id\":\"t\",\"model\":\"m\",\"choices\":[{\"text\":\"a<\",\"index\":3}]}\r\n\r\ndata: [DONE]\r\n\r\n";
    let expected = "data: {\"id\":\"t\",\"model\":\"m\",\"choices\":[{\"text\":\"a\",\"index\":3}]}\r\n\r\ndata: {\"id\":\"t\",\"model\":\"m\",\"choices\":[{\"index\":3,\"text\":\"<\",\"logprobs\":null,\"finish_reason\":null}]}\r\n\r\ndata: [DONE]\r\n\r\n";
    becomes(&rules(Text::Strip, false), stream, expected);
}

#[test]
fn a_chunk_goes_only_if_it_tells_nothing_else() {
    let strip = rules(Text::Strip, false);
    let open = say(r#"{"content":"<think>"}"#);
    let kept = |before: &str, after: &str| becomes(&strip, &(open.clone() + before), after);
    kept(&say(r#"{"content":"x","refusal":null}"#), "");
    kept(
        &say(r#"{"content":"x","role":"assistant"}"#),
        &say(r#"{"content":"","role":"assistant"}"#),
    );
    kept(&end(r#"{"content":"x"}"#), &end(r#"{"content":""}"#));
    let tools = r#"{"content":"x","tool_calls":[{"index":0,"function":{"arguments":"<think>"}}]}"#;
    kept(&say(tools), &say(&tools.replace("\"x\"", "\"\"")));
    let usage = say(r#"{"content":"x"}"#).replace("\"id\"", "\"usage\":{},\"id\"");
    kept(&usage, &usage.replace("\"x\"}", "\"\"}"));
    kept(
        &say(r#"{"reasoning_content":"<think>"}"#),
        &say(r#"{"reasoning_content":"<think>"}"#),
    );
}

#[test]
fn tool_calls_are_never_touched() {
    let call = say(
        r#"{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":"{\"t\":\"<think>x</think>\\n\"}"}}]}"#,
    );
    becomes(
        &rules(Text::Strip, false),
        &(call.clone() + DONE),
        &(call + DONE),
    );
}

#[test]
fn extracted_text_moves_beside_the_content() {
    let stream = [
        say(r#"{"content":"<think>a\n"}"#),
        say(r#"{"content":"b</think>\n\nc"}"#),
        say(r#"{"content":"<think>d","reasoning_content":"own "}"#),
        end("{}"),
    ];
    let expected = [
        say(r#"{"content":"","reasoning_content":"a\n"}"#),
        say(r#"{"content":"c","reasoning_content":"b"}"#),
        say(r#"{"content":"","reasoning_content":"own d"}"#),
        end("{}"),
    ];
    becomes(
        &rules(Text::Extract, false),
        &stream.concat(),
        &expected.concat(),
    );
}

#[test]
fn dropped_fields_leave_the_rest() {
    let drop = rules(Text::Keep, true);
    let stream = [
        say(r#"{"role":"assistant","reasoning_content":""}"#),
        say(
            r#"{"reasoning_content":"x","reasoning":"x","reasoning_details":[{"a":1}],"thinking":{}}"#,
        ),
        say(r#"{"content":"<think>","reasoning":null}"#),
        say(r#"{"content":"</think>"}"#),
    ];
    let expected = [
        say(r#"{"role":"assistant"}"#),
        say(r#"{"content":"<think>"}"#),
        say(r#"{"content":"</think>"}"#),
    ];
    becomes(&drop, &stream.concat(), &expected.concat());
    let both = say(r#"{"reasoning_content":"up","content":"<think>x</think>y"}"#);
    becomes(
        &rules(Text::Extract, true),
        &both,
        &say(r#"{"reasoning_content":"x","content":"y"}"#),
    );
}

#[test]
fn logprobs_do_not_spell_out_what_was_stripped() {
    let event = |content: &str, logprobs: &str| {
        say(&format!("{{\"content\":\"{content}\"}}"))
            .replace("\"delta\"", &format!("\"logprobs\":{logprobs},\"delta\""))
    };
    let spelled = r#"{"content":[{"token":"secret"}]}"#;
    let stream = event("a<think>secret", spelled)
        + &event("secret", spelled)
        + &event("</think>b", spelled)
        + &event("c", spelled);
    let expected = event("a", "null") + &event("b", "null") + &event("c", spelled);
    becomes(&rules(Text::Strip, false), &stream, &expected);
}

#[test]
fn an_untouched_chunk_is_the_same_memory_in_one_piece() {
    let events =
        say(r#"{"content":"a"}"#) + &say(r#"{"content":"1 < 2 \n```"}"#) + ": ping\n\n" + DONE;
    let chunk = Bytes::from(events);
    let mut stream = OpenAiStream::new(rules(Text::Strip, false));
    let mut out = Vec::new();
    for _ in 0..3 {
        stream.push(chunk.clone(), &mut out).unwrap();
    }
    assert_eq!(out.len(), 3);
    for piece in out {
        assert_eq!((piece.as_ptr(), piece.len()), (chunk.as_ptr(), chunk.len()));
    }
}

#[test]
fn what_is_no_chunk_passes() {
    let strip = rules(Text::Strip, false);
    for stream in [
        "data: {\"error\":{\"message\":\"<think>\"}}\n\n",
        "data: {\"choices\":null}\n\n",
        "data: {\"choices\":[1,{\"delta\":7},{}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"content\":[{\"text\":\"<think>\"}]}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"content\":\"<think>x\"}}]\n\n",
        "data: <think>\n\n",
        "<html>",
    ] {
        becomes(&strip, stream, stream);
    }
}

#[test]
fn an_event_that_was_cut_off_leaks_nothing() {
    let strip = rules(Text::Strip, false);
    let whole = say(r#"{"content":"<think>a"}"#) + &say(r#"{"content":"secret"}"#);
    for at in 0..whole.len() {
        let out = String::from_utf8(relay(&strip, [&whole.as_bytes()[..at]])).unwrap();
        assert!(
            !out.contains("sec") && !out.contains("think>"),
            "cut at {at}: {out}"
        );
    }
}

#[test]
fn several_data_lines_are_one_chunk() {
    let stream =
        "id: 1\ndata: {\"choices\":[\ndata: {\"delta\":{\"content\":\"<think>x</think>y\"}}]}\n\n";
    becomes(
        &rules(Text::Strip, false),
        stream,
        &stream.replace("<think>x</think>", ""),
    );
}

#[test]
fn more_choices_than_anyone_may_ask_for_are_refused() {
    let mut stream = OpenAiStream::new(rules(Text::Strip, false));
    let mut push = |index: usize| {
        let event = format!(
            "data: {{\"choices\":[{{\"index\":{index},\"delta\":{{\"content\":\"a\"}}}}]}}\n\n"
        );
        stream.push(event.into(), &mut Vec::new())
    };
    assert!((0..CHOICES).all(|index| push(index).is_ok()));
    assert_eq!(push(CHOICES), Err(Unreadable::Choices));
}
