//! Any bytes as JSON: scanned as serde does it, and edited as its tree is.
#![no_main]

use bytes::Bytes;
use dragoman_fuzz::json::{Merge, ObjectEdit, elements, lexer, scan, splice, string};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

const NAMES: [&str; 4] = ["model", "messages", "a", ""];

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        assert!(scan(data, &NAMES).is_err(), "no UTF-8, no JSON");
        return;
    };
    literals(text);
    let start = lexer::whitespace(data, 0);
    let ours =
        lexer::value(data, start, 0).is_ok_and(|end| lexer::whitespace(data, end) == data.len());
    let serdes = serde_json::from_str::<&RawValue>(text).is_ok();
    assert_eq!(ours, serdes, "what is JSON");
    if ours && text[start..].starts_with('[') {
        let range = start..text.len();
        let found: Vec<_> = elements(text, &range).expect("an array").collect();
        let whole: Vec<&RawValue> = serde_json::from_str(text).expect("an array");
        assert_eq!(found.len(), whole.len());
        for (ours, serdes) in found.into_iter().zip(whole) {
            assert_eq!(&text[ours.expect("an element")], serdes.get());
        }
    }
    // Numbers that no `f64` holds are JSON and no tree.
    let Ok(Value::Object(tree)) = serde_json::from_str(text) else {
        return;
    };
    edits(data, &tree);
});

fn literals(text: &str) {
    let literal = string::literal(text);
    let literal = std::str::from_utf8(&literal).expect("UTF-8");
    assert_eq!(
        serde_json::from_str::<String>(literal).ok().as_deref(),
        Some(text)
    );
    assert_eq!(
        string::read(literal, 0..literal.len()).as_deref(),
        Some(text)
    );
}

fn edits(body: &[u8], tree: &Map<String, Value>) {
    let body = Bytes::copy_from_slice(body);
    // The same member too many times is refused.
    let Ok(members) = scan(&body, &NAMES) else {
        return;
    };
    for name in NAMES {
        let found = members
            .get(name)
            .map(|at| serde_json::from_slice(&body[at]).expect("a value"));
        assert_eq!(found.as_ref(), tree.get(name), "{name}");
    }
    let mut edit = ObjectEdit::new(&members);
    edit.remove("model");
    edit.set("a", Bytes::from_static(b"{\"x\":1}"));
    edit.set_default("", Bytes::from_static(b"[]"));
    let mut expected = tree.clone();
    expected.shift_remove("model");
    expected.insert("a".into(), json!({"x": 1}));
    expected.entry("").or_insert(json!([]));
    assert_eq!(read(splice(&body, edit.finish())), expected);
    let (defaults, overrides) = (json!({"a": 1, "b": null}), json!({"messages": []}));
    let none = Map::new();
    let merge = Merge::new(
        defaults.as_object().unwrap_or(&none),
        overrides.as_object().unwrap_or(&none),
    );
    let Ok(merged) = merge.apply(&body, Some("m")) else {
        return;
    };
    let mut expected = tree.clone();
    expected.insert("messages".into(), json!([]));
    expected.entry("a").or_insert(json!(1));
    expected.entry("b").or_insert(Value::Null);
    expected.insert("model".into(), "m".into());
    assert_eq!(read(merged), expected);
}

fn read(segments: Vec<Bytes>) -> Map<String, Value> {
    let written = segments.concat();
    serde_json::from_slice(&written)
        .unwrap_or_else(|fault| panic!("{fault}: {}", String::from_utf8_lossy(&written)))
}
