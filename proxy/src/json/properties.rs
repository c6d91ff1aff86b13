//! Promises about the JSON reader and editor, tried on generated texts.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::{Merge, ObjectEdit, elements, lexer, scan, splice, string};

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        // Floats that serde_json reads back exactly without its `float_roundtrip` feature.
        any::<i32>().prop_map(|n| Value::from(f64::from(n) / 64.0)),
        any::<String>().prop_map(Value::from),
        "[ -~]{0,40}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            object_of(inner).prop_map(Value::Object),
        ]
    })
}

fn object_of(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Map<String, Value>> {
    let name = prop_oneof![Just("model".to_owned()), "[a-e]", any::<String>()];
    prop::collection::vec((name, value), 0..6).prop_map(|members| members.into_iter().collect())
}

fn written(value: &Value, pretty: bool) -> Bytes {
    let text = if pretty {
        serde_json::to_vec_pretty(value)
    } else {
        serde_json::to_vec(value)
    };
    text.unwrap().into()
}

/// A text near JSON: some bytes of a valid one are changed.
fn nearly_json() -> impl Strategy<Value = String> {
    let change = (
        any::<prop::sample::Index>(),
        "[\\]\\[{}:,\"\\\\0-9a-fu.+eE \\n-]{0,2}",
    );
    (json(), any::<bool>(), prop::collection::vec(change, 0..4)).prop_map(
        |(value, pretty, changes)| {
            let mut text = String::from_utf8(written(&value, pretty).to_vec()).unwrap();
            for (index, new) in changes {
                let places: Vec<_> = text
                    .char_indices()
                    .map(|(at, c)| at..at + c.len_utf8())
                    .collect();
                if !places.is_empty() {
                    text.replace_range(index.get(&places).clone(), &new);
                }
            }
            text
        },
    )
}

proptest! {
    #[test]
    fn we_accept_what_serde_accepts_and_nothing_else(text in nearly_json()) {
        let start = lexer::whitespace(text.as_bytes(), 0);
        let ours = lexer::value(text.as_bytes(), start, 0)
            .is_ok_and(|end| lexer::whitespace(text.as_bytes(), end) == text.len());
        let serde = serde_json::from_str::<&RawValue>(&text).is_ok();
        prop_assert_eq!(ours, serde, "{}", text);
    }

    #[test]
    fn no_bytes_make_the_scan_panic(bytes in any::<Vec<u8>>(), text in nearly_json()) {
        let _ = scan(&bytes, &["a"]);
        let _ = scan(text.as_bytes(), &["a"]);
    }

    #[test]
    fn a_member_is_what_serde_says_it_is(object in object_of(json()), pretty: bool) {
        let body = written(&Value::Object(object.clone()), pretty);
        let members = scan(&body, &["model", "a"]).unwrap();
        for name in ["model", "a"] {
            let found = members.get(name).map(|at| serde_json::from_slice(&body[at]).unwrap());
            prop_assert_eq!(found.as_ref(), object.get(name));
        }
    }

    #[test]
    fn elements_are_what_serde_says_they_are(values in prop::collection::vec(json(), 0..5), pretty: bool) {
        let body = written(&Value::Array(values.clone()), pretty);
        let text = std::str::from_utf8(&body).unwrap();
        let found: Vec<Value> = elements(text, &(0..text.len())).unwrap()
            .map(|at| serde_json::from_str(&text[at.unwrap()]).unwrap()).collect();
        prop_assert_eq!(found, values);
    }

    #[test]
    fn a_merge_equals_the_same_edit_of_the_tree(
        object in object_of(json()), defaults in object_of(json()), overrides in object_of(json()),
        model in any::<Option<String>>(), pretty: bool,
    ) {
        let body = written(&Value::Object(object.clone()), pretty);
        let segments = Merge::new(&defaults, &overrides).apply(&body, model.as_deref()).unwrap();
        let mut expected = object;
        for (name, value) in overrides.into_iter().filter(|(name, _)| name != "model") {
            expected.insert(name, value);
        }
        for (name, value) in defaults.into_iter().filter(|(name, _)| name != "model") {
            expected.entry(name).or_insert(value);
        }
        if let Some(model) = model {
            expected.insert("model".into(), model.into());
        }
        let result: Value = serde_json::from_slice(&segments.concat()).unwrap();
        prop_assert_eq!(result, Value::Object(expected));
    }

    #[test]
    fn bytes_that_nobody_edits_stay_where_they_are(object in object_of(json()), pretty: bool) {
        let body = written(&Value::Object(object), pretty);
        let members = scan(&body, &["model"]).unwrap();
        let mut edit = ObjectEdit::new(&members);
        edit.set("model", Bytes::from_static(b"\"\\u0000new\""));
        let segments = splice(&body, edit.finish());
        let memory = body.as_ptr_range();
        let kept: usize = segments.iter().filter(|s| memory.contains(&s.as_ptr())).map(Bytes::len).sum();
        let replaced: usize = members.all("model").map(|member| member.value.len()).sum();
        prop_assert_eq!(kept, body.len() - replaced);
    }

    #[test]
    fn removing_equals_removing_from_the_tree(object in object_of(json()), pretty: bool) {
        const NAMES: [&str; 4] = ["model", "a", "b", "c"];
        let body = written(&Value::Object(object.clone()), pretty);
        let members = scan(&body, &NAMES).unwrap();
        let mut edit = ObjectEdit::new(&members);
        let mut expected = object;
        for name in NAMES {
            edit.remove(name);
            expected.remove(name);
        }
        let result: Value = serde_json::from_slice(&splice(&body, edit.finish()).concat()).unwrap();
        prop_assert_eq!(result, Value::Object(expected));
    }

    #[test]
    fn a_text_survives_being_written_and_read(text: String) {
        let literal = String::from_utf8(string::literal(&text)).unwrap();
        prop_assert_eq!(serde_json::from_str::<String>(&literal).unwrap(), text.as_str());
        prop_assert_eq!(string::read(&literal, 0..literal.len()).unwrap(), text.as_str());
    }
}
