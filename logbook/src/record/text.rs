//! What may come as any bytes, made text that every database takes.

use serde_json::Value;
use std::borrow::Cow;

/// What stands in place of bytes that are no text, and of NUL, which Postgres does not store.
const REPLACEMENT: &str = "\u{fffd}";

/// A body as text: unchanged where it is UTF-8; else with U+FFFD in place of what is not, behind a line that says so.
///
/// ```
/// # use dragoman_logbook::record::body;
/// assert_eq!(body("héllo".into()), "héllo");
/// assert_eq!(body(b"a\xffb".to_vec()), "[3 bytes that are not UTF-8]\na\u{fffd}b");
/// ```
#[must_use]
pub fn body(bytes: Vec<u8>) -> String {
    match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let bytes = error.as_bytes();
            format!(
                "[{} bytes that are not UTF-8]\n{}",
                bytes.len(),
                String::from_utf8_lossy(bytes)
            )
        }
    }
}

/// The text with U+FFFD for every NUL, and the same text where there is none.
#[must_use]
pub fn without_nul(text: &str) -> Cow<'_, str> {
    if text.as_bytes().contains(&0) {
        Cow::Owned(text.replace('\0', REPLACEMENT))
    } else {
        Cow::Borrowed(text)
    }
}

/// At most `longest` bytes of a text, cut between characters; `…` says that it was cut.
///
/// ```
/// # use dragoman_logbook::record::cut;
/// assert_eq!(cut("short", 5), "short");
/// assert_eq!(cut("much longer", 7), "much…");
/// ```
#[must_use]
pub fn cut(text: &str, longest: usize) -> Cow<'_, str> {
    const MARK: &str = "…";
    if text.len() <= longest {
        return Cow::Borrowed(text);
    }
    let end = text.floor_char_boundary(longest.saturating_sub(MARK.len()));
    Cow::Owned(format!("{}{MARK}", &text[..end]))
}

/// JSON as text without NUL in any string. `None` for what does not serialise, which is nothing that was read from JSON.
pub(crate) fn json<T: serde::Serialize>(value: &T) -> Option<String> {
    let text = serde_json::to_string(value).ok()?;
    if !text.contains("\\u0000") {
        return Some(text);
    }
    let mut value: Value = serde_json::from_str(&text).ok()?;
    replace_nul(&mut value);
    serde_json::to_string(&value).ok()
}

fn replace_nul(value: &mut Value) {
    match value {
        Value::String(text) if text.contains('\0') => *text = text.replace('\0', REPLACEMENT),
        Value::Array(items) => items.iter_mut().for_each(replace_nul),
        Value::Object(map) => {
            *map = std::mem::take(map)
                .into_iter()
                .map(|(key, mut value)| {
                    replace_nul(&mut value);
                    (key.replace('\0', REPLACEMENT), value)
                })
                .collect();
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nul_goes_from_json_in_keys_and_values_however_deep() {
        let value = json!({"a\0": ["x\0y", {"b": "\0"}], "kept": "\\u0000"});
        let text = super::json(&value).unwrap();
        let read: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            read,
            json!({"a\u{fffd}": ["x\u{fffd}y", {"b": "\u{fffd}"}], "kept": "\\u0000"})
        );
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(cut("ééééé", 8), "éé…");
        assert!(cut(&"é".repeat(400), 512).len() <= 512);
    }
}
