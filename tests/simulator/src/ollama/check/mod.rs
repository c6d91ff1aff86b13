//! Refuses the bodies that Ollama refuses, in its words.
//!
//! Sources: the handlers of `server/routes.go`, the types of `api/types.go`.

mod go;
mod types;

use http::StatusCode;
use serde_json::{Map, Value};

use crate::refusal::Refusal;

type Checked = Result<(), Refusal>;

/// Where a body was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    Chat,
    Generate,
    Embed,
    Embeddings,
    Show,
}

const INTEGERS: [&str; 10] = [
    "main_gpu",
    "num_batch",
    "num_ctx",
    "num_gpu",
    "num_keep",
    "num_predict",
    "num_thread",
    "repeat_last_n",
    "seed",
    "top_k",
];
const FLOATS: [&str; 7] = [
    "frequency_penalty",
    "min_p",
    "presence_penalty",
    "repeat_penalty",
    "temperature",
    "top_p",
    "typical_p",
];

fn bad(message: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, message)
}

/// Reads a body into the type of its endpoint.
pub(super) fn body(endpoint: Endpoint, body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    if body.is_empty() {
        return Err(bad("missing request body"));
    }
    let value: Value = serde_json::from_slice(body).map_err(|error| {
        bad(if error.is_eof() {
            "unexpected EOF".to_owned()
        } else {
            format!("invalid character in the body: {error}")
        })
    })?;
    let (name, fields) = types::of(endpoint);
    go::decode(name, fields, &value).map_err(bad)?;
    match value {
        Value::Object(fields) => Ok(fields),
        // Go decodes null into anything.
        _ => Ok(Map::new()),
    }
}

/// The model's name.
pub(super) fn model(endpoint: Endpoint, fields: &Map<String, Value>) -> Result<&str, Refusal> {
    let given = |name: &str| {
        let text = fields.get(name).and_then(Value::as_str);
        text.filter(|text| !text.is_empty())
    };
    let older = (endpoint == Endpoint::Show)
        .then(|| given("name"))
        .flatten();
    given("model").or(older).ok_or_else(|| match endpoint {
        Endpoint::Generate | Endpoint::Embed => {
            Refusal::new(StatusCode::NOT_FOUND, "model '' not found")
        }
        _ => bad("model is required"),
    })
}

/// Checks what the types leave open.
pub(super) fn values(endpoint: Endpoint, fields: &Map<String, Value>) -> Checked {
    let there = |name: &str| match fields.get(name) {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(items)) => !items.is_empty(),
        Some(_) => true,
    };
    if endpoint == Endpoint::Embed {
        let fits = match fields.get("input") {
            None | Some(Value::Null | Value::String(_)) => true,
            Some(Value::Array(items)) => items.iter().all(Value::is_string),
            Some(_) => false,
        };
        if !fits {
            return Err(bad("invalid input type"));
        }
    }
    let most = fields.get("top_logprobs").and_then(Value::as_i64);
    if most.is_some_and(|count| !(0..=20).contains(&count)) {
        return Err(bad("top_logprobs must be between 0 and 20"));
    }
    let raw = endpoint == Endpoint::Generate && fields.get("raw") == Some(&Value::Bool(true));
    if raw
        && ["template", "system", "context"]
            .iter()
            .any(|name| there(name))
    {
        let message = "raw mode does not support template, system, or context";
        return Err(bad(message));
    }
    options(fields)?;
    format(fields)
}

/// Refuses what the server leaves unread: fields that its types do not have, and options that it only warns of.
pub(super) fn known(endpoint: Endpoint, fields: &Map<String, Value>) -> Checked {
    const OTHERS: [&str; 2] = ["stop", "use_mmap"];
    let whole = Value::Object(fields.clone());
    let mut unknown = go::unknown(types::of(endpoint).1, &whole);
    if let Some(Value::Object(options)) = fields.get("options") {
        let beyond = |name: &&String| {
            let name = name.as_str();
            !INTEGERS.contains(&name) && !FLOATS.contains(&name) && !OTHERS.contains(&name)
        };
        let option = options.keys().find(beyond);
        unknown = unknown.or(option.map(|name| format!("options.{name}")));
    }
    match unknown {
        Some(name) => Err(bad(format!("json: unknown field \"{name}\""))),
        None => Ok(()),
    }
}

