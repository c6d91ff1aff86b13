//! How much text a reply has: the strings under names that hold what a model says, in any dialect.
//!
//! It is asked only where no server says how many tokens there were, and no more exact than that needs.

use crate::json::lexer;

/// Members that hold what a model says.
const NAMES: [&[u8]; 15] = [
    b"content",
    b"text",
    b"thinking",
    b"reasoning",
    b"reasoning_content",
    b"refusal",
    b"arguments",
    b"partial_json",
    b"input",
    b"delta",
    b"response",
    b"generated_text",
    b"completion",
    b"outputText",
    b"bytes",
];

/// How many bytes of text stand in a JSON text, whether or not it is one.
pub(crate) fn text(json: &[u8]) -> u64 {
    let (mut at, mut sum) = (0, 0);
    let mut name: &[u8] = b"";
    while let Some(quote) = memchr::memchr(b'"', json.get(at..).unwrap_or_default()) {
        let start = at + quote;
        let Ok(end) = lexer::string(json, start) else {
            break;
        };
        let inner = json.get(start + 1..end - 1).unwrap_or_default();
        if json.get(lexer::whitespace(json, end)) == Some(&b':') {
            name = inner;
        } else if NAMES.contains(&name) {
            sum += inner.len();
        }
        at = end;
    }
    sum as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_model_says_is_counted_and_nothing_else() {
        for (json, bytes) in [
            (
                r#"{"id":"c","choices":[{"delta":{"content":"four","role":"assistant"}}]}"#,
                4,
            ),
            (
                r#"{"type":"content_block_delta","delta":{"type":"text_delta","text":"a\"b"}}"#,
                4,
            ),
            (
                r#"{"candidates":[{"content":{"parts":[{"text":"ab"},{"text":"c"}]}}]}"#,
                3,
            ),
            (
                r#"{"type":"response.output_text.delta", "delta" : "hello"}"#,
                5,
            ),
            (r#"{"message":{"content":"hi","thinking":"hm"}}"#, 4),
            (r#"{"content":"cut off"#, 0),
            ("[DONE]", 0),
            ("", 0),
        ] {
            assert_eq!(text(json.as_bytes()), bytes, "{json}");
        }
    }
}
