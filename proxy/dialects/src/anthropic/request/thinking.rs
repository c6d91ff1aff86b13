//! Thinking, effort and the form of the output: `thinking`, `output_config` and the older `output_format`.
//!
//! Sources: [thinking](https://platform.claude.com/docs/en/build-with-claude/extended-thinking),
//! [adaptive thinking](https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking),
//! [effort](https://platform.claude.com/docs/en/build-with-claude/effort),
//! [structured outputs](https://platform.claude.com/docs/en/build-with-claude/structured-outputs).
//!
//! Rules of ours, since models differ in what they take: Claude up to 4.5, and models that are not called Claude, get a budget of
//! tokens; Claude 4.6 takes a budget where the client gave one, else thinks adaptively with an effort; later ones always do the latter. An
//! effort becomes a budget by [`Effort::budget`] and a budget an effort by [`Effort::of_budget`]. A budget is raised to 1024 and
//! cut below `max_tokens`. Where that leaves no room, or a call is under way whose turn brought no thinking back, an effort is left out: it is a wish.

use serde::Serialize;
use serde_json::{Map, Value};

use super::format;
use super::write::DEFAULT_MAX_TOKENS;
use crate::fields::Fields;
use crate::form::{
    Effort, Field, Format, Malformed, Message, Part, Reasoning, Refused, Request, Role, Vendor,
};

/// The least budget that the vendor takes, in tokens.
const LEAST: u64 = 1024;

const PAGE: &str = "https://platform.claude.com/docs/en/build-with-claude/extended-thinking";

/// What the fields of this module say.
#[derive(Debug, Default)]
pub struct Output {
    /// The form of the text.
    pub format: Option<Format>,
    /// The thinking.
    pub reasoning: Option<Reasoning>,
    /// The effort of an answer without thinking.
    pub effort: Option<Effort>,
    /// What the form has no place for.
    pub extra: Map<String, Value>,
}

/// Takes the fields.
///
/// # Errors
/// [`Malformed`] if one is not what the dialect says.
pub fn read(body: &mut Fields) -> Result<Output, Malformed> {
    let mut output = Output::default();
    let mut reasoning = Reasoning::default();
    let kind = body
        .peek("thinking")
        .and_then(|thinking| thinking.get("type")?.as_str());
    match kind.map(str::to_owned).as_deref() {
        Some("enabled" | "adaptive" | "disabled") => read_thinking(body, &mut reasoning)?,
        Some(_) => {
            let thinking = body.value("thinking");
            output
                .extra
                .extend(thinking.map(|value| ("thinking".into(), value)));
        }
        None if body.has("thinking") => {
            return Err(body.fault("thinking.type", "The field is required."));
        }
        None => {}
    }
    if let Some(mut config) = body.object("output_config")? {
        output.effort = effort(&mut config)?;
        output.format = config.object("format")?.map(format::read).transpose()?;
        let rest = config.rest();
        if rest.values().any(|value| !value.is_null()) {
            output.extra.insert("output_config".into(), rest.into());
        }
    }
    if let Some(format) = body.object("output_format")? {
        output.format = Some(format::read(format)?);
    }
    // The vendor's effort is of all that is answered: it is an amount of thinking only where thinking is asked for.
    if reasoning.enabled == Some(true) {
        reasoning.effort = output.effort.take();
    }
    output.reasoning = (reasoning != Reasoning::default()).then_some(reasoning);
    Ok(output)
}

/// Takes `effort` of an output's configuration.
///
/// # Errors
/// [`Malformed`] if it is no word that the vendor has.
pub fn effort(config: &mut Fields) -> Result<Option<Effort>, Malformed> {
    let Some(word) = config.string("effort")? else {
        return Ok(None);
    };
    let effort = Effort::parse(&word).filter(|effort| *effort >= Effort::Low);
    let fault = || {
        let message = format!("The effort must be low, medium, high, xhigh or max, not {word:?}.");
        config.fault("effort", message)
    };
    effort.ok_or_else(fault).map(Some)
}

fn read_thinking(body: &mut Fields, reasoning: &mut Reasoning) -> Result<(), Malformed> {
    let Some(mut thinking) = body.object("thinking")? else {
        return Ok(());
    };
    let kind = thinking.required_string("type")?;
    reasoning.enabled = Some(kind != "disabled");
    reasoning.hidden = match thinking.string("display")?.as_deref() {
        None | Some("summarized") => false,
        Some("omitted") => true,
        Some(other) => {
            let message = format!("The display must be summarized or omitted, not {other:?}.");
            return Err(thinking.fault("display", message));
        }
    };
    if kind == "disabled" {
        thinking.ignore(&["budget_tokens"]);
    }
    if kind == "enabled" {
        let budget = thinking.count("budget_tokens")?;
        reasoning.budget_tokens = Some(budget.ok_or_else(|| thinking.missing("budget_tokens"))?);
    }
    Ok(())
}

