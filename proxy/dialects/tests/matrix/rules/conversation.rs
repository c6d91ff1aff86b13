//! Rules for the conversation and what its messages hold.

use dragoman_dialects::Wire;
use dragoman_dialects::form::{Part, Role, Source};

use super::{Rule, ollama, parts, takes_prompts};

pub(super) static RULES: [Rule; 7] = [
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
        says: "A conversation of one user's text is a plain prompt to text completions, which take no longer one.",
        change: |request, upstream| request.raw |= upstream.wire == Wire::Completions,
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
        name: "images in prompts",
        says: "An image stands in TGI's prompt as markdown, `![](…)`, from which its models that see take it. What TGI's own clients write so stays text.",
        change: |request, upstream| {
            if upstream.wire == Wire::Tgi {
                for message in &mut request.messages {
                    for part in &mut message.parts {
                        if let Part::Image { source, .. } = part {
                            *part = Part::text(markdown(source));
                        }
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
                let Part::Document { source, name, .. } = part else {
                    continue;
                };
                let uploaded = matches!(source, Source::File { .. });
                match upstream.wire {
                    Wire::Gemini => *name = None,
                    Wire::Chat | Wire::Responses if !uploaded => {
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

fn markdown(source: &Source) -> String {
    match source {
        Source::Url(url) => format!("![]({url})"),
        Source::Inline { media_type, data } => {
            let media_type = media_type.as_deref().or_else(|| data.sniff()).unwrap();
            format!("![](data:{media_type};base64,{})", data.as_str())
        }
        other => panic!("{other:?}"),
    }
}
