//! How a model is asked to think: by a level from Gemini 3 on, by a budget of tokens before.
//!
//! Source: [thinking](https://ai.google.dev/gemini-api/docs/thinking). Rules of ours:
//!
//! - A budget becomes the level of about as much and a level the budget ([`Effort::budget`]); a budget is brought into the model's range.
//! - Gemini 3 and Gemini 2.5 Pro always think: who asks them not to gets the least that they can.
//! - Models before 2.5 and Gemma do not think: to ask them not to is left out, to ask them to is refused.
//! - Thoughts are asked for (`includeThoughts`) unless the client hides them.

use serde_json::{Value, json};

use super::PAGE;
use crate::fields::Fields;
use crate::form::{Effort, Field, Malformed, Reasoning, Refused};

/// How a model thinks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Not at all.
    Never,
    /// By a budget: least and most, and whether it can leave thinking.
    Budget { least: u64, most: u64, off: bool },
    /// By a level: the one of least, and whether there is a medium.
    Level { least: &'static str, medium: bool },
}

/// Whether it is a model of Gemini 3 or newer: they insist on signatures. Names without a version (`gemini-flash-latest`) are of the newest.
#[must_use]
pub fn is_newer(model: &str) -> bool {
    let name = bare(model);
    let Some(rest) = name.strip_prefix("gemini-") else {
        return false;
    };
    let version: String = rest.chars().take_while(char::is_ascii_digit).collect();
    match version.parse::<u32>() {
        Ok(version) => version >= 3,
        Err(_) => rest.ends_with("-latest"),
    }
}

/// The name without the vendor's or a project's prefix.
fn bare(model: &str) -> String {
    model
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase()
}

fn way(model: &str) -> Way {
    let name = bare(model);
    if is_newer(model) {
        let pro = name.contains("pro");
        return Way::Level {
            least: if pro { "LOW" } else { "MINIMAL" },
            medium: !name.starts_with("gemini-3-pro"),
        };
    }
    let older = ["gemini-1", "gemini-2.0", "gemini-pro", "gemma"];
    if older.iter().any(|start| name.starts_with(start)) {
        return Way::Never;
    }
    let (least, most, off) = if name.contains("flash-lite") {
        (512, 24_576, true)
    } else if name.contains("pro") {
        (128, 32_768, false)
    } else {
        (1, 24_576, true)
    };
    Way::Budget { least, most, off }
}

/// Reads `thinkingConfig`. Where it only leaves thoughts out, as happens anyway, it says nothing.
///
/// # Errors
/// [`Malformed`] if it is not what the dialect says.
pub fn read(mut config: Fields) -> Result<Option<Reasoning>, Malformed> {
    let shown = config.bool("includeThoughts")?.unwrap_or_default();
    let mut reasoning = Reasoning {
        hidden: !shown,
        ..Reasoning::default()
    };
    match config.integer("thinkingBudget")? {
        None => {}
        Some(0) => reasoning.enabled = Some(false),
        Some(-1) => reasoning.enabled = Some(true),
        Some(tokens) => match u64::try_from(tokens) {
            Ok(tokens) => reasoning.budget_tokens = Some(tokens),
            Err(_) => {
                let message = "The budget must be a number of tokens, 0 for none or -1 for as many as the model likes.";
                return Err(config.fault("thinkingBudget", message));
            }
        },
    }
    if let Some(word) = config.string("thinkingLevel")? {
        let word = word.to_ascii_lowercase();
        reasoning.effort = Effort::parse(&word).filter(|effort| *effort != Effort::None);
        if reasoning.effort.is_none() && word != "thinking_level_unspecified" {
            let message = format!(
                "The level must be MINIMAL, LOW, MEDIUM or HIGH, not {:?}.",
                word.to_ascii_uppercase()
            );
            return Err(config.fault("thinkingLevel", message));
        }
    }
    let amount = reasoning.effort.is_some() || reasoning.budget_tokens.is_some();
    if shown && !amount && reasoning.enabled.is_none() {
        reasoning.enabled = Some(true);
    }
    Ok((amount || reasoning.enabled.is_some()).then_some(reasoning))
}

