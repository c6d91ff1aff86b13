//! The messages of `POST /v1/chat/completions`, and that each tool's result has its call.
//!
//! Sources: [Create chat completion](https://platform.openai.com/docs/api-reference/chat/create); the
//! words for a result without a call are those of
//! [this thread](https://github.com/miurla/morphic/issues/136), for a call without a result of
//! [this one](https://github.com/BerriAI/litellm/issues/10083), for an image of
//! [this one](https://github.com/Alibaba-NLP/OmniSearch/issues/3).

use serde_json::{Map, Value};

use super::{Checked, given, known, missing, tools, wrong_type, wrong_value};
use crate::refusal::Refusal;

const ROLES: [&str; 6] = [
    "system",
    "assistant",
    "user",
    "function",
    "tool",
    "developer",
];
const PARTS: [&str; 5] = ["text", "image_url", "input_audio", "file", "refusal"];

/// Checks them; `strict` refuses unknown fields too.
pub(super) fn check(messages: &[Value], strict: bool) -> Checked {
    // Calls that have no result yet.
    let mut open: Vec<&str> = vec![];
    for (index, value) in messages.iter().enumerate() {
        let message = message(index, value, strict)?;
        let role = format!("messages.[{index}].role");
        if message["role"] == "tool" {
            let id = message["tool_call_id"].as_str().unwrap_or_default();
            let Some(place) = open.iter().position(|open| *open == id) else {
                let text = "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.";
                return Err(Refusal::new(http::StatusCode::BAD_REQUEST, text).param(&role));
            };
            open.remove(place);
            continue;
        }
        answered(&open, &role)?;
        let calls = given(message, "tool_calls").and_then(Value::as_array);
        let ids = calls
            .into_iter()
            .flatten()
            .filter_map(|call| call["id"].as_str());
        open.extend(ids);
    }
    answered(&open, "messages")
}

/// Refuses calls without what the model reasoned before them, in
/// [DeepSeek's](https://api-docs.deepseek.com/guides/thinking_mode) words, as [this thread](https://github.com/JohnnyZ93/oai-compatible-copilot/issues/215)
/// quotes them.
pub(crate) fn remembered(fields: &Map<String, Value>) -> Checked {
    let messages = fields.get("messages").and_then(Value::as_array);
    let forgot = messages.into_iter().flatten().any(|message| {
        let said = message["reasoning_content"].as_str().unwrap_or_default();
        message["tool_calls"].is_array() && said.is_empty()
    });
    if forgot {
        let text = "The `reasoning_content` in the thinking mode must be passed back to the API.";
        return Err(Refusal::new(http::StatusCode::BAD_REQUEST, text).code("invalid_request_error"));
    }
    Ok(())
}

fn answered(open: &[&str], param: &str) -> Checked {
    if open.is_empty() {
        return Ok(());
    }
    let text = format!(
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: {}",
        open.join(", ")
    );
    Err(Refusal::new(http::StatusCode::BAD_REQUEST, text).param(param))
}

fn message(index: usize, value: &Value, strict: bool) -> Result<&Map<String, Value>, Refusal> {
    let at = format!("messages[{index}]");
    let Value::Object(message) = value else {
        return Err(wrong_type(&at, "an object", value));
    };
    let role = match given(message, "role") {
        Some(Value::String(role)) if ROLES.contains(&role.as_str()) => role.as_str(),
        Some(Value::String(role)) => return Err(wrong_value(&format!("{at}.role"), role, &ROLES)),
        Some(other) => return Err(wrong_type(&format!("{at}.role"), "a string", other)),
        None => return Err(missing(&format!("{at}.role"))),
    };
    if strict {
        let own: &[&str] = match role {
            "assistant" => &[
                "role",
                "content",
                "name",
                "refusal",
                "audio",
                "tool_calls",
                "function_call",
            ],
            // The name is not documented, but taken.
            "tool" => &["role", "content", "tool_call_id", "name"],
            _ => &["role", "content", "name"],
        };
        known(&at, message, own)?;
    }
    let calls = given(message, "tool_calls").or_else(|| given(message, "function_call"));
    match given(message, "content") {
        None if role == "assistant" && calls.is_some() => {}
        None if role == "assistant" && given(message, "refusal").is_some() => {}
        None => {
            let param = format!("{at}.content");
            let message =
                format!("Invalid value for 'content': expected a string, got null. ({param})");
            return Err(Refusal::of(&param, "invalid_type", message));
        }
        Some(Value::String(_)) => {}
        Some(Value::Array(parts)) => parts.iter().enumerate().try_for_each(|(part, value)| {
            content(&format!("{at}.content[{part}]"), value, strict)
        })?,
        Some(other) => {
            let expected = "one of a string or array of objects";
            return Err(wrong_type(&format!("{at}.content"), expected, other));
        }
    }
    if role == "tool" && !message.get("tool_call_id").is_some_and(Value::is_string) {
        return Err(missing(&format!("{at}.tool_call_id")));
    }
    if let Some(calls) = given(message, "tool_calls") {
        tools::calls(&format!("{at}.tool_calls"), calls, strict)?;
    }
    Ok(message)
}

