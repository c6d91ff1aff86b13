//! The built-in templates, as the models' vendors publish them.
//!
//! Rules: texts are trimmed, as the vendors' templates do. Llama 2, Mistral and Falcon know one system message, at the start:
//! a later one stands before the next thing that the user says. Llama 2 and Mistral alternate strictly: turns of the same side
//! in a row are one, with an empty line between them, and a tool's result is said by the user. Calls of tools stand in the
//! model's text as JSON.

use std::fmt::Write as _;

use super::conversation::Turn;
use crate::form::Role;

/// A built-in template.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BuiltIn {
    /// `User: …` and `Assistant: …`, for models that were trained on no template.
    #[default]
    Plain,
    /// [Llama 2](https://huggingface.co/blog/llama2#how-to-prompt-llama-2): `<s>[INST] … [/INST]`.
    Llama2,
    /// [Llama 3](https://www.llama.com/docs/model-cards-and-prompt-formats/meta-llama-3/): `<|start_header_id|>…`.
    Llama3,
    /// [ChatML](https://huggingface.co/docs/transformers/chat_templating): `<|im_start|>…`, Qwen's and many others'.
    ChatMl,
    /// [Mistral 7B and Mixtral](https://huggingface.co/mistralai/Mistral-7B-Instruct-v0.2#instruction-format).
    Mistral,
    /// [Falcon chat](https://huggingface.co/tiiuae/falcon-180B-chat#hardware-requirements): `User: …` and `Falcon: …`.
    Falcon,
}

impl BuiltIn {
    /// All of them, with their names.
    pub const ALL: [(&'static str, Self); 6] = [
        ("plain", Self::Plain),
        ("llama-2", Self::Llama2),
        ("llama-3", Self::Llama3),
        ("chatml", Self::ChatMl),
        ("mistral", Self::Mistral),
        ("falcon", Self::Falcon),
    ];

    /// The template of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let found = Self::ALL.iter().find(|(known, _)| *known == name);
        found.map(|(_, kind)| *kind)
    }

    /// The texts at which a reply ends. Few, because servers allow few in one request (TGI 4).
    #[must_use]
    pub fn stops(self) -> &'static [&'static str] {
        match self {
            Self::Plain | Self::Falcon => &["\nUser:"],
            Self::Llama2 | Self::Mistral => &["[INST]"],
            Self::Llama3 => &["<|eot_id|>"],
            Self::ChatMl => &["<|im_end|>"],
        }
    }

    /// The prompt.
    pub(super) fn render(self, turns: &[Turn]) -> String {
        match self {
            Self::Plain => lines(turns, None, "Assistant"),
            Self::Falcon => lines(turns, Some("System"), "Falcon"),
            Self::Llama2 => llama2(turns),
            Self::Mistral => mistral(turns),
            Self::Llama3 => {
                let marks = Marks {
                    start: "<|begin_of_text|>",
                    open: "<|start_header_id|>",
                    opened: "<|end_header_id|>\n\n",
                    close: "<|eot_id|>",
                    tool: "ipython",
                    arguments: "parameters",
                };
                marked(turns, &marks)
            }
            Self::ChatMl => {
                let marks = Marks {
                    start: "",
                    open: "<|im_start|>",
                    opened: "\n",
                    close: "<|im_end|>\n",
                    tool: "tool",
                    arguments: "arguments",
                };
                marked(turns, &marks)
            }
        }
    }
}

/// How a template sets off turns, each with its role.
struct Marks {
    start: &'static str,
    open: &'static str,
    opened: &'static str,
    close: &'static str,
    tool: &'static str,
    /// What calls call their arguments.
    arguments: &'static str,
}

fn marked(turns: &[Turn], marks: &Marks) -> String {
    let Marks {
        start,
        open,
        opened,
        close,
        ..
    } = *marks;
    let mut out = start.to_owned();
    for (number, turn) in turns.iter().enumerate() {
        let role = match turn.role {
            Role::System | Role::Developer => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
            Role::Tool => marks.tool,
        };
        let text = turn.text_and_calls(marks.arguments);
        // Writing to a string cannot fail.
        let _ = write!(out, "{open}{role}{opened}{text}");
        if number + 1 == turns.len() && is_continued(turn) {
            return out;
        }
        out.push_str(close);
    }
    let _ = write!(out, "{open}assistant{opened}");
    out
}

