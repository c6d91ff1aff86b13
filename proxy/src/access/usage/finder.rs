//! The members of a JSON object that tell how many tokens were used, found as its bytes pass, wherever they are cut.
//!
//! They stand in the object itself, or in its `message` (Anthropic's first event) or `response` (the last one of OpenAI's Responses), never deeper:
//! what a model writes, such as the arguments of a tool, cannot be taken for them.

use dragoman_dialects::form::Usage;

use super::figures;

/// Members that say it.
const NAMES: [&[u8]; 8] = [
    b"usage",
    b"usageMetadata",
    b"usage_metadata",
    b"prompt_eval_count",
    b"eval_count",
    b"details",
    b"amazon-bedrock-invocationMetrics",
    b"inputTextTokenCount",
];
/// Members whose own members are looked at too.
const WITHIN: [&[u8]; 2] = [b"message", b"response"];
/// The longest name among these.
const LONGEST_NAME: usize = 32;
/// The most that is kept. Larger ones say more than figures.
const LONGEST: usize = 16 << 10;

/// Reads one object.
#[derive(Debug, Default)]
pub struct Finder {
    /// How many objects and arrays are open; one around the object is not counted.
    depth: u32,
    /// At which depth the members stand that are looked at: one more within a member whose own are.
    level: u32,
    string: Option<String>,
    /// The name of the member at `level` that is being read, as far as it may be one of them.
    name: Vec<u8>,
    wants_name: bool,
    /// Whether nothing was found yet in the object that is read: of several objects in a list the last one that tells counts.
    fresh: bool,
    /// What was found: members one after another, with commas.
    found: Vec<u8>,
    keeps: bool,
    too_long: bool,
    /// How many bytes strings had.
    text: u64,
}

/// Where in a string the next byte is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct String {
    escaped: bool,
    is_name: bool,
}

