//! What whole texts become: the rules of the stripper, one by one.

use std::sync::Arc;

use super::{Rules, Stripper, Tag, Text};

/// What comes of a text that arrives in one piece: what is seen, what was thought.
fn run(rules: Rules, text: &str) -> (String, String) {
    let mut stripper = Stripper::new(Arc::new(rules));
    let mut pieces = stripper.push(text);
    pieces.append(stripper.finish());
    (pieces.visible.into_owned(), pieces.reasoning.into_owned())
}

fn seen(text: &str) -> String {
    run(Rules::default(), text).0
}

fn extracted(text: &str) -> (String, String) {
    run(
        Rules::new(Text::Extract, vec![Tag::default()], false, false),
        text,
    )
}

fn started_open(text: &str) -> (String, String) {
    run(
        Rules::new(Text::Extract, vec![Tag::default()], true, false),
        text,
    )
}

fn both(seen: &str, thought: &str) -> (String, String) {
    (seen.into(), thought.into())
}

#[test]
fn a_block_is_stripped_and_nothing_else() {
    assert_eq!(seen("<think>secret</think>Answer"), "Answer");
    assert_eq!(seen("a <think>secret</think> b"), "a  b");
    assert_eq!(
        seen("\u{e9}<think>\u{1f600}</think>\u{1f600}"),
        "\u{e9}\u{1f600}"
    );
    assert_eq!(seen("<think></think>x<think>2</think>y"), "xy");
    assert_eq!(
        seen("a < b <thinking> </x> <th"),
        "a < b <thinking> </x> <th"
    );
}

#[test]
fn a_block_without_end_never_ends() {
    assert_eq!(seen("a<think>secret\n\nmore </thin"), "a");
    assert_eq!(extracted("a<think>secret</thin"), both("a", "secret</thin"));
}

#[test]
fn blocks_nest() {
    assert_eq!(seen("<think>a<think>b</think>c</think>d"), "d");
    assert_eq!(
        extracted("<think>a<think x>b</think>c</think>d"),
        both("d", "a<think x>b</think>c")
    );
    assert_eq!(seen("<think>a<think>b</think>c"), "");
}

#[test]
fn an_orphan_close_passes_unless_the_text_starts_open() {
    assert_eq!(seen("a</think>b"), "a</think>b");
    assert_eq!(
        started_open("a</think>\n\nb</think>c"),
        both("b</think>c", "a")
    );
    assert_eq!(started_open("never closed"), both("", "never closed"));
}

#[test]
fn a_text_that_starts_open_may_say_so_itself() {
    assert_eq!(started_open("\n<think>\na</think>b"), both("b", "\n\na"));
    assert_eq!(
        started_open("x<think>a</think>b</think>c"),
        both("c", "x<think>a</think>b")
    );
    assert_eq!(started_open("<thi"), both("", "<thi"));
}

#[test]
fn blank_lines_after_a_block_go_with_it() {
    assert_eq!(seen("<think>x</think>\n\nAnswer"), "Answer");
    assert_eq!(seen("<think>x</think>\r\n\r\nAnswer"), "Answer");
    assert_eq!(seen("<think>x</think> \t\n  \n  Answer"), "  Answer");
    assert_eq!(seen("a\n\n<think>x</think>\n\nb"), "a\n\nb");
    assert_eq!(
        seen("<think>x</think>\n<think>y</think>\n\nb\n\nc"),
        "b\n\nc"
    );
    assert_eq!(seen("<think>x</think>\n \r"), " \r");
    assert_eq!(seen("<think>x</think>  "), "  ");
}

#[test]
fn the_end_of_a_line_with_text_on_it_is_no_blank_line() {
    assert_eq!(seen("one<think>x</think>\ntwo"), "one\ntwo");
    assert_eq!(seen("one<think>x</think> \r\n\r\n\ntwo"), "one \r\ntwo");
    assert_eq!(seen("one<think>x</think> two\n\nthree"), "one two\n\nthree");
}

#[test]
fn no_block_starts_in_fenced_code() {
    let code = "```html\n<think>a</think>\n```\n";
    assert_eq!(seen(code), code);
    assert_eq!(
        seen(&format!("{code}<think>x</think>\nb")),
        format!("{code}b")
    );
    let long = "~~~~\n~~~\n<think>a</think>\n";
    assert_eq!(seen(long), long);
    assert_eq!(seen("<think>\n```\n</think>\n<think>x</think>y"), "y");
    assert_eq!(seen("a ``` <think>x</think>y"), "a ``` y");
    let info = "``` <think>x</think>\n";
    assert_eq!(seen(info), info);
}

#[test]
fn tags_are_what_the_rules_name() {
    let tag = |open: &str, close: &str| Tag {
        open: open.into(),
        close: close.into(),
    };
    let tags = || {
        vec![
            tag("[THINK]", "[/THINK]"),
            tag("\u{25c1}think\u{25b7}", "\u{25c1}/think\u{25b7}"),
            tag("||", "||"),
        ]
    };
    let seen = |text| run(Rules::new(Text::Strip, tags(), false, false), text).0;
    assert_eq!(seen("[THINK]a\u{25c1}/think\u{25b7}[/THINK]b"), "b");
    assert_eq!(
        seen("\u{25c1}think\u{25b7}a[/THINK]\u{25c1}/think\u{25b7}b \u{25c0}"),
        "b \u{25c0}"
    );
    assert_eq!(seen("a||b||c <think>"), "ac <think>");
    assert_eq!(
        run(
            Rules::new(Text::Strip, vec![tag("", "x")], true, false),
            "axb"
        )
        .0,
        "axb"
    );
}

#[test]
fn what_is_kept_is_not_looked_at() {
    let rules = Rules::new(Text::Keep, vec![Tag::default()], false, false);
    assert_eq!(
        run(rules, "<think>a</think>\n\nb").0,
        "<think>a</think>\n\nb"
    );
}

#[test]
fn text_is_held_back_only_while_it_may_become_a_tag() {
    let mut stripper = Stripper::new(Arc::new(Rules::default()));
    assert_eq!(stripper.push("a <").visible, "a ");
    assert!(stripper.holds());
    assert_eq!(stripper.push("thin").visible, "");
    assert_eq!(stripper.push("g").visible, "<thing");
    assert!(!stripper.holds());
    let attributes = "<think ".to_owned() + &"a".repeat(1000);
    assert_eq!(stripper.push(&attributes).visible, attributes);
    assert_eq!(stripper.push("<think>x</think>").visible, "");
    let spaces = " ".repeat(1000);
    assert_eq!(stripper.push(&spaces).visible, spaces);
}

#[test]
fn a_text_without_tags_is_borrowed() {
    let mut stripper = Stripper::new(Arc::new(Rules::default()));
    let text = "plain\n```\n<think>\n```\n a < b";
    let pieces = stripper.push(text);
    assert_eq!(
        (pieces.visible.as_ptr(), pieces.visible.len()),
        (text.as_ptr(), text.len())
    );
    assert!(!pieces.removed);
}
