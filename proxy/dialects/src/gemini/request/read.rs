//! A request, read.
//!
//! The model stands in the path. Safety settings that switch a filter off say nothing to other vendors, who have no such filter, and are left out; stricter ones stay,
//! for this dialect only. Labels, which only name the request on Google's bills, are left out.

use serde_json::Value;

use super::{TOOL_CONFIG, config, contents, tools};
use crate::codec::Path;
use crate::fields::Fields;
use crate::form::message::begun;
use crate::form::{Malformed, Request};
use crate::gemini::spelling::camel;

/// Reads a request.
///
/// # Errors
/// [`Malformed`] if it is not what the dialect says, or the path names no model.
pub fn read(body: &[u8], path: Path<'_>) -> Result<Request, Malformed> {
    let mut body = camel(Fields::of_request(body)?)?;
    let model = path.model.ok_or_else(|| body.missing("model"))?;
    // Some clients say the model here too.
    body.value("model");
    body.value("labels");
    let mut request = Request {
        model: model.strip_prefix("models/").unwrap_or(model).to_owned(),
        stream: path.stream.unwrap_or_default(),
        stream_usage: true,
        messages: contents::read(&mut body)?,
        tools: tools::read(&mut body)?,
        ..Request::default()
    };
    request.continued = begun(&request.messages);
    let (choice, rest) = tools::read_config(&mut body)?;
    request.tool_choice = choice;
    config::read(&mut body, &mut request)?;
    let safety: Vec<Value> = body.list("safetySettings")?.unwrap_or_default();
    let safety: Vec<Value> = safety.into_iter().filter(is_strict).collect();
    request.extra.extend(body.extra());
    if !safety.is_empty() {
        request.extra.insert("safetySettings".into(), safety.into());
    }
    for (name, value) in rest {
        request.extra.insert(format!("{TOOL_CONFIG}{name}"), value);
    }
    request.extra.retain(|_, value| !value.is_null());
    Ok(request)
}

fn is_strict(setting: &Value) -> bool {
    let threshold = setting.get("threshold").and_then(Value::as_str);
    !matches!(threshold, Some("OFF" | "BLOCK_NONE"))
}
