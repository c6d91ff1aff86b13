//! What holds for every reply that is searched for how many tokens it took.

use dragoman_dialects::form::Usage;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::access::usage::{Finder, figures, text};
use crate::json::lexer;
use crate::members::{is_deep, read};
use crate::splits::chunks;

const NAMES: [&str; 8] = [
    "usage",
    "usageMetadata",
    "usage_metadata",
    "prompt_eval_count",
    "eval_count",
    "details",
    "amazon-bedrock-invocationMetrics",
    "inputTextTokenCount",
];

/// Searches a reply that comes in chunks of these sizes.
///
/// # Panics
/// Where a promise is broken.
pub fn judge(reply: &[u8], sizes: &[u8]) {
    let whole = found([reply]);
    assert_eq!(whole, found(chunks(reply, sizes)), "splits show");
    let said = text(reply);
    let Ok(json) = std::str::from_utf8(reply) else {
        return;
    };
    // A server that escapes the names of its members is not looked for.
    if is_deep(reply) || json.contains("\\u") {
        return;
    }
    let Ok(root) = serde_json::from_str::<&RawValue>(json) else {
        return;
    };
    let strings = strings(reply);
    assert!(said <= strings, "more text than there is");
    let mut told = Vec::new();
    objects(root, &mut told);
    assert_eq!(whole, (parsed(&told), !told.is_empty(), strings));
}

/// The figures, whether all was read that may tell of them, and how much text there was.
fn found<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Option<Usage>, bool, u64) {
    let mut finder = Finder::default();
    pieces.into_iter().for_each(|piece| finder.push(piece));
    (finder.usage(), finder.is_done(), finder.text())
}

/// The members that tell of tokens: of several objects in a list, those of the last one that has any.
fn objects<'a>(value: &'a RawValue, told: &mut Vec<(String, &'a RawValue)>) {
    if value.get().starts_with('[') {
        let list: Vec<&RawValue> = serde_json::from_str(value.get()).expect("a list");
        list.into_iter().for_each(|value| objects(value, told));
        return;
    }
    let mut all = Vec::new();
    for (name, value) in read(value.get())
        .map(|members| members.0)
        .unwrap_or_default()
    {
        if NAMES.contains(&&*name) {
            all.push((name, value));
        } else if ["message", "response"].contains(&&*name) {
            let inner = read(value.get())
                .map(|members| members.0)
                .unwrap_or_default();
            all.extend(
                inner
                    .into_iter()
                    .filter(|(name, _)| NAMES.contains(&&**name)),
            );
        }
    }
    if !all.is_empty() {
        *told = all;
    }
}

/// What these members say, the last of several with one name.
fn parsed(told: &[(String, &RawValue)]) -> Option<Usage> {
    let mut object = Map::new();
    for (name, value) in told {
        let value: Value = serde_json::from_str(value.get()).ok()?;
        object.insert(name.clone(), value);
    }
    figures(&Value::Object(object))
}

/// How many bytes stand in the strings of a JSON text.
fn strings(json: &[u8]) -> u64 {
    let (mut at, mut sum) = (0, 0);
    while let Some(quote) = memchr::memchr(b'"', &json[at..]) {
        let start = at + quote;
        at = lexer::string(json, start).expect("a string");
        sum += at - start - 2;
    }
    sum as u64
}