/// `thinking`, to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Thinking {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    budget_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    display: Option<&'static str>,
}

/// How a model is asked to think.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// `thinking`.
    pub thinking: Option<Thinking>,
    /// `output_config.effort`.
    pub effort: Option<&'static str>,
    /// The tokens that thinking is expected to take, for a limit that the client did not set.
    pub tokens: u64,
}

impl Plan {
    /// Whether it thinks.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.thinking
            .is_some_and(|thinking| thinking.kind != "disabled")
    }
}

/// What a model takes, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    Budget,
    Either,
    Adaptive,
}

fn takes(model: &str) -> Takes {
    const UP_TO_4_5: [&str; 12] = [
        "claude-2",
        "claude-3",
        "claude-instant",
        "claude-v2",
        "opus-4-0",
        "opus-4-1",
        "opus-4-2",
        "opus-4-5",
        "sonnet-4-0",
        "sonnet-4-2",
        "sonnet-4-5",
        "haiku-4-5",
    ];
    let model = model.to_ascii_lowercase().replace(['.', '@'], "-");
    if !model.contains("claude") || UP_TO_4_5.iter().any(|old| model.contains(old)) {
        Takes::Budget
    } else if model.contains("-4-6") {
        Takes::Either
    } else {
        Takes::Adaptive
    }
}

/// Whether a model can think at all: older ones, which cannot, need not be told not to.
#[must_use]
pub fn can_think(model: &str) -> bool {
    let model = model.to_ascii_lowercase();
    let old = ["claude-2", "claude-3-", "claude-instant", "claude-v2"];
    model.contains("claude-3-7") || !old.iter().any(|name| model.contains(name))
}

/// How the model is to be asked.
///
/// # Errors
/// [`Refused`] if thinking was asked for outright and `max_tokens` leaves no room.
pub fn plan(request: &Request, model: &str) -> Result<Plan, Refused> {
    // Said without thinking, it asks for none.
    let effort = request.effort.and_then(|effort| word(effort, model));
    let Some(reasoning) = &request.reasoning else {
        return Ok(Plan {
            effort,
            ..Plan::default()
        });
    };
    if !reasoning.is_on() {
        let thinking = Thinking {
            kind: "disabled",
            budget_tokens: None,
            display: None,
        };
        return Ok(Plan {
            thinking: can_think(model).then_some(thinking),
            effort,
            ..Plan::default()
        });
    }
    match (takes(model), reasoning.budget_tokens) {
        (Takes::Budget, _) | (Takes::Either, Some(_)) => by_budget(request, reasoning, model),
        (takes, budget) => {
            let effort = reasoning.effort.or_else(|| budget.map(Effort::of_budget));
            Ok(adaptive(reasoning, effort, (takes, model)))
        }
    }
}

/// The word for an effort that a model takes, the nearest of its own: from Claude Opus 4.5 on there are three, `max` came with 4.6 and
/// `xhigh` with 4.7. Older ones refuse the field; what is not called Claude is told the client's own word.
fn word(effort: Effort, model: &str) -> Option<&'static str> {
    let takes = takes(model);
    let model = model.to_ascii_lowercase().replace('.', "-");
    Some(match effort {
        Effort::None => return None,
        _ if takes == Takes::Budget && model.contains("claude") && !model.contains("opus-4-5") => {
            return None;
        }
        Effort::Minimal | Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High => "high",
        _ if takes == Takes::Budget && model.contains("claude") => "high",
        Effort::XHigh if takes == Takes::Either => "max",
        Effort::XHigh => "xhigh",
        Effort::Max => "max",
    })
}

fn adaptive(reasoning: &Reasoning, effort: Option<Effort>, (takes, model): (Takes, &str)) -> Plan {
    let word = effort.and_then(|effort| word(effort, model));
    // Later models show no thinking unless they are told to.
    let display = match reasoning.hidden {
        true => Some("omitted"),
        false if takes == Takes::Adaptive => Some("summarized"),
        false => None,
    };
    Plan {
        thinking: Some(Thinking {
            kind: "adaptive",
            budget_tokens: None,
            display,
        }),
        effort: word,
        tokens: effort.unwrap_or(Effort::High).budget(None),
    }
}

