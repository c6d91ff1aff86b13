//! What becomes of streams that a Mapper changes, wherever they are split.

use serde_json::json;

use super::*;
use crate::upstream::Edit;

/// A call to a backend of this dialect, whose Mapper makes events so.
fn mapped(dialect: Dialect, stream_event: Option<&str>) -> Mapped {
    let item = json!({"name": "team-a/own", "stream": "NDJSON", "parameters": {}, "stream_event": stream_event});
    let mapper = Mapper::new(&serde_json::from_value(item).unwrap()).unwrap();
    Mapped {
        mapper: Arc::new(mapper),
        dialect,
        operation: "chat",
        model: "m".into(),
        stream: Cell::new(Some(true)),
        headers: json!({}),
    }
}

/// What a stream becomes, which is the same wherever it is split.
fn becomes(edit: impl Fn() -> Box<dyn Edit>, stream: &str) -> String {
    let split = |at: usize| {
        let (mut edit, mut out) = (edit(), Vec::new());
        for piece in [&stream[..at], &stream[at..]] {
            edit.push(piece.to_owned().into(), &mut out).unwrap();
        }
        edit.finish(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    let whole = split(0);
    for at in 0..stream.len() {
        assert_eq!(split(at), whole, "at {at}");
    }
    whole
}

fn elements(stream_event: &'static str, stream: &str) -> String {
    let edit = || -> Box<dyn Edit> {
        Box::new(Elements::new(mapped(Dialect::Gemini, Some(stream_event))))
    };
    becomes(edit, stream)
}

#[test]
fn a_carriage_return_between_words_of_json_ends_no_event() {
    let edit = || -> Box<dyn Edit> {
        let mapped = mapped(Dialect::Custom, None);
        Box::new(Events::new(mapped, Framing::Ndjson, Framing::Sse))
    };
    let made = becomes(edit, "{\"a\":\r\r1}\r\n{\"b\":2}\r\n");
    let expected = "data: {\"a\":\ndata: \ndata: 1}\n\ndata: {\"b\":2}\n\n";
    assert_eq!(made, expected);
}

#[test]
fn an_events_new_type_names_it_unless_it_would_end_the_line() {
    let edit = || -> Box<dyn Edit> {
        let mapped = mapped(Dialect::Anthropic, Some("{'type': body.say}"));
        Box::new(Events::new(mapped, Framing::Sse, Framing::Sse))
    };
    let event = |say: &str| format!("event: a\ndata: {}\n\n", json!({"type": "a", "say": say}));
    assert_eq!(
        becomes(edit, &event("b")),
        "event: b\ndata: {\"type\":\"b\"}\n\n"
    );
    assert_eq!(
        becomes(edit, &event("b\ndata: c")),
        "event: a\ndata: {\"type\":\"b\\ndata: c\"}\n\n"
    );
}

#[test]
fn elements_are_mapped_one_by_one_and_stay_an_array() {
    let twice = elements(
        "body.a == 1 ? null : [body, body]",
        "[{\"a\":1} , {\"a\":2}\n]\n",
    );
    assert_eq!(twice, "[{\"a\":2},\n{\"a\":2}\n]");
    let done = "[body, {'done': true}]";
    assert_eq!(elements(done, "[{\"a\":1},{\"a\":2}]"), "[{\"a\":1}]");
}

#[test]
fn half_an_element_goes_nowhere_and_what_is_no_array_gets_no_bracket() {
    assert_eq!(elements("body", "[{\"a\":1},{\"a\""), "[{\"a\":1}");
    assert_eq!(elements("[body, {'done': true}]", "{\"a\":1}"), "{\"a\":1}");
    assert_eq!(elements("body", "\"text"), "\"text");
    assert_eq!(elements("body", "{\"a\":1}\n]b]c"), "{\"a\":1}\n]b]c");
    assert_eq!(elements("body", "[{\"a\":1}b]c"), "[{\"a\":1}b]c");
}
