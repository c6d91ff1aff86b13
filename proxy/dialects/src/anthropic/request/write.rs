//! A request, written.
//!
//! Rules of ours: a request without a limit, which the vendor requires, gets [`DEFAULT_MAX_TOKENS`] and what thinking is expected to
//! take; `top_p: 1` and a `top_k` below 1 say nothing and are left out, since newer models refuse the former beside a temperature; a schema's name and
//! description are left out, and so is `keep_alive`.

use serde::Serialize;
use serde_json::{Map, Value};

use super::block::{Content, Turn};
use super::thinking::{Plan, Thinking};
use super::tools::{Choice, ToolBody};
use super::{Endpoint, PAGE, format, limits, thinking, tools, turns};
use crate::anthropic::betas;
use crate::codec::Target;
use crate::extra;
use crate::form::message::inline_bytes;
use crate::form::{Refused, Request};
use crate::json;

/// The limit of a request whose client set none, in tokens: what every Claude takes, as LiteLLM and Vercel's SDK have it.
pub const DEFAULT_MAX_TOKENS: u64 = 4096;

/// Fields of the dialect's own that the form does not know.
const KNOWN: [&str; 10] = [
    "cache_control",
    "container",
    "context_management",
    "diagnostics",
    "inference_geo",
    "mcp_servers",
    "output_config",
    "speed",
    "thinking",
    "user_profile_id",
];

/// Those that Bedrock's bodies have besides. To the vendor's own, previews are named in a header, and it has no guardrails.
const BEDROCK: [&str; 2] = [betas::FIELD, "amazon-bedrock-guardrailConfig"];

#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    anthropic_version: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<Content<'a>>,
    messages: Vec<Turn<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<ToolBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Choice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Thinking>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<i64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop_sequences: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata<'a>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stream: bool,
    #[serde(flatten)]
    extra: Map<String, Value>,
}

#[derive(Serialize)]
struct Metadata<'a> {
    user_id: &'a str,
}

/// Writes a request.
///
/// # Errors
/// [`Refused`] if the dialect cannot express it.
pub fn write(
    request: &Request,
    endpoint: Endpoint,
    target: Target<'_>,
) -> Result<Vec<u8>, Refused> {
    limits::check(request, "Anthropic", PAGE)?;
    let plan = thinking::plan(request, target.model)?;
    let tool_choice = tools::write_choice(request)?;
    let generates = endpoint != Endpoint::CountTokens;
    if plan.is_on() && generates {
        limits::beside_thinking(request)?;
    }
    let conversation = turns::write(&request.messages)?;
    let bedrock = endpoint == Endpoint::Bedrock;
    let body = Body {
        anthropic_version: bedrock.then_some("bedrock-2023-05-31"),
        model: (!bedrock).then_some(target.model),
        max_tokens: generates.then(|| thinking::max_tokens(request, &plan)),
        system: conversation.system,
        messages: conversation.turns,
        tools: tools::write(request)?,
        tool_choice,
        thinking: plan.thinking,
        temperature: request.sampling.temperature.filter(|_| generates),
        top_p: request
            .sampling
            .top_p
            .filter(|mass| generates && *mass != 1.0),
        top_k: request
            .sampling
            .top_k
            .filter(|count| generates && *count > 0),
        stop_sequences: if generates { &request.stop } else { &[] },
        metadata: request
            .user
            .as_deref()
            .filter(|_| endpoint == Endpoint::Messages)
            .map(|user_id| Metadata { user_id }),
        stream: target.stream && endpoint == Endpoint::Messages,
        extra: extra(request, &plan, bedrock)?,
    };
    Ok(json::to_vec_of(&body, inline_bytes(&request.messages)))
}

fn extra(request: &Request, plan: &Plan, bedrock: bool) -> Result<Map<String, Value>, Refused> {
    let mut out = Map::new();
    let known: Vec<_> = KNOWN
        .into_iter()
        .chain(BEDROCK.into_iter().filter(|_| bedrock))
        .collect();
    extra::carry(&request.extra, &known, &[], ("Anthropic", PAGE), &mut out)?;
    // Other vendors' tiers have the same field and other names.
    let tier = request.extra.get("service_tier");
    let own = tier.filter(|tier| matches!(tier.as_str(), Some("auto" | "standard_only")));
    out.extend(own.map(|tier| ("service_tier".to_owned(), tier.clone())));
    if plan.thinking.is_some() {
        out.remove("thinking");
    }
    let format = format::write(request.format.as_ref())?;
    if plan.effort.is_some() || format.is_some() {
        let config = out
            .entry("output_config")
            .or_insert_with(|| Map::new().into());
        if let Value::Object(config) = config {
            config.extend(
                plan.effort
                    .map(|effort| ("effort".to_owned(), effort.into())),
            );
            config.extend(format.map(|format| ("format".to_owned(), format)));
        }
    }
    Ok(out)
}