/// `thinkingConfig` for a model, if anything is to be said.
///
/// # Errors
/// [`Refused`] if the model cannot think.
pub fn write(
    reasoning: Option<&Reasoning>,
    max_tokens: Option<u64>,
    model: &str,
) -> Result<Option<Value>, Refused> {
    let Some(reasoning) = reasoning else {
        return Ok(None);
    };
    let on = reasoning.is_on();
    let mut config = match way(model) {
        Way::Never if on => {
            let message = "This model of Gemini's does not reason; remove the field, or choose another model.";
            return Err(Refused::new(Field::Reasoning, message, PAGE));
        }
        Way::Never => return Ok(None),
        Way::Budget { least, off, .. } if !on => {
            json!({"thinkingBudget": if off { 0 } else { least }})
        }
        Way::Budget { least, most, .. } => {
            let effort = reasoning.effort.map(|effort| effort.budget(max_tokens));
            match reasoning.budget_tokens.or(effort) {
                Some(tokens) => json!({"thinkingBudget": tokens.clamp(least, most)}),
                None => json!({"thinkingBudget": -1}),
            }
        }
        Way::Level { least, .. } if !on => json!({"thinkingLevel": least}),
        Way::Level { least, medium } => {
            let effort = reasoning
                .effort
                .or_else(|| reasoning.budget_tokens.map(Effort::of_budget));
            match effort {
                None => json!({}),
                Some(Effort::None | Effort::Minimal) => json!({"thinkingLevel": least}),
                Some(Effort::Low) => json!({"thinkingLevel": "LOW"}),
                Some(Effort::Medium) if medium => json!({"thinkingLevel": "MEDIUM"}),
                Some(Effort::Medium | Effort::High | Effort::XHigh | Effort::Max) => {
                    json!({"thinkingLevel": "HIGH"})
                }
            }
        }
    };
    if on && !reasoning.hidden {
        config["includeThoughts"] = true.into();
    }
    let says = config.as_object().is_some_and(|map| !map.is_empty());
    Ok(says.then_some(config))
}

/// `thinkingConfig` that asks a model not to think, or for the least that it can; none where it never does.
#[must_use]
pub fn quiet(model: &str) -> Option<Value> {
    let off = Reasoning {
        enabled: Some(false),
        ..Reasoning::default()
    };
    write(Some(&off), None, model).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(reasoning: &Reasoning, model: &str) -> Option<Value> {
        write(Some(reasoning), None, model).unwrap()
    }

    #[test]
    fn each_model_is_asked_in_its_own_way() {
        let effort = |effort| Reasoning {
            effort: Some(effort),
            hidden: true,
            ..Reasoning::default()
        };
        let off = Reasoning {
            enabled: Some(false),
            ..Reasoning::default()
        };
        for (reasoning, model, config) in [
            (
                effort(Effort::Medium),
                "gemini-3-pro-preview",
                json!({"thinkingLevel": "HIGH"}),
            ),
            (
                effort(Effort::Medium),
                "models/gemini-3.1-pro-preview",
                json!({"thinkingLevel": "MEDIUM"}),
            ),
            (
                effort(Effort::Minimal),
                "gemini-3-flash-preview",
                json!({"thinkingLevel": "MINIMAL"}),
            ),
            (
                effort(Effort::Minimal),
                "gemini-flash-latest",
                json!({"thinkingLevel": "MINIMAL"}),
            ),
            (
                effort(Effort::High),
                "gemini-2.5-flash",
                json!({"thinkingBudget": 24_576}),
            ),
            (
                effort(Effort::XHigh),
                "gemini-2.5-pro",
                json!({"thinkingBudget": 32_768}),
            ),
            (
                off.clone(),
                "gemini-2.5-flash",
                json!({"thinkingBudget": 0}),
            ),
            (
                off.clone(),
                "gemini-2.5-pro",
                json!({"thinkingBudget": 128}),
            ),
            (
                off.clone(),
                "gemini-3-pro-preview",
                json!({"thinkingLevel": "LOW"}),
            ),
        ] {
            assert_eq!(
                asked(&reasoning, model),
                Some(config),
                "{model} {reasoning:?}"
            );
        }
        assert_eq!(asked(&off, "gemini-2.0-flash"), None);
        assert!(write(Some(&effort(Effort::Low)), None, "gemma-3-27b-it").is_err());
        assert!(
            is_newer("gemini-10-pro") && !is_newer("gemini-2.5-pro") && !is_newer("tunedModels/x")
        );
    }
}
