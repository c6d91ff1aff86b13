//! `additionalModelRequestFields`: what each model has of its own, by the model's name.
//!
//! Sources: [Claude's thinking](https://docs.aws.amazon.com/bedrock/latest/userguide/claude-messages-extended-thinking.html),
//! [Nova's parameters](https://docs.aws.amazon.com/nova/latest/userguide/using-converse-api.html),
//! [OpenAI's models](https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-openai.html).
//!
//! Claude thinks by [Anthropic's rules](crate::anthropic::request::thinking). OpenAI's models take an effort, as `reasoning_effort`. Models of others
//! have no field that is known here: to ask them to reason, or for `top_k`, is refused, and to ask them not to is left out.

use serde_json::{Map, Value, json};

use crate::anthropic::betas;
use crate::anthropic::request::thinking::{self, Plan};
use crate::form::{Effort, Field, Reasoning, Refused, Request};

const PAGE: &str = "https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Vendor {
    Anthropic,
    Nova,
    OpenAi,
    Other,
}

fn vendor(model: &str) -> Vendor {
    let model = model.to_ascii_lowercase();
    if model.contains("claude") || model.contains("anthropic") {
        Vendor::Anthropic
    } else if model.contains("nova") {
        Vendor::Nova
    } else if model.contains("openai") || model.contains("gpt-oss") {
        Vendor::OpenAi
    } else {
        Vendor::Other
    }
}

/// The field that asks a model not to think, or for the least that it can; none where it has none that is known here, or never thinks.
#[must_use]
pub fn quiet(model: &str) -> Option<(&'static str, Value)> {
    match vendor(model) {
        Vendor::Anthropic if thinking::can_think(model) => {
            Some(("thinking", json!({"type": "disabled"})))
        }
        Vendor::OpenAi => Some(("reasoning_effort", "low".into())),
        Vendor::Anthropic | Vendor::Nova | Vendor::Other => None,
    }
}

/// The fields, and how Claude is asked to think.
///
/// # Errors
/// [`Refused`] for what the model has no field for.
pub fn write(request: &Request, model: &str) -> Result<(Map<String, Value>, Plan), Refused> {
    let mut fields = match request.extra.get("additionalModelRequestFields") {
        Some(Value::Object(fields)) => fields.clone(),
        _ => Map::new(),
    };
    let vendor = vendor(model);
    let plan = reasoning(request, model, vendor, &mut fields)?;
    if let (Vendor::Anthropic, Some(names)) = (vendor, request.extra.get(betas::FIELD)) {
        fields.insert(betas::FIELD.into(), names.clone());
    }
    if let Some(count) = request.sampling.top_k.filter(|count| *count > 0) {
        match vendor {
            Vendor::Anthropic => {
                fields.insert("top_k".into(), count.into());
            }
            Vendor::Nova => {
                fields.insert("inferenceConfig".into(), json!({"topK": count}));
            }
            Vendor::OpenAi | Vendor::Other => {
                let message = "Bedrock's Converse has no top_k for this model; remove the field, or choose another model.";
                return Err(Refused::new(Field::TopK, message, PAGE));
            }
        }
    }
    Ok((fields, plan))
}

fn reasoning(
    request: &Request,
    model: &str,
    vendor: Vendor,
    fields: &mut Map<String, Value>,
) -> Result<Plan, Refused> {
    if request.reasoning.is_none() && request.effort.is_none() {
        return Ok(Plan::default());
    }
    let asked = request.reasoning.as_ref();
    match vendor {
        Vendor::Anthropic => {
            let plan = thinking::plan(request, model)?;
            fields.extend(
                plan.thinking
                    .map(|thinking| ("thinking".to_owned(), json!(thinking))),
            );
            fields.extend(
                plan.effort
                    .map(|effort| ("output_config".to_owned(), json!({"effort": effort}))),
            );
            Ok(plan)
        }
        Vendor::OpenAi => {
            let budget = asked.and_then(|asked| asked.budget_tokens);
            let effort = asked
                .and_then(|asked| asked.effort)
                .or_else(|| budget.map(Effort::of_budget))
                .or(request.effort);
            let word = match effort {
                Some(Effort::None | Effort::Minimal | Effort::Low) => "low",
                None | Some(Effort::Medium) => "medium",
                Some(Effort::High | Effort::XHigh | Effort::Max) => "high",
            };
            // These models always reason: little is the least.
            let off = asked.is_some_and(|asked| !asked.is_on());
            let word = if off { "low" } else { word };
            fields.insert("reasoning_effort".into(), word.into());
            Ok(Plan::default())
        }
        Vendor::Nova | Vendor::Other if asked.is_some_and(Reasoning::is_on) => {
            let message = "Bedrock's Converse has no field for this model's reasoning that is known here; remove the field, or choose another model.";
            Err(Refused::new(Field::Reasoning, message, PAGE))
        }
        Vendor::Nova | Vendor::Other => Ok(Plan::default()),
    }
}