/// Types of options are found wrong only when the model is scheduled: Ollama's fault, it says.
fn options(fields: &Map<String, Value>) -> Checked {
    let wrong = |name: &str, kind: &str| {
        let message = format!("option \"{name}\" must be {kind}");
        Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, message))
    };
    let options = fields.get("options").and_then(Value::as_object);
    for (name, value) in options.into_iter().flatten() {
        let name = name.as_str();
        if value.is_null() {
            continue;
        }
        if INTEGERS.contains(&name) && !value.is_number() {
            return wrong(name, "of type integer");
        }
        if FLOATS.contains(&name) && !value.is_number() {
            return wrong(name, "of type float32");
        }
        if name == "use_mmap" && !value.is_boolean() {
            return wrong(name, "of type boolean");
        }
        if name == "stop" {
            match value {
                Value::Array(stops) if stops.iter().all(Value::is_string) => {}
                Value::Array(_) => return wrong(name, "of an array of strings"),
                _ => return wrong(name, "of type array"),
            }
        }
    }
    Ok(())
}

/// `json`, a schema, or nothing; found wrong only by the runner.
fn format(fields: &Map<String, Value>) -> Checked {
    match fields.get("format") {
        None | Some(Value::Null | Value::Object(_)) => Ok(()),
        Some(Value::String(format)) if format.is_empty() || format == "json" => Ok(()),
        Some(other) => {
            let message =
                format!("invalid format: {other}; expected \"json\" or a valid JSON Schema object");
            Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn checked(endpoint: Endpoint, change: &Value) -> Result<(), (u16, String)> {
        let mut whole = json!({"model": "echo", "messages": [{"role": "user", "content": "hi"}]});
        for (name, value) in change.as_object().unwrap() {
            whole[name] = value.clone();
        }
        body(endpoint, whole.to_string().as_bytes())
            .and_then(|fields| {
                model(endpoint, &fields)?;
                values(endpoint, &fields)
            })
            .map_err(|refusal| (refusal.status.as_u16(), refusal.message))
    }

    fn said(more: Value) -> Value {
        let mut message = json!({"role": "user", "content": "hi"});
        for (name, value) in more.as_object().unwrap() {
            message[name] = value.clone();
        }
        json!({"messages": [message]})
    }

    #[test]
    fn each_refusal_says_what_the_server_says() {
        for (change, status, message) in [
            (json!({"model": ""}), 400, "model is required"),
            (
                said(json!({"content": [{"type": "text", "text": "t"}]})),
                400,
                "json: cannot unmarshal array into Go struct field ChatRequest.messages.content of type string",
            ),
            (
                said(json!({"tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]})),
                400,
                "json: cannot unmarshal string into Go struct field ChatRequest.messages.tool_calls.function.arguments of type api.ToolCallFunctionArguments",
            ),
            (
                said(json!({"images": ["data:image/png;base64,AA=="]})),
                400,
                "illegal base64 data at input byte 4",
            ),
            (
                json!({"messages": {}}),
                400,
                "json: cannot unmarshal object into Go struct field ChatRequest.messages of type []api.Message",
            ),
            (
                json!({"stream": "yes"}),
                400,
                "json: cannot unmarshal string into Go struct field ChatRequest.stream of type bool",
            ),
            (
                json!({"think": "max"}),
                400,
                "invalid think value: \"max\" (must be",
            ),
            (
                json!({"think": 1}),
                400,
                "think must be a boolean or string",
            ),
            (
                json!({"keep_alive": "soon"}),
                400,
                "time: invalid duration \"soon\"",
            ),
            (
                json!({"top_logprobs": 21}),
                400,
                "top_logprobs must be between 0 and 20",
            ),
            (
                json!({"options": [1]}),
                400,
                "json: cannot unmarshal array into Go struct field ChatRequest.options of type map[string]interface {}",
            ),
            (
                json!({"options": {"temperature": "hot"}}),
                500,
                "option \"temperature\" must be of type float32",
            ),
            (
                json!({"options": {"stop": "x"}}),
                500,
                "option \"stop\" must be of type array",
            ),
            (
                json!({"format": "yaml"}),
                500,
                "invalid format: \"yaml\"; expected \"json\"",
            ),
            (
                json!({"tools": [{"type": "function", "function": {"name": "f", "parameters": {"required": "a"}}}]}),
                400,
                "json: cannot unmarshal string into Go struct field ChatRequest.tools.function.parameters.required of type []string",
            ),
        ] {
            let (code, said) = checked(Endpoint::Chat, &change).unwrap_err();
            assert!(
                code == status && said.starts_with(message),
                "{change}: {code} {said}"
            );
        }
        let raw = json!({"raw": true, "system": "s"});
        assert_eq!(checked(Endpoint::Generate, &raw).unwrap_err().0, 400);
        let input = json!({"input": [[1, 2]]});
        assert_eq!(
            checked(Endpoint::Embed, &input).unwrap_err().1,
            "invalid input type"
        );
        assert_eq!(
            body(Endpoint::Chat, b"").unwrap_err().message,
            "missing request body"
        );
    }

    #[test]
    fn what_the_server_leaves_unread_is_known() {
        for (change, name) in [
            (json!({"store": true}), Some("store")),
            (
                json!({"options": {"max_tokens": 1}}),
                Some("options.max_tokens"),
            ),
            (
                json!({"messages": [{"role": "user", "name": "ann"}]}),
                Some("messages.name"),
            ),
            (
                json!({"tools": [{"type": "function", "function": {"name": "f", "strict": true}}]}),
                Some("tools.function.strict"),
            ),
            (
                json!({"options": {"stop": ["a"], "seed": 1}, "think": true, "tools": [{"type": "function", "function": {
                    "name": "f", "parameters": {"type": "object", "additionalProperties": false},
                }}]}),
                None,
            ),
        ] {
            let told = known(Endpoint::Chat, change.as_object().unwrap()).err();
            let told = told.map(|refusal| refusal.message);
            let wanted = name.map(|name| format!("json: unknown field {name:?}"));
            assert_eq!(told, wanted, "{change}");
        }
    }

    #[test]
    fn what_the_server_accepts_is_accepted() {
        let change = json!({
            "unknown": {"any": 1}, "stream": null, "think": "high", "keep_alive": "-1m30s",
            "format": {"type": "object"}, "logprobs": true, "top_logprobs": 3,
            "options": {"temperature": 0, "seed": 1.0, "stop": ["a"], "unknown": "x", "top_p": null},
            "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": {
                "type": "object", "required": ["a"], "properties": {"a": {"type": ["string", "null"], "enum": [1]}},
            }}}],
            "messages": [
                {"role": "system", "content": "s"},
                {"role": "user", "content": "u", "images": ["AAEC"]},
                {"role": "assistant", "content": null, "thinking": "t", "tool_calls": [
                    {"id": "c", "function": {"index": 0, "name": "f", "arguments": {"a": null}}},
                ]},
                {"role": "tool", "tool_name": "f", "tool_call_id": "c", "content": "r"},
            ],
        });
        assert_eq!(checked(Endpoint::Chat, &change), Ok(()));
        let embed = json!({"input": ["a", "b"], "dimensions": 3, "truncate": false});
        assert_eq!(checked(Endpoint::Embed, &embed), Ok(()));
    }
}