fn content(at: &str, part: &Value, strict: bool) -> Checked {
    let kind = match part.get("type") {
        Some(Value::String(kind)) if PARTS.contains(&kind.as_str()) => kind.as_str(),
        Some(Value::String(kind)) => return Err(wrong_value(&format!("{at}.type"), kind, &PARTS)),
        _ => return Err(missing(&format!("{at}.type"))),
    };
    let held = &part[kind];
    let own: &[&str] = match kind {
        "image_url" => &["url", "detail"],
        "input_audio" => &["data", "format"],
        "file" => &["file_data", "file_id", "filename"],
        _ => &[],
    };
    if let (true, Value::Object(part)) = (strict, part) {
        known(at, part, &["type", kind])?;
        if let Value::Object(held) = held {
            known(&format!("{at}.{kind}"), held, own)?;
        }
    }
    let at = format!("{at}.{kind}");
    match (kind, held) {
        ("text" | "refusal", Value::String(_)) => Ok(()),
        ("image_url", Value::Object(image)) => match given(image, "url") {
            Some(Value::String(url)) => picture(&format!("{at}.url"), url),
            _ => Err(missing(&format!("{at}.url"))),
        },
        ("input_audio", Value::Object(audio)) => {
            match own.iter().find(|name| given(audio, name).is_none()) {
                Some(name) => Err(missing(&format!("{at}.{name}"))),
                None => Ok(()),
            }
        }
        ("file", Value::Object(_)) => Ok(()),
        _ => Err(missing(&at)),
    }
}

/// An image's URL leads to the web, or holds the image in base64.
pub(super) fn picture(at: &str, url: &str) -> Checked {
    if url.starts_with("https://") || url.starts_with("http://") {
        return Ok(());
    }
    let why = match url.strip_prefix("data:") {
        None => "a value without the 'data:' prefix",
        Some(rest) => match rest.split_once(";base64,") {
            Some((kind, "")) if kind.starts_with("image/") => "empty base64-encoded bytes",
            Some((kind, _)) if kind.starts_with("image/") => return Ok(()),
            Some(_) => "unsupported MIME type",
            None => "a value without the ';base64,' separator",
        },
    };
    let message = format!(
        "Invalid image URL: '{at}'. Expected a base64-encoded data URL with an image MIME type (e.g. 'data:image/png;base64,aW1nIGJ5dGVzIGhlcmU='), but got {why}."
    );
    Err(Refusal::of(at, "invalid_value", message))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(messages: &Value, strict: bool) -> Option<String> {
        let refusal = check(messages.as_array().unwrap(), strict).err()?;
        Some(refusal.param.unwrap())
    }

    fn assistant(ids: &[&str]) -> Value {
        let call = |id: &&str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
        json!({"role": "assistant", "content": null, "tool_calls": ids.iter().map(call).collect::<Vec<_>>()})
    }

    fn result(id: &str) -> Value {
        json!({"role": "tool", "tool_call_id": id, "content": "r"})
    }

    #[test]
    fn a_result_needs_its_call_and_a_call_its_result() {
        let user = json!({"role": "user", "content": "u"});
        let both = assistant(&["a", "b"]);
        for (messages, param) in [
            (json!([user, both, result("b"), result("a"), user]), None),
            (json!([result("a")]), Some("messages.[0].role")),
            (json!([user, result("a")]), Some("messages.[1].role")),
            (json!([both, result("c")]), Some("messages.[1].role")),
            (
                json!([both, result("a"), result("a")]),
                Some("messages.[2].role"),
            ),
            (json!([both, result("a"), user]), Some("messages.[2].role")),
            (json!([user, both, result("a")]), Some("messages")),
        ] {
            assert_eq!(told(&messages, false).as_deref(), param, "{messages}");
        }
    }

    #[test]
    fn an_image_is_of_the_web_or_whole_base64() {
        for (url, fits) in [
            ("https://example.org/cat.png", true),
            ("data:image/png;base64,iVBORw0KGgo=", true),
            ("data:,", false),
            ("data:image/png;base64,", false),
            ("data:text/plain;base64,aGk=", false),
            ("iVBORw0KGgo=", false),
        ] {
            let part = json!({"type": "image_url", "image_url": {"url": url}});
            let messages = json!([{"role": "user", "content": [part]}]);
            let param = told(&messages, false);
            let at = "messages[0].content[0].image_url.url";
            assert_eq!(param.as_deref(), (!fits).then_some(at), "{url}");
        }
    }

    #[test]
    fn calls_are_refused_without_what_was_reasoned_before_them() {
        for (reasoned, fits) in [
            (json!({"reasoning_content": "r"}), true),
            (json!({"reasoning_content": ""}), false),
            (json!({}), false),
        ] {
            let mut message = json!({"role": "assistant", "tool_calls": [{"id": "a"}]});
            message
                .as_object_mut()
                .unwrap()
                .extend(reasoned.as_object().unwrap().clone());
            let fields = json!({"messages": [{"role": "assistant", "content": "a"}, message]});
            let told = remembered(fields.as_object().unwrap());
            assert_eq!(told.is_ok(), fits, "{fields}");
        }
    }

    #[test]
    fn what_no_message_has_is_refused_strictly() {
        for (message, param) in [
            (
                json!({"role": "user", "content": "u", "cache_control": {}}),
                "messages[0].cache_control",
            ),
            (
                json!({"role": "assistant", "content": "u", "reasoning_content": "r"}),
                "messages[0].reasoning_content",
            ),
            (
                json!({"role": "user", "content": [{"type": "text", "text": "t", "cache_control": {}}]}),
                "messages[0].content[0].cache_control",
            ),
        ] {
            let messages = json!([message]);
            assert_eq!(told(&messages, true).as_deref(), Some(param), "{message}");
            assert_eq!(told(&messages, false), None, "{message}");
        }
    }
}
