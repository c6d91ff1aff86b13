//! What a translation may change. Each rule changes the form as a writer and the upstream's reader together do; nothing else may change.

use dragoman_dialects::Wire;
use dragoman_dialects::form::{
    Effort, Format, Message, Part, Reasoning, Request, Role, Tool, ToolChoice,
};

use crate::wires::Side;

/// A rule.
pub(crate) struct Rule {
    /// Its name, for tests that fail.
    pub(crate) name: &'static str,
    /// What the documentation says.
    pub(crate) says: &'static str,
    change: fn(&mut Request, &Side),
}

impl std::fmt::Debug for Rule {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.name)
    }
}

impl Rule {
    /// Its number in the documentation.
    pub(crate) fn number(&self) -> usize {
        1 + RULES
            .iter()
            .position(|rule| rule.name == self.name)
            .unwrap()
    }

    /// Whether it says to the client's own dialect what goes without saying there.
    pub(crate) fn adds(&self, wire: Wire) -> bool {
        match self.name {
            "limit" | "stored" => true,
            // To another server of the same dialect the client's own bytes go, so that neither a developer's message nor reasoning is touched.
            "developer" => wire == Wire::Chat,
            // The vendor refuses it in its own dialect too.
            "thinking under way" => claude(wire),
            "earlier reasoning" => matches!(wire, Wire::Chat | Wire::Gemini),
            _ => false,
        }
    }
}

/// Changes a request as the writer for an upstream may; which rules did.
pub(crate) fn apply(request: &mut Request, upstream: &Side) -> Vec<&'static Rule> {
    let mut applied = Vec::new();
    for rule in &RULES {
        let before = request.clone();
        (rule.change)(request, upstream);
        if *request != before {
            applied.push(rule);
        }
    }
    applied
}

