//! How many tokens there were, where nobody told: estimates by the vocabularies of [tiktoken](https://github.com/openai/tiktoken).
//!
//! A vocabulary is some 40 MiB of memory. It is read when the first estimate needs it, and forgotten when none has needed it for a while.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use serde_json::Value;
use tiktoken_rs::CoreBPE;
use tiktoken_rs::tokenizer::{Tokenizer, get_tokenizer};

/// What counts as a token where nothing better is known, in bytes.
pub(super) const BYTES_A_TOKEN: u64 = 4;
/// So much of a text is counted, in bytes; the rest is taken to be like it.
const COUNTED: usize = 32 << 10;
/// The longest request's body that is looked into, in bytes.
const LONGEST_BODY: usize = 1 << 20;
/// A longer word is no text, but a picture, a sound or a document. It counts as so many tokens at most.
const LONGEST_WORD: usize = 2048;
const MEDIUM: u64 = 1000;
/// What a message has besides its text, and a reply before it.
///
/// Source: [How to count tokens with tiktoken](https://developers.openai.com/cookbook/examples/how_to_count_tokens_with_tiktoken).
const A_MESSAGE: u64 = 3;
/// How long a vocabulary is kept that nobody asks for.
pub(super) const KEPT: Duration = Duration::from_mins(10);
/// Rows are not to wait for estimates: these take one part in so many of the time, but for a while at a time at most.
const PART: u32 = 16;
const WHILE: Duration = Duration::from_secs(1);

/// Counts tokens. One thread's.
#[derive(Default)]
pub(super) struct Tokens {
    o200k: Vocabulary,
    cl100k: Vocabulary,
    /// How long it counted of late.
    spent: Duration,
    /// When that was worked out last.
    at: Option<Instant>,
}

#[derive(Default)]
struct Vocabulary {
    read: Option<Box<CoreBPE>>,
    used: Option<Instant>,
}

impl Tokens {
    /// The tokens of a text for a model. Of a model that is not OpenAI's as `o200k_base` has them, which is near enough to tell much from little.
    pub(super) fn of(&mut self, text: &str, model: Option<&str>, now: Instant) -> u64 {
        let plainly = (text.len() as u64).div_ceil(BYTES_A_TOKEN);
        if text.is_empty() || !self.may(now) {
            return plainly;
        }
        let begin = &text[..text.floor_char_boundary(COUNTED)];
        let known = model.and_then(get_tokenizer);
        let vocabulary = match known {
            Some(Tokenizer::Cl100kBase) => self.cl100k.read(now, tiktoken_rs::cl100k_base),
            _ => self.o200k.read(now, tiktoken_rs::o200k_base),
        };
        let begun = Instant::now();
        // Not `encode_ordinary`, which panics where this fails; nobody's text is a control token here.
        let counted = vocabulary.and_then(|it| it.encode(begin, &HashSet::new()).ok());
        let counted = counted.map(|(tokens, _)| tokens.len());
        self.spent += begun.elapsed();
        counted.map_or(plainly, |count| {
            scaled(count, begin.len(), text.len() as u64)
        })
    }

    /// The tokens of a request's body, as far as it is known.
    pub(super) fn of_body(
        &mut self,
        body: &[u8],
        total: u64,
        model: Option<&str>,
        now: Instant,
    ) -> u64 {
        let is_whole = body.len() as u64 == total && body.len() <= LONGEST_BODY;
        let read = is_whole.then(|| serde_json::from_slice::<Value>(body).ok());
        let Some(Value::Object(members)) = read.flatten() else {
            return total.div_ceil(BYTES_A_TOKEN);
        };
        let mut prompt = Prompt::default();
        for (name, value) in &members {
            if PROMPTS.contains(&name.as_str()) {
                prompt.add(value);
            }
        }
        prompt.tokens + self.of(&prompt.text, model, now)
    }

    /// Forgets what was not used for a while.
    pub(super) fn rest(&mut self, now: Instant) {
        self.o200k.rest(now);
        self.cl100k.rest(now);
    }

    /// Whether a vocabulary is.
    pub(super) fn are_held(&self) -> bool {
        self.o200k.read.is_some() || self.cl100k.read.is_some()
    }

    /// Whether there is time for it.
    fn may(&mut self, now: Instant) -> bool {
        let passed = self
            .at
            .map_or(Duration::MAX, |at| now.saturating_duration_since(at));
        self.at = Some(now);
        self.spent = self.spent.saturating_sub(passed / PART);
        self.spent < WHILE
    }
}

/// What a part of so many bytes has, for all of them.
fn scaled(count: usize, part: usize, all: u64) -> u64 {
    let (count, part) = (count as u64, (part as u64).max(1));
    count.saturating_mul(all).div_ceil(part)
}

