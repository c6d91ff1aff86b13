//! What whole streams and replies become, to the byte, wherever they are split.

use dragoman_dialects::Wire;

use super::whole;
use crate::think::split::{Start, rules};
use crate::think::{Rules, Tag, Text};

fn with(text: Text, drop_fields: bool) -> Start {
    Start {
        wire: Wire::OllamaChat,
        rules: rules(text, drop_fields),
        shown: true,
    }
}

fn strip() -> Start {
    with(Text::Strip, false)
}

/// A line of a chat, whose message has these members after its role.
fn say(message: &str) -> String {
    format!(
        "{{\"model\":\"m\",\"created_at\":\"t\",\"message\":{{\"role\":\"assistant\",{message}}},\"done\":false}}\n"
    )
}

fn end(message: &str) -> String {
    say(message).replace("false}", "true,\"done_reason\":\"stop\"}")
}

/// A line of generate's.
fn generate(response: &str) -> String {
    format!(
        "{{\"model\":\"m\",\"created_at\":\"t\",\"response\":\"{response}\",\"done\":false}}\r\n"
    )
}

#[test]
fn a_chat_is_stripped_and_keeps_all_else() {
    let stream = [
        say(r#""content":"<th""#),
        say(r#""content":"ink>\nsec""#),
        "\n".into(),
        say(r#""content":"ret</think>\n""#),
        say(r#""content":"\n""#),
        say(r#""content":"\u00e9 a <""#),
        say(r#""content":"b""#),
        say(r#""content":"\ud83d\ude00","x":1"#),
        end(r#""content":"""#),
    ];
    let expected = [
        "\n".into(),
        say("\"content\":\"\u{e9} a \""),
        say(r#""content":"<b""#),
        say(r#""content":"\ud83d\ude00","x":1"#),
        end(r#""content":"""#),
    ];
    strip().becomes(&stream.concat(), &expected.concat());
}

#[test]
fn generate_is_stripped_in_its_response() {
    let done = generate("").replace("false", "true,\"context\":[1,2]");
    let stream = generate("<think>a") + &generate("b</think>c<") + &done;
    let expected = generate("c") + &done.replace("\"response\":\"\"", "\"response\":\"<\"");
    strip().becomes(&stream, &expected);
    let extracted = [
        generate("").replace("\"done\":false", "\"done\":false,\"thinking\":\"a\""),
        generate("c").replace("\"done\":false", "\"done\":false,\"thinking\":\"b\""),
        done.replace("\"response\":\"\"", "\"response\":\"<\""),
    ];
    with(Text::Extract, false).becomes(&stream, &extracted.concat());
}

#[test]
fn what_is_held_back_comes_before_the_end() {
    let held = say(r#""content":"a <thin""#);
    let a = say(r#""content":"a ""#);
    let rest = say(r#""content":"<thin""#);
    let flushed = a.clone() + &rest;
    strip().becomes(
        &(held.clone() + &end(r#""content":"""#)),
        &(a + &end(r#""content":"<thin""#)),
    );
    strip().becomes(&held, &flushed);
    strip().becomes(held.trim_end(), &flushed);
    let bare = "{\"model\":\"m\",\"done\":true}\n";
    strip().becomes(&(held.clone() + bare), &(flushed.clone() + bare));
    let error = "{\"error\":\"it broke\"}\n";
    strip().becomes(&(held.clone() + error), &(flushed.clone() + error));
    assert_eq!(strip().broken(held.as_bytes()), flushed);
    let generated = generate("a <");
    let rest = generate("<").replace('\r', "");
    strip().becomes(&generated, &(generate("a ") + &rest));
}

#[test]
fn a_line_goes_only_if_it_tells_nothing_else() {
    let open = say(r#""content":"<think>""#);
    let kept = |before: &str, after: &str| strip().becomes(&(open.clone() + before), after);
    kept(&say(r#""content":"x","images":null"#), "");
    kept(&say(r#""content":"x","thinking":"""#), "");
    let thinking = r#""content":"x","thinking":"own""#;
    kept(&say(thinking), &say(&thinking.replace("\"x\"", "\"\"")));
    let tools =
        r#""content":"x","tool_calls":[{"function":{"name":"f","arguments":{"t":"<think>"}}}]"#;
    kept(&say(tools), &say(&tools.replace("\"x\"", "\"\"")));
    kept(&end(r#""content":"x""#), &end(r#""content":"""#));
}

#[test]
fn tool_calls_and_own_thinking_are_never_touched() {
    let stream = say(r#""content":"","tool_calls":[{"function":{"arguments":{"t":"<think>x"}}}]"#)
        + &say(r#""content":"","thinking":"<think>own</think>""#)
        + &end(r#""content":"""#);
    strip().becomes(&stream, &stream);
}

#[test]
fn extracted_text_moves_beside_the_content() {
    let stream = [
        say(r#""content":"<think>a\n""#),
        say(r#""content":"b</think>\n\nc""#),
        say(r#""content":"<think>d","thinking":"own ""#),
        end(r#""content":"""#),
    ];
    let expected = [
        say(r#""content":"","thinking":"a\n""#),
        say(r#""content":"c","thinking":"b""#),
        say(r#""content":"","thinking":"own d""#),
        end(r#""content":"""#),
    ];
    with(Text::Extract, false).becomes(&stream.concat(), &expected.concat());
}

#[test]
fn dropped_thinking_leaves_the_rest() {
    let stream = say(r#""content":"","thinking":"x""#)
        + &say(r#""content":"<think>","thinking":"""#)
        + &generate("y").replace("\"done\"", "\"thinking\":\"x\",\"done\"");
    let expected = say(r#""content":"<think>""#) + &generate("y");
    with(Text::Keep, true).becomes(&stream, &expected);
    let both = say(r#""content":"<think>x</think>y","thinking":"own""#);
    with(Text::Extract, true).becomes(&both, &say(r#""content":"y","thinking":"x""#));
}

#[test]
fn logprobs_do_not_spell_out_what_was_stripped() {
    let with_logprobs = |line: String| line.replace("\"done\"", "\"logprobs\":[{}],\"done\"");
    let stream = with_logprobs(say(r#""content":"<think>secret""#))
        + &with_logprobs(say(r#""content":"</think>b""#))
        + &with_logprobs(say(r#""content":"c""#));
    let expected = say(r#""content":"b""#) + &with_logprobs(say(r#""content":"c""#));
    strip().becomes(&stream, &expected);
}

#[test]
fn a_text_may_start_inside_of_a_block() {
    let open = Rules::new(Text::Strip, vec![Tag::default()], true, false);
    let open = Start {
        rules: open.into(),
        ..strip()
    };
    let stream = say(r#""content":"x""#) + &say(r#""content":"y</think>a""#);
    open.becomes(&stream, &say(r#""content":"a""#));
}

#[test]
fn untouched_lines_are_the_same_memory_in_one_piece() {
    let lines = say(r#""content":"a""#) + &say(r#""content":"1 < 2 \n```""#) + &generate("b");
    strip().passes_in_one_piece(&(lines.clone() + "\n" + &end(r#""content":"""#)));
    with(Text::Keep, false).passes_in_one_piece(&lines);
}

#[test]
fn what_is_no_such_line_passes() {
    for stream in [
        "{\"error\":\"<think>\"}\n",
        "{\"message\":null,\"done\":false}\n",
        "{\"message\":{\"content\":7}}\r\n",
        "{\"response\":[\"<think>\"]}\n",
        "[1,\"<think>\"]\n",
        "<think>\n",
        "<html>",
    ] {
        strip().becomes(stream, stream);
    }
}

#[test]
fn a_line_that_was_cut_off_leaks_nothing_and_leaves_room_for_an_error() {
    let whole = say(r#""content":"<think>a""#) + &say(r#""content":"secret""#);
    for at in 0..whole.len() {
        let bytes = &whole.as_bytes()[..at];
        let out = strip().relay([bytes]);
        assert!(
            !out.contains("sec") && !out.contains("think>"),
            "cut at {at}: {out}"
        );
        for start in [strip(), with(Text::Keep, false)] {
            let out = start.broken(bytes);
            assert!(out.is_empty() || out.ends_with('\n'), "cut at {at}: {out}");
        }
    }
}

fn reply(start: &Start, body: &str) -> String {
    String::from_utf8(whole(&start.rules, &body.to_owned().into()).concat()).unwrap()
}

#[test]
fn a_whole_reply_is_edited_in_place() {
    let body = end(r#""content":"<think>a</think>\n\u00e9 <", "tool_calls":[{"t":"<think>"}]"#);
    let visible = body.replace(r"<think>a</think>\n\u00e9 <", "\u{e9} <");
    assert_eq!(reply(&strip(), &body), visible);
    let extracted = visible.replace("}]}", "}],\"thinking\":\"a\"}");
    assert_eq!(reply(&with(Text::Extract, false), &body), extracted);
    let body = r#"{"response":"a", "thinking":"x" ,"done":true}"#;
    assert_eq!(
        reply(&with(Text::Keep, true), body),
        r#"{"response":"a" ,"done":true}"#
    );
    for other in ["[]", "<think>", r#"{"models":["<think>"]}"#] {
        assert_eq!(reply(&strip(), other), other);
    }
}