impl Finder {
    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        let mut at = 0;
        while let Some(byte) = bytes.get(at).copied() {
            at += 1;
            if let Some(string) = self.string {
                if !self.keeps && !string.is_name && !string.escaped {
                    // Most of a reply is text, which is passed over at once.
                    let rest = bytes.get(at - 1..).unwrap_or_default();
                    match memchr::memchr2(b'"', b'\\', rest) {
                        Some(0) => {}
                        Some(skipped) => {
                            self.text += skipped as u64;
                            at += skipped - 1;
                            continue;
                        }
                        None => {
                            self.text += rest.len() as u64;
                            return;
                        }
                    }
                }
                self.within(string, byte);
            } else {
                self.between(byte);
            }
        }
    }

    /// Whether the object has ended, and something was found in it.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.level == 0 && !self.found.is_empty()
    }

    /// What was said, if anything was.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        if self.too_long || self.found.is_empty() || self.keeps {
            return None;
        }
        let object = [b"{", self.found.as_slice(), b"}"].concat();
        figures::read(&serde_json::from_slice(&object).ok()?)
    }

    /// How many bytes strings had, names of members among them: what there is of text, about.
    #[must_use]
    pub fn text(&self) -> u64 {
        self.text
    }

    fn within(&mut self, string: String, byte: u8) {
        self.keep(byte);
        let escaped = !string.escaped && byte == b'\\';
        if byte == b'"' && !string.escaped {
            self.string = None;
            return;
        }
        self.text += 1;
        if string.is_name && self.name.len() <= LONGEST_NAME {
            self.name.push(byte);
        }
        self.string = Some(String { escaped, ..string });
    }

    fn between(&mut self, byte: u8) {
        let top = self.depth == self.level && self.level > 0;
        match byte {
            b'"' => {
                let is_name = top && self.wants_name;
                if is_name {
                    self.name.clear();
                    self.wants_name = false;
                }
                self.keep(byte);
                let escaped = false;
                self.string = Some(String { escaped, is_name });
            }
            b':' if top && !self.keeps => {
                if NAMES.contains(&self.name.as_slice()) {
                    if std::mem::take(&mut self.fresh) {
                        self.found.clear();
                    } else {
                        self.found.push(b',');
                    }
                    self.found.push(b'"');
                    self.found.extend_from_slice(&self.name);
                    self.found.extend_from_slice(b"\":");
                    self.keeps = true;
                }
            }
            b'{' if self.level == 0 => {
                (self.depth, self.level, self.wants_name) = (1, 1, true);
                self.fresh = true;
            }
            // A list: what TGI answers at its root, and Gemini's streams.
            b'[' | b']' if self.level == 0 => {}
            b'{' | b'[' => {
                self.keep(byte);
                self.depth += 1;
                let within = top && byte == b'{' && self.level == 1 && !self.keeps;
                if within && WITHIN.contains(&self.name.as_slice()) {
                    (self.level, self.wants_name) = (2, true);
                }
            }
            b'}' | b']' => {
                if top {
                    self.keeps = false;
                    self.level -= 1;
                } else {
                    self.keep(byte);
                }
                self.depth = self.depth.saturating_sub(1);
            }
            b',' if top => {
                self.keeps = false;
                self.wants_name = true;
            }
            _ => self.keep(byte),
        }
    }

    fn keep(&mut self, byte: u8) {
        if !self.keeps {
            return;
        }
        if self.found.len() < LONGEST {
            self.found.push(byte);
        } else {
            self.too_long = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found in a text, in one piece and cut at every byte.
    fn found(json: &str) -> Option<(u64, u64)> {
        let of = |pieces: [&[u8]; 2]| {
            let mut finder = Finder::default();
            pieces.into_iter().for_each(|piece| finder.push(piece));
            finder.usage().map(|usage| (usage.input, usage.output))
        };
        let bytes = json.as_bytes();
        let whole = of([bytes, b""]);
        for at in 0..bytes.len() {
            let (head, tail) = bytes.split_at(at);
            assert_eq!(of([head, tail]), whole, "{json} at {at}");
        }
        whole
    }

    #[test]
    fn figures_are_found_where_servers_say_them() {
        for (json, tokens) in [
            (
                r#"{"choices":[{"message":{"content":"a, \"}"}}],"usage":{"prompt_tokens":3,"completion_tokens":4}}"#,
                (3, 4),
            ),
            (
                r#"{"type":"message_start","message":{"content":[],"usage":{"input_tokens":9,"output_tokens":1}}}"#,
                (9, 1),
            ),
            (
                r#"{"type":"response.completed","response":{"output":[{"usage":{"input_tokens":1}}],"usage":{"input_tokens":5,"output_tokens":6}}}"#,
                (5, 6),
            ),
            (
                r#"{"message":{"content":"x"},"done":true,"prompt_eval_count":7,"eval_count":8}"#,
                (7, 8),
            ),
            (
                r#"[{"generated_text":"a","details":{"generated_tokens":2,"input_length":3}}]"#,
                (3, 2),
            ),
            (
                r#"[{"usageMetadata":{"promptTokenCount":4}},{"usageMetadata":{"promptTokenCount":4,"candidatesTokenCount":5}},{}]"#,
                (4, 5),
            ),
            (
                r#"{ "usageMetadata" : { "promptTokenCount" : 4, "candidatesTokenCount": 5 } }"#,
                (4, 5),
            ),
        ] {
            assert_eq!(found(json), Some(tokens), "{json}");
        }
    }

    #[test]
    fn what_a_model_writes_is_never_taken_for_figures() {
        for json in [
            r#"{"content":[{"type":"tool_use","input":{"usage":{"input_tokens":0,"output_tokens":0}}}]}"#,
            r#"{"content":"\"usage\":{\"prompt_tokens\":0}"}"#,
            r#"{"choices":[{"message":{"usage":{"prompt_tokens":1}}}]}"#,
            r#"{"message":{"tool_calls":[{"function":{"arguments":{"eval_count":1,"prompt_eval_count":1}}}]}}"#,
            r#"{"message":{"message":{"usage":{"prompt_tokens":1}}}}"#,
            r#"{"usage":null}"#,
            r#"{"usage":{"prompt_tokens":3"#,
            "data",
            "",
        ] {
            assert_eq!(found(json), None, "{json}");
        }
    }

    #[test]
    fn a_member_that_is_too_long_says_nothing() {
        let mut finder = Finder::default();
        finder.push(br#"{"usage":{"prompt_tokens":3,"x":""#);
        finder.push(&vec![b'a'; LONGEST]);
        finder.push(br#""}}"#);
        assert_eq!(finder.usage(), None);
        assert!(finder.found.len() <= LONGEST);
    }
}
