//! Tools, calls of them and the choice among them.

use serde::Serialize;
use serde_json::Value;

use crate::fields::Fields;
use crate::form::{Arguments, Malformed, Part, Tool, ToolCall, ToolChoice};

/// Reads `tools`.
pub(super) fn read(fields: &mut Fields) -> Result<Vec<Tool>, Malformed> {
    let list = fields.objects("tools")?.unwrap_or_default();
    list.into_iter().map(tool).collect()
}

fn tool(mut fields: Fields) -> Result<Tool, Malformed> {
    let kind = match fields.string("type")? {
        Some(kind) => kind,
        None if fields.has("function") => "function".to_owned(),
        None => return Err(fields.missing("type")),
    };
    if kind != "function" {
        let mut value = fields.rest();
        value.shift_insert(0, "type".into(), kind.clone().into());
        return Ok(Tool::Other {
            kind,
            value: value.into(),
        });
    }
    let outer = fields.value("cache_control");
    let inner = fields.object("function")?;
    let mut read = function(inner.ok_or_else(|| fields.missing("function"))?)?;
    if let Tool::Function { cache, .. } = &mut read {
        *cache = cache.take().or(outer);
    }
    Ok(read)
}

/// Reads a function, which is what a tool of that type holds.
pub(super) fn function(mut fields: Fields) -> Result<Tool, Malformed> {
    Ok(Tool::Function {
        name: fields.required_string("name")?,
        description: fields.string("description")?,
        parameters: fields.schema("parameters")?,
        strict: fields.bool("strict")?,
        // OpenRouter's and LiteLLM's way to mark a place for Anthropic.
        cache: fields.value("cache_control"),
    })
}

/// Reads `tool_choice`.
pub(super) fn choice(fields: &mut Fields) -> Result<Option<ToolChoice>, Malformed> {
    if fields.peek("tool_choice").is_some_and(Value::is_string) {
        let word = fields.required_string("tool_choice")?;
        return match mode(&word) {
            Some(choice) => Ok(Some(choice)),
            None => Err(fields.fault(
                "tool_choice",
                format!("The choice must be auto, none, required or an object, not {word:?}."),
            )),
        };
    }
    let Some(mut object) = fields.object("tool_choice")? else {
        return Ok(None);
    };
    let kind = object.required_string("type")?;
    let read = match kind.as_str() {
        "function" | "custom" => {
            let inner = object.object(&kind)?;
            let mut inner = inner.ok_or_else(|| object.missing(&kind))?;
            ToolChoice::Named(inner.required_string("name")?)
        }
        "allowed_tools" => {
            let inner = object.object(&kind)?;
            allowed(inner.ok_or_else(|| object.missing(&kind))?)?
        }
        word => mode(word).ok_or_else(|| {
            let message = format!(
                "The type must be \"function\", \"custom\" or \"allowed_tools\", not {word:?}."
            );
            object.fault("type", message)
        })?,
    };
    Ok(Some(read))
}

/// A choice in one word; `any` is Mistral's.
fn mode(word: &str) -> Option<ToolChoice> {
    match word {
        "auto" => Some(ToolChoice::Auto),
        "none" => Some(ToolChoice::None),
        "required" | "any" => Some(ToolChoice::Required),
        _ => None,
    }
}

fn allowed(mut fields: Fields) -> Result<ToolChoice, Malformed> {
    let required = match fields.required_string("mode")?.as_str() {
        "auto" => false,
        "required" => true,
        word => {
            let message = format!("The mode must be auto or required, not {word:?}.");
            return Err(fields.fault("mode", message));
        }
    };
    let list = fields.objects("tools")?;
    let list = list.ok_or_else(|| fields.missing("tools"))?;
    let names = list.into_iter().map(|mut tool| {
        let kind = tool.required_string("type")?;
        let inner = tool.object(&kind)?;
        inner
            .ok_or_else(|| tool.missing(&kind))?
            .required_string("name")
    });
    let names = names.collect::<Result<_, _>>()?;
    Ok(ToolChoice::Allowed { names, required })
}

/// What stands in a call and says nothing to a model: its type and place, what SDKs make of its arguments, what proxies
/// say of their providers, and Gemini's signature, which no other server reads.
const ECHOED: [&str; 6] = [
    "type",
    "index",
    "extra_content",
    "provider_specific_fields",
    "thought_signature",
    "parsed_arguments",
];

/// Reads `tool_calls` of a message. Calls without an id get one from `make`; a call of a custom tool is kept as it stands.
pub(crate) fn tool_calls(
    list: Vec<Fields>,
    make: &mut dyn FnMut(Option<String>) -> String,
) -> Result<Vec<Part>, Malformed> {
    let mut parts = Vec::with_capacity(list.len());
    for mut fields in list {
        let id = make(fields.string("id")?.filter(|id| !id.is_empty()));
        if fields.has("custom") {
            let mut value = fields.rest();
            value.shift_insert(0, "id".into(), id.into());
            let kind = "custom".to_owned();
            value.insert("type".into(), kind.clone().into());
            let value = value.into();
            parts.push(Part::Other { kind, value });
            continue;
        }
        fields.ignore(&ECHOED);
        let inner = fields.object("function")?;
        let mut inner = inner.ok_or_else(|| fields.missing("function"))?;
        parts.push(Part::ToolCall(call(id, &mut inner)?));
    }
    Ok(parts)
}

/// Reads a function's name and arguments, which some servers and applications give as an object.
pub(crate) fn call(id: String, fields: &mut Fields) -> Result<ToolCall, Malformed> {
    fields.ignore(&ECHOED);
    let arguments = match fields.value("arguments") {
        Some(Value::String(text)) => Arguments::from_text(text),
        Some(Value::Object(map)) => Arguments::from_object(&map),
        None => Arguments::from_text(""),
        Some(_) => {
            let message = "The arguments must be JSON text.";
            return Err(fields.fault("arguments", message));
        }
    };
    Ok(ToolCall {
        id,
        name: fields.required_string("name")?,
        arguments,
        signature: None,
    })
}

/// A function, written.
#[derive(Serialize)]
pub(crate) struct FunctionOut<'a> {
    pub(crate) name: &'a str,
    pub(crate) arguments: &'a str,
}
