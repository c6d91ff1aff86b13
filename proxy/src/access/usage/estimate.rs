//! What a request may take, by its body alone: a token for every four bytes of the prompt, and as many as the reply may have.
//!
//! A request that sets no bound on its reply reserves its prompt alone; what the reply takes is added when it is known.

use dragoman_config::PriceItem;
use dragoman_dialects::form::Usage;

use super::price::cost;
use crate::json::{self, lexer};

/// Bytes of text that make a token, about.
pub(super) const BYTES: u64 = 4;
/// What a picture, a sound or a document in a prompt counts as at most, in tokens: its bytes say little of it.
const MEDIUM: u64 = 1000;
/// What is longer, and is base64, is a medium.
const LONGEST_WORD: usize = 2048;
/// More tokens than any reply has.
const MOST: u64 = 1 << 32;

/// Members that bound a reply's tokens, by the member around them; empty: the body itself.
const BOUNDS: [(&str, &[&str]); 6] = [
    (
        "",
        &[
            "max_completion_tokens",
            "max_tokens",
            "max_output_tokens",
            "max_tokens_to_sample",
            "maxTokens",
        ],
    ),
    ("generationConfig", &["maxOutputTokens"]),
    ("generation_config", &["max_output_tokens"]),
    ("options", &["num_predict"]),
    ("parameters", &["max_new_tokens"]),
    ("inferenceConfig", &["maxTokens"]),
];
/// Members that ask for so many replies.
const REPLIES: [(&str, &[&str]); 3] = [
    ("", &["n"]),
    ("generationConfig", &["candidateCount"]),
    ("parameters", &["best_of"]),
];
/// All members that are looked at.
const NAMES: [&str; 12] = [
    "max_completion_tokens",
    "max_tokens",
    "max_output_tokens",
    "max_tokens_to_sample",
    "maxTokens",
    "n",
    "prompt",
    "generationConfig",
    "generation_config",
    "options",
    "parameters",
    "inferenceConfig",
];

/// Tokens that a request may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    /// Of the prompt.
    pub prompt: u64,
    /// Of the reply, at most; 0 where the request does not bound it.
    pub reply: u64,
}

impl Estimate {
    /// The estimate for a body in any dialect. One that is no JSON object counts by its length.
    #[must_use]
    pub fn of(body: &[u8]) -> Self {
        let prompt = prompt(body);
        let Ok(members) = json::scan(body, &NAMES) else {
            return Self { prompt, reply: 0 };
        };
        let said = |(within, names): &(&str, &[&str])| {
            let figure = |name: &&str| {
                let text = std::str::from_utf8(body).ok()?;
                let at = if within.is_empty() {
                    members.get(name)?
                } else {
                    let outer = members.get(within)?;
                    json::read(text, &outer, names).ok()?.get(name)?
                };
                // A negative one, as Ollama's -1, is no bound.
                text.get(at)?.parse::<u64>().ok()
            };
            // Which of several a server reads is its own affair: the largest counts.
            names.iter().filter_map(figure).max()
        };
        let reply = BOUNDS.iter().filter_map(said).max().unwrap_or_default();
        let replies = REPLIES.iter().filter_map(said).max().unwrap_or(1);
        let replies = replies
            .clamp(1, 128)
            .saturating_mul(prompts(body, &members));
        Self {
            prompt,
            reply: reply.saturating_mul(replies).min(MOST),
        }
    }

    /// All tokens.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.prompt.saturating_add(self.reply)
    }

    /// What they cost.
    #[must_use]
    pub fn cost(&self, price: &PriceItem) -> u64 {
        let usage = Usage {
            input: self.prompt,
            output: self.reply,
            ..Usage::default()
        };
        cost(price, &usage)
    }
}

/// How many prompts a request for completions has: each is answered.
fn prompts(body: &[u8], members: &json::Members<'_, &'static str>) -> u64 {
    let listed = members.get("prompt").and_then(|at| {
        let text = std::str::from_utf8(body).ok()?;
        let listed = json::elements(text, &at).ok()?.map_while(Result::ok);
        // A list of numbers is one prompt, in tokens.
        let prompts = listed.filter(|at| text[at.clone()].starts_with(['"', '[']));
        Some(prompts.count() as u64)
    });
    listed.unwrap_or(1).max(1)
}

