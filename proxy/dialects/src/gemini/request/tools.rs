//! `tools` and `toolConfig`.
//!
//! Source: [function calling](https://ai.google.dev/gemini-api/docs/function-calling). Left out: schemas of what functions give, that they are waited for (`behavior`), the
//! wish for strict arguments, cache marks, and whether arguments are streamed. Tools of other types (`googleSearch`) stay as they stood, for this dialect only.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::schema::{json_schema, schema};
use super::{PAGE, TOOL_CONFIG, field_of};
use crate::fields::Fields;
use crate::form::{Field, Malformed, Refused, Request, Tool, ToolChoice};
use crate::gemini::spelling::{object, objects};

/// Takes `tools`.
///
/// # Errors
/// [`Malformed`] if they are not what the dialect says.
pub fn read(body: &mut Fields) -> Result<Vec<Tool>, Malformed> {
    let mut tools = Vec::new();
    for mut tool in objects(body, "tools")? {
        for function in objects(&mut tool, "functionDeclarations")? {
            tools.push(declaration(function)?);
        }
        for (kind, value) in tool.rest() {
            if !value.is_null() {
                let value = Value::Object(Map::from_iter([(kind.clone(), value)]));
                tools.push(Tool::Other { kind, value });
            }
        }
    }
    Ok(tools)
}

fn declaration(mut function: Fields) -> Result<Tool, Malformed> {
    function.ignore(&["response", "responseJsonSchema"]);
    function.leave_out(|name, value| {
        name == "behavior" && (*value == "BLOCKING" || *value == "UNSPECIFIED")
    });
    let google = schema(&mut function, "parameters")?.map(json_schema);
    Ok(Tool::Function {
        name: function.required_string("name")?,
        description: function.string("description")?,
        parameters: schema(&mut function, "parametersJsonSchema")?.or(google),
        strict: None,
        cache: None,
    })
}

/// Takes `toolConfig`: the choice, and what else is there.
///
/// # Errors
/// [`Malformed`] if it is not what the dialect says.
pub fn read_config(
    body: &mut Fields,
) -> Result<(Option<ToolChoice>, Map<String, Value>), Malformed> {
    let Some(mut config) = object(body, "toolConfig")? else {
        return Ok((None, Map::new()));
    };
    let mut choice = None;
    if let Some(mut calling) = object(&mut config, "functionCallingConfig")? {
        let mut names = calling.strings("allowedFunctionNames")?.unwrap_or_default();
        let mode = calling.string("mode")?.unwrap_or_default();
        calling.ignore(&["streamFunctionCallArguments"]);
        choice = match (mode.to_ascii_uppercase().as_str(), names.len()) {
            ("" | "MODE_UNSPECIFIED", _) => None,
            ("NONE", _) => Some(ToolChoice::None),
            ("AUTO", _) | ("VALIDATED", 0) => Some(ToolChoice::Auto),
            ("ANY", 0) => Some(ToolChoice::Required),
            ("ANY", 1) => names.pop().map(ToolChoice::Named),
            (mode @ ("ANY" | "VALIDATED"), _) => Some(ToolChoice::Allowed {
                names,
                required: mode == "ANY",
            }),
            _ => {
                let message =
                    format!("The mode must be AUTO, ANY, NONE or VALIDATED, not {mode:?}.");
                return Err(calling.fault("mode", message));
            }
        };
    }
    let mut rest = config.rest();
    rest.retain(|_, value| !value.is_null());
    Ok((choice, rest))
}

/// A tool, to be written.
#[derive(Debug, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub enum ToolBody<'a> {
    /// All functions.
    Functions {
        /// They.
        function_declarations: Vec<Declaration<'a>>,
    },
    /// What only this dialect has, as it stood.
    Own(&'a Value),
}

/// A function.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Declaration<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters_json_schema: Option<&'a Value>,
}

/// Writes the tools: the functions first, together.
///
/// # Errors
/// [`Refused`] for a tool that only another dialect knows.
pub fn write(request: &Request) -> Result<Vec<ToolBody<'_>>, Refused> {
    let (mut functions, mut others) = (Vec::new(), Vec::new());
    for (index, tool) in request.tools.iter().enumerate() {
        match tool {
            Tool::Function {
                name,
                description,
                parameters,
                ..
            } => functions.push(Declaration {
                name,
                description: description.as_deref().filter(|text| !text.is_empty()),
                parameters_json_schema: parameters.as_ref(),
            }),
            Tool::Other { kind, value }
                if value.get(kind).is_some_and(Value::is_object) && is_own(kind) =>
            {
                others.push(ToolBody::Own(value));
            }
            Tool::Other { kind, .. } => {
                let message = format!(
                    "Gemini has no tool of type {kind:?}; remove it, or call a model whose backend speaks your dialect."
                );
                return Err(Refused::new(Field::Tools(Some(index)), message, PAGE));
            }
        }
    }
    let mut tools = Vec::new();
    if !functions.is_empty() {
        tools.push(ToolBody::Functions {
            function_declarations: functions,
        });
    }
    tools.extend(others);
    Ok(tools)
}

/// Google's tools are named without a date or an underscore: `googleSearch`, `codeExecution`. So is Converse's `systemTool`.
fn is_own(kind: &str) -> bool {
    let others = ["custom", "function", "systemTool"];
    kind.bytes().all(|byte| byte.is_ascii_alphabetic()) && !others.contains(&kind)
}

/// Writes the choice, beside what else the client said of it.
///
/// # Errors
/// [`Refused`] for what Gemini has no word for.
pub fn write_config(request: &Request) -> Result<Option<Value>, Refused> {
    // Clients of other dialects may say it whole.
    let mut config = match request.extra.get("toolConfig") {
        Some(Value::Object(map)) => map.clone(),
        _ => Map::new(),
    };
    let each = request.extra.iter().filter_map(|(name, value)| {
        let name = field_of(TOOL_CONFIG, name)?;
        Some((name.to_owned(), value.clone()))
    });
    config.extend(each);
    if request.parallel_tool_calls == Some(false) && !request.tools.is_empty() {
        let message =
            "Gemini cannot forbid parallel calls; remove the field, or choose another model.";
        return Err(Refused::new(Field::ParallelToolCalls, message, PAGE));
    }
    let has = request
        .tools
        .iter()
        .any(|tool| matches!(tool, Tool::Function { .. }));
    let calling = match &request.tool_choice {
        None => None,
        Some(ToolChoice::Auto) => has.then(|| json!({"mode": "AUTO"})),
        Some(ToolChoice::None) => has.then(|| json!({"mode": "NONE"})),
        Some(ToolChoice::Allowed {
            required: false, ..
        }) if !has => None,
        Some(_) if !has => {
            let message =
                "Gemini cannot call a function where none is declared; send tools with it.";
            return Err(Refused::new(Field::ToolChoice, message, PAGE));
        }
        Some(ToolChoice::Required) => Some(json!({"mode": "ANY"})),
        Some(ToolChoice::Named(name)) => {
            Some(json!({"mode": "ANY", "allowedFunctionNames": [name]}))
        }
        Some(ToolChoice::Allowed { names, required }) => {
            let mode = if *required { "ANY" } else { "VALIDATED" };
            Some(json!({"mode": mode, "allowedFunctionNames": names}))
        }
    };
    config.extend(calling.map(|calling| ("functionCallingConfig".to_owned(), calling)));
    Ok((!config.is_empty()).then_some(Value::Object(config)))
}