pub(crate) static RULES: [Rule; 23] = [
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
        name: "thinking under way",
        says: "Claude is not asked to think in the midst of tool calls that it began without thinking, or whose thinking the client did not bring back, since it refuses to.",
        change: |request, upstream| {
            let turn = request
                .messages
                .iter()
                .rev()
                .skip_while(|message| message.role == Role::Tool);
            let first = turn
                .take_while(|message| message.role == Role::Assistant)
                .last();
            let under_way = request
                .messages
                .last()
                .is_some_and(|message| message.role == Role::Tool);
            let brought = |message: &Message| {
                let thought = |part: &Part| matches!(part, Part::Reasoning { signature, encrypted, .. } if signature.is_some() || encrypted.is_some());
                message.parts.iter().any(thought)
            };
            let lost = under_way && first.is_some_and(|message| !brought(message));
            if lost && claude(upstream.wire) {
                request.reasoning = request
                    .reasoning
                    .take()
                    .filter(|reasoning| !reasoning.is_on());
            }
        },
    },
    Rule {
        name: "budget",
        says: "Reasoning that was asked for in a word gets the budget of the table above at Claude's models that count; a wish without an amount gets `medium`'s.",
        change: |request, upstream| {
            if !claude(upstream.wire) {
                return;
            }
            let Some(reasoning) = &mut request.reasoning else {
                return;
            };
            let most = request.max_tokens;
            let effort = reasoning.effort.unwrap_or(Effort::Medium);
            let budget = reasoning
                .budget_tokens
                .unwrap_or_else(|| effort.budget(most));
            *reasoning = Reasoning {
                enabled: Some(reasoning.is_on()),
                budget_tokens: reasoning.is_on().then_some(budget),
                hidden: reasoning.is_on() && reasoning.hidden,
                ..Reasoning::default()
            };
        },
    },
    Rule {
        name: "limit",
        says: "Where the upstream must be told a limit, a request without one gets 4096 tokens and what thinking is expected to take (Claude), 1024 (text completions) or 20 (TGI).",
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
                Wire::Tgi => 20,
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
        name: "strict",
        says: "Whether a tool's arguments are constrained to its schema is said to OpenAI's dialects and, where it is so, to Claude's; others have no word for it.",
        change: |request, upstream| {
            for tool in &mut request.tools {
                if let Tool::Function { strict, .. } = tool {
                    match upstream.wire {
                        Wire::Chat => {}
                        // Here, unlike anywhere else, it is the default.
                        Wire::Responses => *strict = Some(*strict == Some(true)),
                        _ if claude(upstream.wire) => *strict = strict.filter(|strict| *strict),
                        _ => *strict = None,
                    }
                }
            }
        },
    },
    Rule {
        name: "no tool",
        says: "Tools that may not be called are not sent where there is no word for it.",
        change: |request, upstream| {
            let silent =
                ollama(upstream.wire) || matches!(upstream.wire, Wire::BedrockConverse | Wire::Tgi);
            let function = |tool: &Tool| matches!(tool, Tool::Function { .. });
            let bare = !request.tools.iter().any(function);
            let idle = matches!(
                request.tool_choice,
                Some(
                    ToolChoice::None
                        | ToolChoice::Allowed {
                            required: false,
                            ..
                        }
                )
            );
            // Gemini chooses among functions only.
            if upstream.wire == Wire::Gemini && bare && idle {
                request.tool_choice = None;
            }
            if silent && request.tool_choice == Some(ToolChoice::None) {
                request.tools.clear();
                request.tool_choice = None;
                request.parallel_tool_calls = None;
            }
        },
    },
    Rule {
        name: "some tools",
        says: "Where some of the tools are allowed, the others are not sent; OpenAI's dialects are told which.",
        change: |request, upstream| {
            if let Some(ToolChoice::Allowed { names, required }) = &request.tool_choice
                && (claude(upstream.wire) || upstream.wire == Wire::OllamaChat)
            {
                let required = *required;
                request
                    .tools
                    .retain(|tool| names.iter().any(|name| name == tool.name()));
                request.tool_choice = required.then_some(ToolChoice::Required);
            }
        },
    },
    Rule {
        name: "failed result",
        says: "That a tool failed is left to the text of its result.",
        change: |request, upstream| {
            if !claude(upstream.wire) && upstream.wire != Wire::Gemini {
                for part in parts(request) {
                    if let Part::ToolResult(result) = part {
                        result.is_error = false;
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
    Rule {
        name: "effort",
        says: "Reasoning that was asked for in tokens becomes OpenAI's word for about as much: below 4096 `low`, below 16384 `medium`, above `high`. A bare wish to reason or not is left to the model.",
        change: |request, upstream| {
            if matches!(upstream.wire, Wire::Chat | Wire::Responses) {
                let of = |reasoning: &Reasoning| {
                    let asked = reasoning
                        .effort
                        .or(reasoning.budget_tokens.map(Effort::of_budget));
                    asked.filter(|_| reasoning.enabled != Some(false))
                };
                let effort = request.reasoning.as_ref().and_then(of);
                request.reasoning = effort.map(|effort| Reasoning {
                    effort: Some(effort),
                    ..Reasoning::default()
                });
            }
        },
    },
    Rule {
        name: "Gemini's thinking",
        says: "Gemini is asked for a budget too, or for a level from Gemini 3 on, each model within its range, and to show its thoughts unless the client hides them.",
        change: |request, upstream| {
            if upstream.wire != Wire::Gemini {
                return;
            }
            let most = request.max_tokens;
            if let Some(reasoning) = &mut request.reasoning {
                let on = reasoning.is_on();
                let wanted = reasoning.effort.map(|effort| effort.budget(most));
                let budget = reasoning.budget_tokens.or(wanted).filter(|_| on);
                *reasoning = Reasoning {
                    enabled: budget.is_none().then_some(on),
                    budget_tokens: budget,
                    hidden: !on || reasoning.hidden,
                    ..Reasoning::default()
                };
            }
        },
    },
    Rule {
        name: "think",
        says: "Ollama is told `think` as the nearest of its words low, medium and high where the model, by its name, thinks at levels (gpt-oss), and as true or false elsewhere: others refuse or ignore words.",
        change: |request, upstream| {
            if !ollama(upstream.wire) {
                return;
            }
            if let Some(reasoning) = &mut request.reasoning {
                let on = reasoning.is_on();
                let effort = reasoning
                    .effort
                    .or(reasoning.budget_tokens.map(Effort::of_budget));
                let effort = effort
                    .filter(|_| on)
                    .map(|effort| effort.clamp(Effort::Low, Effort::High));
                *reasoning = Reasoning {
                    enabled: effort.is_none().then_some(on),
                    effort,
                    ..Reasoning::default()
                };
            }
        },
    },
    Rule {
        name: "no reasoning",
        says: "The wish not to reason is left out where the upstream's models do not reason by this call; so is, for text completions, the wish to.",
        change: |request, upstream| {
            if matches!(
                upstream.wire,
                Wire::Completions | Wire::Tgi | Wire::BedrockText
            ) {
                request.reasoning = None;
            }
        },
    },
    Rule {
        name: "earlier reasoning",
        says: "Reasoning of earlier turns goes back only where the upstream takes it: Claude takes what bears its signature, the Responses API what is encrypted, Ollama the text.",
        change: |request, upstream| {
            let wire = upstream.wire;
            for message in &mut request.messages {
                message.parts.retain_mut(|part| match part {
                    Part::Reasoning {
                        text,
                        signature,
                        encrypted,
                        id,
                    } => {
                        if ollama(wire) {
                            (*signature, *encrypted, *id) = (None, None, None);
                            return !text.is_empty();
                        }
                        match wire {
                            Wire::Responses => encrypted.is_some() && id.is_some(),
                            _ if claude(wire) => {
                                *id = None;
                                if signature.is_none() && encrypted.is_some() {
                                    text.clear();
                                }
                                signature.is_some() || encrypted.is_some()
                            }
                            _ => false,
                        }
                    }
                    _ => true,
                });
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
];

fn takes_prompts(wire: Wire) -> bool {
    matches!(wire, Wire::Completions | Wire::Tgi)
}

fn ollama(wire: Wire) -> bool {
    matches!(wire, Wire::OllamaChat | Wire::OllamaGenerate)
}

/// Claude with tools and thinking.
fn claude(wire: Wire) -> bool {
    matches!(
        wire,
        Wire::Messages | Wire::BedrockInvoke | Wire::BedrockConverse
    )
}

fn parts(request: &mut Request) -> impl Iterator<Item = &mut Part> {
    request
        .messages
        .iter_mut()
        .flat_map(|message: &mut Message| &mut message.parts)
}
