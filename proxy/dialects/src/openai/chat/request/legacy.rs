//! `functions` and `function_call`, which tools came after, and whose users want them in replies too.

use serde_json::{Map, Value};

use super::tools::function;
use crate::fields::Fields;
use crate::form::{Malformed, Tool, ToolChoice};

/// Reads what is left of the older way to say tools.
pub(super) fn functions(
    fields: &mut Fields,
    tools: &mut Vec<Tool>,
    choice: &mut Option<ToolChoice>,
) -> Result<(), Malformed> {
    for object in fields.objects("functions")?.into_iter().flatten() {
        tools.push(function(object)?);
    }
    let read = match fields.peek("function_call") {
        None => return Ok(()),
        Some(Value::String(word)) if word == "auto" => ToolChoice::Auto,
        Some(Value::String(word)) if word == "none" => ToolChoice::None,
        Some(Value::Object(_)) => {
            let object = fields.object("function_call")?;
            let mut object = object.ok_or_else(|| fields.missing("function_call"))?;
            ToolChoice::Named(object.required_string("name")?)
        }
        _ => {
            let message = "The field must be \"auto\", \"none\" or an object with a name.";
            return Err(fields.fault("function_call", message));
        }
    };
    fields.ignore(&["function_call"]);
    choice.get_or_insert(read);
    Ok(())
}

/// What replies need of the request: whether it said `functions`, so that a call comes as `function_call`.
#[must_use]
pub fn echo(body: &[u8]) -> Map<String, Value> {
    // A whole body is looked through only if the word is in it at all.
    let mut echo = Map::new();
    if memchr::memmem::find(body, b"\"functions\"").is_none() {
        return echo;
    }
    if let Ok(Probe { functions: Some(_) }) = serde_json::from_slice(body) {
        echo.insert("functions".into(), true.into());
    }
    echo
}

#[derive(serde::Deserialize)]
struct Probe {
    functions: Option<Vec<serde::de::IgnoredAny>>,
}