impl Vocabulary {
    /// Read, if it is not; none where it cannot be.
    fn read<F>(
        &mut self,
        now: Instant,
        read: impl FnOnce() -> Result<CoreBPE, F>,
    ) -> Option<&CoreBPE> {
        self.used = Some(now);
        if self.read.is_none() {
            self.read = read().ok().map(Box::new);
        }
        self.read.as_deref()
    }

    fn rest(&mut self, now: Instant) {
        let idle = |used| now.saturating_duration_since(used) >= KEPT;
        if self.used.is_some_and(idle) {
            *self = Self::default();
        }
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Tokens")
            .field("spent", &self.spent)
            .finish_non_exhaustive()
    }
}

/// Members of requests, in any dialect, that a model reads.
const PROMPTS: [&str; 15] = [
    "contents",
    "input",
    "inputText",
    "inputs",
    "instructions",
    "messages",
    "prompt",
    "query",
    "suffix",
    "system",
    "systemInstruction",
    "system_instruction",
    "texts",
    "tools",
    "functions",
];

/// What a model reads of a request.
#[derive(Default)]
struct Prompt {
    text: String,
    tokens: u64,
}

impl Prompt {
    fn add(&mut self, value: &Value) {
        match value {
            Value::String(text) if text.len() > LONGEST_WORD && is_medium(text) => {
                self.tokens += MEDIUM.min(text.len() as u64 / BYTES_A_TOKEN);
            }
            Value::String(text) => {
                self.text.push_str(text);
                self.text.push('\n');
            }
            Value::Array(items) => items.iter().for_each(|item| self.add(item)),
            Value::Object(members) => {
                if members.contains_key("role") {
                    self.tokens += A_MESSAGE;
                }
                for (name, value) in members {
                    // What parts are called is said otherwise, in fewer words.
                    if !matches!(name.as_str(), "type" | "role" | "id") {
                        self.add(value);
                    }
                }
            }
            // A prompt may be given in tokens.
            Value::Number(_) => self.tokens += 1,
            Value::Null | Value::Bool(_) => {}
        }
    }
}

/// Whether it is base64, as it is or in a data URL.
fn is_medium(text: &str) -> bool {
    text.starts_with("data:")
        || !text
            .bytes()
            .any(|byte| byte.is_ascii_whitespace() || !byte.is_ascii())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_text_has_the_tokens_of_its_models_vocabulary() {
        let (mut tokens, now) = (Tokens::default(), Instant::now());
        let text = "Привет, как дела?";
        assert_eq!(tokens.of(text, Some("gpt-4o"), now), 6);
        assert_eq!(tokens.of(text, Some("gpt-4-0613"), now), 8);
        assert_eq!(tokens.of(text, Some("llama3"), now), 6);
        assert_eq!(tokens.of("", None, now), 0);
    }

    #[test]
    fn of_a_long_text_the_beginning_is_counted() {
        let (mut tokens, now) = (Tokens::default(), Instant::now());
        let text = "hello there, ".repeat(100_000);
        let (part, all) = (&text[..13_000], tokens.of(&text, None, now));
        let expected = tokens.of(part, None, now) * 100;
        assert!(all.abs_diff(expected) < expected / 50, "{all} {expected}");
        // What would take a vocabulary's regex too long.
        assert!(tokens.of(&" ".repeat(4 << 20), None, now) > 0);
    }

    #[test]
    fn a_body_counts_by_what_a_model_reads() {
        let (mut tokens, now) = (Tokens::default(), Instant::now());
        let body = json!({
            "model": "a-name-that-no-model-reads",
            "messages": [{"role": "user", "content": [
                {"type": "text", "text": "hello there"},
                {"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{}", "QUJD".repeat(10_000))}},
            ]}],
        });
        let body = body.to_string();
        let total = body.len() as u64;
        let counted = tokens.of_body(body.as_bytes(), total, None, now);
        assert!((1000 + 5..1000 + 10).contains(&counted), "{counted}");
        let cut = &body.as_bytes()[..100];
        assert_eq!(tokens.of_body(cut, total, None, now), total.div_ceil(4));
    }

    #[test]
    fn estimates_take_a_part_of_the_time_and_vocabularies_are_forgotten() {
        let (mut tokens, now) = (Tokens::default(), Instant::now());
        tokens.of("hello", None, now);
        tokens.spent = WHILE * 2;
        assert!(!tokens.may(now));
        let later = now + WHILE * 2 * PART;
        assert!(tokens.may(later));
        tokens.rest(now + KEPT / 2);
        assert!(tokens.are_held());
        tokens.rest(now + KEPT);
        assert!(!tokens.are_held());
    }
}