/// Whether the last turn is the model's, to be continued.
fn is_continued(turn: &Turn) -> bool {
    turn.role == Role::Assistant && turn.calls.is_empty()
}

/// `User: …` lines; a system message has a name or none.
fn lines(turns: &[Turn], system: Option<&str>, model: &str) -> String {
    let mut out = String::new();
    let mut later = String::new();
    for (number, turn) in turns.iter().enumerate() {
        let text = turn.text_and_calls("arguments");
        let _ = match turn.role {
            Role::System | Role::Developer if number == 0 => match system {
                Some(name) => writeln!(out, "{name}: {text}"),
                None => write!(out, "{text}\n\n"),
            },
            Role::System | Role::Developer => {
                join(&mut later, &text);
                Ok(())
            }
            Role::User | Role::Tool => {
                let mut said = std::mem::take(&mut later);
                join(&mut said, &text);
                writeln!(out, "User: {said}")
            }
            Role::Assistant if number + 1 == turns.len() && is_continued(turn) => {
                let _ = write!(out, "{model}: {text}");
                return out;
            }
            Role::Assistant => writeln!(out, "{model}: {text}"),
        };
    }
    if !later.is_empty() {
        let _ = writeln!(out, "User: {later}");
    }
    let _ = write!(out, "{model}:");
    out
}

/// Strictly alternating turns: what the user's side says, and what the model answers, which is absent in the last pair.
#[derive(Debug, Default)]
struct Pair {
    asked: String,
    answer: Option<String>,
}

/// The first system message, the pairs, and whether the last answer is to be continued.
fn pairs(turns: &[Turn]) -> (Option<String>, Vec<Pair>, bool) {
    let mut system = None;
    let mut pairs: Vec<Pair> = vec![Pair::default()];
    for (number, turn) in turns.iter().enumerate() {
        let text = turn.text_and_calls("arguments");
        if number == 0 && turn.role == Role::System {
            system = Some(text);
            continue;
        }
        let place = pairs.pop().unwrap_or_default();
        let place = match (turn.role, place) {
            (Role::Assistant, mut pair) => {
                join(pair.answer.get_or_insert_default(), &text);
                pair
            }
            (
                _,
                Pair {
                    asked,
                    answer: None,
                },
            ) => {
                let mut asked = asked;
                join(&mut asked, &text);
                Pair {
                    asked,
                    answer: None,
                }
            }
            (_, answered) => {
                pairs.push(answered);
                Pair {
                    asked: text,
                    answer: None,
                }
            }
        };
        pairs.push(place);
    }
    let continued = turns.last().is_some_and(is_continued);
    if !continued && pairs.last().is_some_and(|pair| pair.answer.is_some()) {
        pairs.push(Pair::default());
    }
    (system, pairs, continued)
}

fn join(text: &mut String, more: &str) {
    if !text.is_empty() && !more.is_empty() {
        text.push_str("\n\n");
    }
    text.push_str(more);
}

fn llama2(turns: &[Turn]) -> String {
    let (mut system, pairs, continued) = pairs(turns);
    let mut out = String::new();
    for (number, pair) in pairs.iter().enumerate() {
        out.push_str("<s>[INST] ");
        if let Some(system) = system.take() {
            let _ = write!(out, "<<SYS>>\n{system}\n<</SYS>>\n\n");
        }
        let _ = write!(out, "{} [/INST]", pair.asked);
        match &pair.answer {
            Some(answer) if continued && number + 1 == pairs.len() => {
                let _ = write!(out, " {answer}");
            }
            Some(answer) => {
                let _ = write!(out, " {answer} </s>");
            }
            None => {}
        }
    }
    out
}

fn mistral(turns: &[Turn]) -> String {
    let (mut system, pairs, continued) = pairs(turns);
    let mut out = "<s>".to_owned();
    for (number, pair) in pairs.iter().enumerate() {
        let mut asked = system.take().unwrap_or_default();
        join(&mut asked, &pair.asked);
        let _ = write!(out, "[INST] {asked} [/INST]");
        match &pair.answer {
            Some(answer) if continued && number + 1 == pairs.len() => {
                let _ = write!(out, " {answer}");
            }
            Some(answer) => {
                let _ = write!(out, " {answer}</s>");
            }
            None => {}
        }
    }
    out
}