fn by_budget(request: &Request, reasoning: &Reasoning, model: &str) -> Result<Plan, Refused> {
    if brought_none_back(&request.messages) {
        return Ok(Plan::default());
    }
    let wanted = reasoning
        .budget_tokens
        .unwrap_or_else(|| {
            reasoning
                .effort
                .unwrap_or(Effort::Medium)
                .budget(request.max_tokens)
        })
        .max(LEAST);
    let budget = match request.max_tokens {
        Some(most) if most > LEAST => wanted.min(most - 1),
        Some(_) if reasoning.enabled == Some(true) || reasoning.budget_tokens.is_some() => {
            let message = "Anthropic thinks with 1024 tokens or more, which count towards the reply's limit; raise the limit above 1024, or ask for no thinking.";
            return Err(Refused::new(Field::MaxTokens, message, PAGE));
        }
        Some(_) => return Ok(Plan::default()),
        None => wanted,
    };
    Ok(Plan {
        thinking: Some(Thinking {
            kind: "enabled",
            budget_tokens: Some(budget),
            display: reasoning.hidden.then_some("omitted"),
        }),
        // Beside a budget it is of the whole answer.
        effort: reasoning
            .budget_tokens
            .and(reasoning.effort)
            .and_then(|effort| word(effort, model)),
        tokens: budget,
    })
}

/// Whether tools are being called in a turn of the model's that begins without its thinking: the vendor refuses to think on then.
fn brought_none_back(messages: &[Message]) -> bool {
    let under_way = messages
        .last()
        .is_some_and(|message| message.role == Role::Tool);
    let turn = messages
        .iter()
        .rev()
        .skip_while(|message| message.role == Role::Tool);
    let first = turn
        .take_while(|message| message.role == Role::Assistant)
        .last();
    under_way
        && first.is_some_and(|message| {
            !message.parts.iter().any(|part| {
                matches!(part, Part::Reasoning { signature, encrypted, .. } if signature.is_some() || encrypted.as_ref().is_some_and(|it| it.vendor == Vendor::Anthropic))
            })
        })
}

/// The limit to send: the client's, or [`DEFAULT_MAX_TOKENS`] and what thinking is expected to take.
#[must_use]
pub fn max_tokens(request: &Request, plan: &Plan) -> u64 {
    request
        .max_tokens
        .unwrap_or(DEFAULT_MAX_TOKENS + plan.tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_asked_in_the_way_that_it_takes() {
        for (model, expected) in [
            ("claude-3-7-sonnet-20250219", Takes::Budget),
            ("claude-sonnet-4-20250514", Takes::Budget),
            (
                "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
                Takes::Budget,
            ),
            ("claude-opus-4-5", Takes::Budget),
            ("kimi-k2", Takes::Budget),
            ("claude-opus-4-6", Takes::Either),
            ("claude-opus-4.6", Takes::Either),
            ("claude-opus-4-7", Takes::Adaptive),
            ("claude-opus-5", Takes::Adaptive),
        ] {
            assert_eq!(takes(model), expected, "{model}");
        }
    }

    #[test]
    fn a_model_that_cannot_think_is_not_told_not_to() {
        let reasoning = Reasoning {
            enabled: Some(false),
            ..Reasoning::default()
        };
        let request = Request {
            reasoning: Some(reasoning),
            ..Request::default()
        };
        for (model, told) in [
            ("claude-3-5-sonnet-20241022", false),
            ("claude-3-7-sonnet-20250219", true),
            ("claude-opus-4-7", true),
            ("kimi-k2", true),
        ] {
            let thinking = plan(&request, model).unwrap().thinking;
            assert_eq!(thinking.is_some(), told, "{model}");
        }
    }

    #[test]
    fn a_budget_leaves_room_for_the_answer() {
        let asked = |max_tokens, reasoning| {
            let request = Request {
                max_tokens,
                reasoning: Some(reasoning),
                ..Request::default()
            };
            plan(&request, "claude-sonnet-4-5")
                .map(|plan| plan.thinking.and_then(|thinking| thinking.budget_tokens))
        };
        let effort = Reasoning {
            effort: Some(Effort::High),
            ..Reasoning::default()
        };
        let budget = Reasoning {
            budget_tokens: Some(10),
            ..Reasoning::default()
        };
        assert_eq!(asked(None, effort.clone()), Ok(Some(24_576)));
        assert_eq!(asked(Some(8000), effort.clone()), Ok(Some(4000)));
        assert_eq!(asked(Some(1025), effort.clone()), Ok(Some(1024)));
        assert_eq!(asked(Some(500), effort), Ok(None));
        assert_eq!(asked(None, budget.clone()), Ok(Some(1024)));
        assert_eq!(
            asked(Some(500), budget).unwrap_err().field,
            Field::MaxTokens
        );
    }
}
