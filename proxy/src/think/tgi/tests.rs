//! What whole streams and replies become, to the byte, wherever they are split.

use dragoman_dialects::Wire;

use super::whole;
use crate::think::split::{Start, rules};
use crate::think::{Rules, Tag, Text};

fn with(text: Text) -> Start {
    Start {
        wire: Wire::Tgi,
        rules: rules(text, false),
        shown: false,
    }
}

fn strip() -> Start {
    with(Text::Strip)
}

/// The event of a token.
fn token(id: u32, text: &str) -> String {
    format!(
        "data:{{\"index\":{id},\"token\":{{\"id\":{id},\"text\":\"{text}\",\"logprob\":-0.125,\"special\":false}},\"top_tokens\":[{{\"text\":\"{text}\"}}],\"generated_text\":null,\"details\":null}}\n\n"
    )
}

/// The event of a token of which only a part is left.
fn cut(id: u32, text: &str) -> String {
    let event = token(id, text);
    let top = format!("[{{\"text\":\"{text}\"}}]");
    event.replace(&top, "[]")
}

/// The last event.
fn end(text: &str) -> String {
    format!(
        "data:{{\"index\":9,\"token\":{{\"id\":2,\"text\":\"</s>\",\"logprob\":-0.5,\"special\":true}},\"generated_text\":\"{text}\",\"details\":{{\"finish_reason\":\"eos_token\",\"generated_tokens\":9,\"seed\":null}}}}\n\n"
    )
}

#[test]
fn tokens_of_a_block_are_left_out_and_all_others_are_the_servers() {
    let stream = [
        token(1, "<"),
        token(2, "think"),
        token(3, ">"),
        token(4, "hm"),
        ":\n\n".into(),
        token(5, ""),
        token(6, "</think>"),
        token(7, "\\n"),
        token(8, "\\n"),
        token(9, "\\u00e9 1"),
        token(10, " <"),
        token(11, " 2"),
        end("<think>hm</think>\\n\\n\\u00e9 1 < 2"),
    ];
    let expected = [
        ":\n\n".into(),
        token(9, "\\u00e9 1"),
        token(10, " <"),
        token(11, " 2"),
        end("\u{e9} 1 < 2"),
    ];
    strip().becomes(&stream.concat(), &expected.concat());
    with(Text::Extract).becomes(&stream.concat(), &expected.concat());
    with(Text::Keep).becomes(&stream.concat(), &stream.concat());
}

#[test]
fn a_token_of_which_a_part_is_left_keeps_its_id_and_tells_no_alternatives() {
    let stream = [
        token(1, "a <"),
        token(2, "think>b"),
        token(3, "c</think>d <"),
        token(4, "e"),
        end("a <think>bc</think>d <e"),
    ];
    let expected = [cut(1, "a "), cut(3, "d <"), token(4, "e"), end("a d <e")];
    strip().becomes(&stream.concat(), &expected.concat());
    let stream = [token(1, "<"), token(2, " x <think>y"), end("< x <think>y")];
    let expected = [cut(2, "< x "), end("< x ")];
    strip().becomes(&stream.concat(), &expected.concat());
}

#[test]
fn what_waits_comes_as_it_was_before_the_end() {
    let held = token(1, "a <thin");
    let last = end("a <thin");
    strip().becomes(&(held.clone() + &last), &(held.clone() + &last));
    strip().becomes(&held, &held);
    let error = "data:{\"error\":\"it broke\",\"error_type\":\"generation\"}\n\n";
    strip().becomes(&(held.clone() + error), &(held.clone() + error));
    assert_eq!(strip().broken(held.as_bytes()), held);
    let special = token(2, "<s>").replace("false", "true");
    let stream = held + &special + &token(3, "k") + &end("a <think");
    strip().becomes(&stream, &stream);
}

