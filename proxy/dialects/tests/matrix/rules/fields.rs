//! Rules for the other fields.

use dragoman_dialects::Wire;
use dragoman_dialects::form::{Format, Part, message};

use dragoman_dialects::template;

use super::{Rule, claude, ollama, parts};
use crate::requests::templated;

pub(super) static RULES: [Rule; 8] = [
    Rule {
        name: "limit",
        says: "Where the upstream must be told a limit, a request without one gets 4096 tokens and what thinking is expected to take (Claude), 1024 (text completions) or {limit} (TGI).",
        change: |request, upstream| {
            let thinking = request
                .reasoning
                .as_ref()
                .and_then(|reasoning| reasoning.budget_tokens);
            let thinking = thinking.filter(|_| claude(upstream.wire));
            let limit = match upstream.wire {
                Wire::Messages | Wire::BedrockInvoke | Wire::BedrockText => 4096,
                // Which has a limit of its own, but for thinking.
                Wire::BedrockConverse if thinking.is_some() => 4096,
                Wire::Completions => 1024,
                Wire::Tgi => template::LIMIT,
                _ => return,
            };
            request
                .max_tokens
                .get_or_insert(limit + thinking.unwrap_or(0));
        },
    },
    Rule {
        name: "stored",
        says: "The Responses API is told `store: false`, unless the client says otherwise.",
        change: |request, upstream| {
            if upstream.wire == Wire::Responses {
                request.extra.entry("store").or_insert(false.into());
            }
        },
    },
    Rule {
        name: "schema",
        says: "A schema's name, description and strictness are left out where the upstream has no place for them; OpenAI's dialects, which want a name, get `response`; Claude is always strict.",
        change: |request, upstream| {
            let Some(Format::JsonSchema {
                name,
                description,
                strict,
                ..
            }) = &mut request.format
            else {
                return;
            };
            match upstream.wire {
                Wire::Chat | Wire::Completions | Wire::Responses => {
                    name.get_or_insert_with(|| "response".into());
                }
                Wire::BedrockConverse => *strict = Some(true),
                Wire::Messages | Wire::BedrockInvoke => {
                    (*name, *description, *strict) = (None, None, Some(true))
                }
                _ => (*name, *description, *strict) = (None, None, None),
            }
        },
    },
    Rule {
        name: "user",
        says: "Who asks is said to OpenAI's dialects and to Anthropic alone.",
        change: |request, upstream| {
            let openai = matches!(
                upstream.wire,
                Wire::Chat | Wire::Completions | Wire::Responses
            );
            if !openai && upstream.wire != Wire::Messages {
                request.user = None;
            }
        },
    },
    Rule {
        name: "cache mark",
        says: "Marks for Claude's cache go to Claude alone; other servers cache by themselves.",
        change: |request, upstream| {
            if !matches!(
                upstream.wire,
                Wire::Messages | Wire::BedrockInvoke | Wire::BedrockConverse
            ) {
                for part in parts(request) {
                    if let Part::Text { cache, .. } = part {
                        *cache = None;
                    }
                }
            }
        },
    },
    Rule {
        name: "engine",
        says: "How a local server runs the model (`num_ctx`, `num_gpu`, …, `keep_alive`) is said to Ollama alone.",
        change: |request, upstream| {
            if !ollama(upstream.wire) {
                request.keep_alive = None;
                request
                    .extra
                    .retain(|name, _| !name.starts_with("options."));
            }
        },
    },
    Rule {
        name: "template",
        says: "TGI is sent one prompt, which the backend's `promptTemplate` makes of the conversation (`plain` where it names none, and in these tables), and the template's stops.",
        change: |request, upstream| {
            if upstream.wire == Wire::Tgi {
                *request = templated(request).unwrap();
            }
        },
    },
    Rule {
        name: "answer begun",
        says: "The model's own last message is the beginning of the answer to clients of Anthropic, Bedrock, Gemini and Ollama, and to their models and TGI's: it is continued. OpenAI's dialects answer anew: what their clients send so is continued elsewhere, and what others' clients send so is refused.",
        change: |request, upstream| {
            let continues = claude(upstream.wire)
                || matches!(
                    upstream.wire,
                    Wire::BedrockText | Wire::Gemini | Wire::OllamaChat
                );
            request.continued = continues && message::begun(&request.messages);
        },
    },
];