/// Tokens of a prompt: the body's bytes over four, with media counted as what they are.
fn prompt(body: &[u8]) -> u64 {
    let mut bytes = body.len() as u64;
    let mut tokens = 0;
    if body.len() > LONGEST_WORD {
        for medium in media(body) {
            bytes -= medium;
            tokens += MEDIUM.min(medium.div_ceil(BYTES));
        }
    }
    tokens + bytes.div_ceil(BYTES)
}

/// The lengths of the strings that are media.
fn media(json: &[u8]) -> impl Iterator<Item = u64> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let start = at + memchr::memchr(b'"', json.get(at..)?)?;
            at = lexer::string(json, start).ok()?;
            let inner = json.get(start + 1..at - 1)?;
            if inner.len() > LONGEST_WORD && is_base64(inner) {
                return Some(inner.len() as u64);
            }
        }
    })
}

/// Whether it is base64 and nothing else, as it is or in a data URL: text of any script is none.
fn is_base64(inner: &[u8]) -> bool {
    const HEAD: usize = 256;
    let coded = match inner.strip_prefix(b"data:") {
        Some(url) => match memchr::memchr(b',', &url[..HEAD]) {
            Some(comma) => &url[comma + 1..],
            None => return false,
        },
        None => inner,
    };
    // JSON may escape slashes and ends of lines.
    let is_coded = |byte: &u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=' | b'\\')
    };
    coded.iter().all(is_coded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dialects_bound_on_its_reply_is_known() {
        for (body, reply) in [
            (r#"{"max_tokens":100}"#, 100),
            (r#"{"max_tokens":100,"max_completion_tokens":50}"#, 100),
            (r#"{"max_tokens":7,"options":{"num_predict":9}}"#, 9),
            (r#"{"max_tokens":7,"prompt":["a","b"]}"#, 14),
            (r#"{"max_tokens":7,"n":2,"prompt":[[1,2],[3]]}"#, 28),
            (r#"{"max_tokens":7,"prompt":[1,2,3]}"#, 7),
            (r#"{"max_tokens":7,"prompt":[]}"#, 7),
            (r#"{"max_tokens":100,"n":3}"#, 300),
            (r#"{"max_tokens":100,"n":0}"#, 100),
            (r#"{"max_output_tokens":7}"#, 7),
            (
                r#"{"generationConfig":{"maxOutputTokens":7,"candidateCount":2}}"#,
                14,
            ),
            (r#"{"options":{"num_predict":7}}"#, 7),
            (r#"{"options":{"num_predict":-1}}"#, 0),
            (r#"{"parameters":{"max_new_tokens":7}}"#, 7),
            (r#"{"inferenceConfig":{"maxTokens":7}}"#, 7),
            (r#"{"max_tokens":"100"}"#, 0),
            (r#"{"messages":[{"max_tokens":100}]}"#, 0),
            (r#"{"max_tokens":18446744073709551615,"n":128}"#, MOST),
            ("no json", 0),
        ] {
            assert_eq!(Estimate::of(body.as_bytes()).reply, reply, "{body}");
        }
    }

    #[test]
    fn a_prompt_is_a_quarter_of_its_bytes_and_a_picture_is_not() {
        let body = format!(r#"{{"content":"{}"}}"#, "word ".repeat(1000));
        assert_eq!(
            Estimate::of(body.as_bytes()).prompt,
            (body.len() as u64).div_ceil(4)
        );
        let body = format!(
            r#"{{"url":"data:image/png;base64,{}"}}"#,
            "A".repeat(1 << 20)
        );
        assert!((1000..1010).contains(&Estimate::of(body.as_bytes()).prompt));
        assert_eq!(Estimate::of(b"").prompt, 0);
    }

    #[test]
    fn a_text_without_spaces_is_no_picture() {
        for text in ["你好，世界。".repeat(1000), "x,y;".repeat(2000)] {
            for text in [
                text.clone(),
                format!("data:{text}"),
                format!("data:,{text}"),
            ] {
                let body = format!(r#"{{"content":"{text}"}}"#);
                let whole = (body.len() as u64).div_ceil(4);
                assert_eq!(Estimate::of(body.as_bytes()).prompt, whole);
            }
        }
        let picture = format!(r#"{{"data":"{}"}}"#, r"AB+\/\n".repeat(1000));
        assert!(Estimate::of(picture.as_bytes()).prompt < 1010);
    }
}
