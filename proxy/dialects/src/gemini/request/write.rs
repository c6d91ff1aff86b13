//! A request, written. The path says the model and whether the reply is a stream.

use serde::Serialize;
use serde_json::{Map, Value};

use super::turns::{Content, System};
use super::{CONFIG, PAGE, TOOL_CONFIG, config, field_of, thinking, tools, turns};
use crate::codec::Target;
use crate::extra;
use crate::form::message::inline_bytes;
use crate::form::{Refused, Request};
use crate::json;

/// Fields of the dialect's own that the form does not know.
const KNOWN: [&str; 2] = ["safetySettings", "cachedContent"];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    contents: Vec<Content<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system_instruction: Option<System<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<tools::ToolBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<Value>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    generation_config: Map<String, Value>,
    #[serde(flatten)]
    extra: Map<String, Value>,
}

/// Writes a request.
///
/// # Errors
/// [`Refused`] if the dialect cannot express it.
pub fn write(request: &Request, target: Target<'_>) -> Result<Vec<u8>, Refused> {
    let signed = thinking::is_newer(target.model);
    let conversation = turns::write(&request.messages, signed)?;
    let elsewhere = |name: &str| {
        let of = |object| field_of(object, name).is_some();
        of(CONFIG) || of(TOOL_CONFIG) || name == "toolConfig"
    };
    let others = request.extra.iter().filter(|(name, _)| !elsewhere(name));
    let others = others.map(|(name, value)| (name.clone(), value.clone()));
    let mut extra = Map::new();
    extra::carry(&others.collect(), &KNOWN, &[], ("Gemini", PAGE), &mut extra)?;
    let body = Body {
        contents: conversation.contents,
        system_instruction: conversation.system,
        tools: tools::write(request)?,
        tool_config: tools::write_config(request)?,
        generation_config: config::write(request, target)?,
        extra,
    };
    Ok(json::to_vec_of(&body, inline_bytes(&request.messages)))
}