#[test]
fn the_last_event_comes_whatever_is_left_of_its_token() {
    let last = |text: &str, whole: &str| {
        token(2, text).replace(
            "\"generated_text\":null",
            &format!("\"generated_text\":\"{whole}\""),
        )
    };
    let stream = token(1, "<think>") + &last("a", "<think>a");
    let expected = last("", "").replace("[{\"text\":\"\"}]", "[]");
    strip().becomes(&stream, &expected);
}

#[test]
fn a_text_may_start_inside_of_a_block() {
    let open = Rules::new(Text::Strip, vec![Tag::default()], true, false);
    let open = Start {
        rules: open.into(),
        ..strip()
    };
    let stream = [
        token(1, "\\n"),
        token(2, "x"),
        token(3, "y</think>"),
        token(4, "a"),
    ];
    open.becomes(&stream.concat(), &token(4, "a"));
}

#[test]
fn untouched_events_are_the_same_memory_in_one_piece() {
    let events = token(1, "1") + &token(2, " 2 \\n```") + ":\n\n" + &end("1 2 \\n```");
    strip().passes_in_one_piece(&events);
}

#[test]
fn what_is_no_such_event_passes() {
    for stream in [
        "data:{\"error\":\"<think>\"}\n\n",
        "data:{\"token\":null}\r\n\r\n",
        "data:{\"token\":{\"text\":7}}\n\n",
        "data:[1,\"<think>\"]\n\n",
        "data: [DONE]\n\n",
        "<html>",
    ] {
        strip().becomes(stream, stream);
    }
}

#[test]
fn an_event_that_was_cut_off_leaks_nothing() {
    let whole = token(1, "<think>a") + &token(2, "secret");
    for at in 0..whole.len() {
        for out in [
            strip().relay([&whole.as_bytes()[..at]]),
            strip().broken(&whole.as_bytes()[..at]),
        ] {
            assert!(
                !out.contains("sec") && !out.contains("think>"),
                "cut at {at}: {out}"
            );
        }
    }
}

fn reply(start: &Start, body: &str) -> String {
    String::from_utf8(whole(&start.rules, &body.to_owned().into()).concat()).unwrap()
}

#[test]
fn a_whole_reply_is_edited_in_place_and_tells_no_tokens_of_what_it_lost() {
    let plain = r#"{"generated_text":"<think>a</think>\n\u00e9 <", "x":"<think>"}"#;
    let stripped = plain.replace(r"<think>a</think>\n\u00e9", "\u{e9}");
    assert_eq!(reply(&strip(), plain), stripped);
    assert_eq!(
        reply(&strip(), &format!(" [{plain}]")),
        format!(" [{stripped}]")
    );
    let other = |text: &str, tokens: &str| {
        format!(
            r#"{{"generated_text":"{text}","finish_reason":"length","tokens":{tokens},"seed":7}}"#
        )
    };
    let body = |text: &str, tokens: &str, first: &str, second: &str| {
        format!(
            r#"{{"generated_text":"{text}","details":{{"generated_tokens":5,"prefill":[{{"text":"<think>"}}],"tokens":{tokens},"top_tokens":{tokens},"best_of_sequences":[{first}, {second}]}}}}"#
        )
    };
    let (tokens, spelt) = (r#"[{"id":1,"text":"b"}]"#, r#"[{"id":1,"text":"<think>"}]"#);
    let untouched = other("b", tokens);
    assert_eq!(
        reply(
            &strip(),
            &body(
                "<think>a</think>b",
                spelt,
                &untouched,
                &other("<think>c", spelt)
            )
        ),
        body("b", "[]", &untouched, &other("", "[]")),
    );
    let kept = body("b", tokens, &untouched, &untouched);
    assert_eq!(reply(&strip(), &kept), kept);
    for no_reply in [
        "[]",
        "<think>",
        r#"{"models":["<think>"]}"#,
        r#"{"details":7}"#,
        "[7]",
    ] {
        assert_eq!(reply(&strip(), no_reply), no_reply);
    }
}
