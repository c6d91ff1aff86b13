//! Rules for the conversation and what its messages hold.

use dragoman_dialects::Wire;
use dragoman_dialects::form::{Part, Role};

use super::{Rule, ollama, parts, takes_prompts};

pub(super) static RULES: [Rule; 6] = [
    Rule {
        name: "prompt",
        says: "A plain prompt is the user's message, around which the model's server puts its own template.",
        change: |request, upstream| {
            if !takes_prompts(upstream.wire) && upstream.wire != Wire::OllamaGenerate {
                request.raw = false;
            }
        },
    },
    Rule {
        name: "conversation",
        says: "A conversation of one user's text is sent as a plain prompt. A longer one needs the model's prompt template, which makes one text of it.",
        change: |request, upstream| request.raw |= takes_prompts(upstream.wire),
    },
    Rule {
        name: "raw",
        says: "A plain prompt with a suffix or a system message is sent within the model's template: Ollama fills gaps only so.",
        change: |request, upstream| {
            let system = request
                .messages
                .iter()
                .any(|message| message.role == Role::System);
            if upstream.wire == Wire::OllamaGenerate && (request.suffix.is_some() || system) {
                request.raw = false;
            }
        },
    },
    Rule {
        name: "developer",
        says: "A developer's message is a system message; OpenAI's own reasoning models, by their names, and the Responses API get it as it is.",
        change: |request, upstream| {
            if upstream.wire != Wire::Responses {
                for message in &mut request.messages {
                    if message.role == Role::Developer {
                        message.role = Role::System;
                    }
                }
            }
        },
    },
    Rule {
        name: "images first",
        says: "Images stand before the text of their message, where Ollama puts them.",
        change: |request, upstream| {
            if ollama(upstream.wire) {
                for message in &mut request.messages {
                    message
                        .parts
                        .sort_by_key(|part| !matches!(part, Part::Image { .. }));
                }
            }
        },
    },
    Rule {
        name: "document name",
        says: "A document's name is left out for Gemini, and keeps letters and digits only, others become `-`, in Converse, which has none twice; where a name is needed and there is none, it is `document.pdf`, or `document` in Converse.",
        change: |request, upstream| {
            for part in parts(request) {
                let Part::Document { name, .. } = part else {
                    continue;
                };
                match upstream.wire {
                    Wire::Gemini => *name = None,
                    Wire::Chat | Wire::Responses => {
                        name.get_or_insert_with(|| "document.pdf".into());
                    }
                    Wire::BedrockConverse => {
                        let name = name.get_or_insert_with(|| "document".into());
                        *name = name.replace(|letter: char| !letter.is_ascii_alphanumeric(), "-");
                    }
                    _ => {}
                }
            }
        },
    },
];
