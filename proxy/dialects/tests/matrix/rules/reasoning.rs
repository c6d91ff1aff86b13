//! Rules for how models are asked to reason, and for what they reasoned before.

use dragoman_dialects::Wire;
use dragoman_dialects::form::{Effort, Encrypted, Message, Part, Reasoning, Role, Vendor};

use super::{Rule, claude, ollama};

fn by_anthropic(encrypted: &Encrypted) -> bool {
    encrypted.vendor == Vendor::Anthropic
}

pub(super) static RULES: [Rule; 9] = [
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
                let thought = |part: &Part| matches!(part, Part::Reasoning { signature, encrypted, .. } if signature.is_some() || encrypted.as_ref().is_some_and(by_anthropic));
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
        name: "encrypted reasoning",
        says: "That reasoning is to come back encrypted is told to the Responses API alone. It asks no model to reason.",
        change: |request, upstream| {
            if upstream.wire != Wire::Responses {
                request.encrypted_reasoning = false;
            }
        },
    },
    Rule {
        name: "effort of the answer",
        says: "How much Claude spends on a whole answer (`output_config.effort` without thinking) asks for no reasoning. Claude is told the nearest word that the model takes, by its name, and the first that take one are Opus 4.5 and 4.6; OpenAI's own reasoning models are told it as their effort; others choose for themselves.",
        // None of the matrix's models takes it.
        change: |request, _| request.effort = None,
    },
    Rule {
        name: "earlier reasoning",
        says: "Reasoning of earlier turns goes back only where the upstream takes it: Claude takes what bears its signature or is encrypted by Anthropic, the Responses API what is encrypted by OpenAI, Ollama the text, and so does a backend of OpenAI's dialect that says `openai.reasoningContent: Send`, as DeepSeek wants it.",
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
                        let vendor = encrypted.as_ref().map(|it| it.vendor);
                        match wire {
                            Wire::Responses => vendor == Some(Vendor::OpenAi) && id.is_some(),
                            _ if claude(wire) => {
                                *id = None;
                                encrypted.take_if(|it| !by_anthropic(it));
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
];
