//! What is answered, before anything is written: text, thoughts, tool calls, usage.

mod request;
mod text;

pub(crate) use request::Asked;
pub(crate) use text::{pieces, words};

use crate::words::{Answer, Source};

/// The text of a `<think>` block and of `reasoning_content`.
pub(crate) const THOUGHT: &str = "Let me think about it.";

/// One choice of an answer. All choices of a request say the same.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Choice {
    pub(crate) reasoning: Option<&'static str>,
    pub(crate) text: Option<String>,
    pub(crate) calls: Vec<Call>,
    pub(crate) finish: &'static str,
    /// The stop that ended the text.
    pub(crate) stop: Option<String>,
}

/// A call of a tool.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    pub(crate) name: String,
    pub(crate) arguments: String,
}

/// What was consumed, in words.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Usage {
    pub(crate) prompt: usize,
    pub(crate) completion: usize,
    pub(crate) reasoning: usize,
}

impl Choice {
    /// Composes the choice that a behaviour gives to what was asked.
    pub(crate) fn of(answer: &Answer, asked: &Asked) -> Self {
        // After a tool's result the answer is text, so that an agent's loop ends.
        let tools = if asked.tool_answered || answer.filter.is_some() {
            0
        } else {
            answer.tools
        };
        let reasoning = answer.reasoning.then_some(THOUGHT);
        if tools > 0 && !answer.text && !answer.think {
            return Self {
                reasoning,
                text: None,
                calls: calls(tools, asked),
                finish: "tool_calls",
                stop: None,
            };
        }
        let source = match answer.source {
            Source::User => asked.text.clone(),
            Source::Tokens(count) => text::tokens(count),
            Source::Bytes(bytes) => text::bytes(bytes),
        };
        let (source, stop) = text::until(source, &asked.stop);
        let whole = if answer.think {
            format!("<think>\n{THOUGHT}\n</think>\n\n{source}")
        } else {
            source
        };
        let (text, cut) = text::at_most(whole, asked.max_tokens);
        if cut {
            return Self {
                reasoning,
                text: Some(text),
                calls: vec![],
                finish: "length",
                stop: None,
            };
        }
        let finish = match answer.filter {
            Some(_) => "content_filter",
            None if tools > 0 => "tool_calls",
            None => "stop",
        };
        let stop = stop.cloned();
        Self {
            reasoning,
            text: Some(text),
            calls: calls(tools, asked),
            finish,
            stop,
        }
    }

    /// Words of the choice: its text, its thoughts, its calls' arguments.
    pub(crate) fn usage(&self, prompt: usize, n: usize) -> Usage {
        let reasoning = self.reasoning.map_or(0, words);
        let calls: usize = self.calls.iter().map(|call| words(&call.arguments)).sum();
        let text = self.text.as_deref().map_or(0, words);
        Usage {
            prompt,
            completion: n * (text + reasoning + calls),
            reasoning: n * reasoning,
        }
    }
}

/// Calls the tools that the request offers, in order and round again; or one of ours.
fn calls(count: usize, asked: &Asked) -> Vec<Call> {
    (0..count)
        .map(|index| Call {
            name: match asked.tools.len() {
                0 => "get_weather".into(),
                offered => asked.tools[index % offered].clone(),
            },
            arguments: serde_json::json!({"city": "Paris", "index": index, "query": asked.text})
                .to_string(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Behaviour;

    fn choice(model: &str, asked: Asked) -> Choice {
        Choice::of(&Behaviour::of(model).answer, &asked)
    }

    fn hi() -> Asked {
        Asked {
            text: "hi  there\n".into(),
            ..Asked::default()
        }
    }

    #[test]
    fn echo_answers_the_very_text() {
        assert_eq!(choice("echo", hi()).text.unwrap(), "hi  there\n");
        assert_eq!(choice("any-model", hi()).finish, "stop");
    }

    #[test]
    fn a_think_block_stands_before_the_text() {
        let text = choice("think", hi()).text.unwrap();
        assert_eq!(
            text,
            "<think>\nLet me think about it.\n</think>\n\nhi  there\n"
        );
    }

    #[test]
    fn tools_are_those_that_the_request_offers() {
        let asked = Asked {
            tools: vec!["a".into()],
            ..hi()
        };
        let answer = choice("parallel-tools", asked);
        assert_eq!((answer.text, answer.finish), (None, "tool_calls"));
        assert_eq!(
            answer
                .calls
                .iter()
                .map(|c| c.name.as_str())
                .collect::<Vec<_>>(),
            ["a", "a"]
        );
        assert!(choice("echo+tools", hi()).text.is_some());
    }

    #[test]
    fn a_tools_result_is_answered_in_text() {
        let asked = Asked {
            tool_answered: true,
            ..hi()
        };
        assert_eq!(choice("tools", asked).finish, "stop");
    }

    #[test]
    fn what_is_filtered_says_so_and_calls_no_tool() {
        for model in ["filtered", "blocked+tools"] {
            let answer = choice(model, hi());
            assert_eq!((answer.finish, answer.calls), ("content_filter", vec![]));
        }
    }

    #[test]
    fn stops_and_limits_are_obeyed() {
        let asked = Asked {
            stop: vec!["three".into()],
            ..hi()
        };
        assert_eq!(
            choice(
                "echo",
                Asked {
                    text: "one two three".into(),
                    ..asked
                }
            )
            .finish,
            "stop"
        );
        let answer = choice(
            "tokens-64",
            Asked {
                max_tokens: Some(3),
                ..hi()
            },
        );
        assert_eq!(
            (words(answer.text.as_deref().unwrap()), answer.finish),
            (3, "length")
        );
    }

    #[test]
    fn usage_counts_words() {
        let usage = choice("reasoning", hi()).usage(7, 2);
        assert_eq!(
            usage,
            Usage {
                prompt: 7,
                completion: 14,
                reasoning: 10
            }
        );
    }
}
