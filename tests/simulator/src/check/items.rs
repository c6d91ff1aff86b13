//! The items of a response's input, and that each call has its output.
//!
//! Source: [Create a model response](https://platform.openai.com/docs/api-reference/responses/create#responses-create-input).

use http::StatusCode;
use serde_json::{Map, Value};

use super::{Checked, given, known, messages, missing, tools, wrong_type, wrong_value};
use crate::refusal::Refusal;

const ROLES: [&str; 4] = ["assistant", "system", "developer", "user"];

/// Checks them; `alone`: nothing went before; `strict` refuses unknown fields too.
pub(super) fn check(items: &[Value], alone: bool, strict: bool) -> Checked {
    let id = |item: &Value| item["call_id"].as_str().map(str::to_owned);
    let (mut called, mut told) = (vec![], vec![]);
    for (index, value) in items.iter().enumerate() {
        let at = format!("input[{index}]");
        let Value::Object(item) = value else {
            return Err(wrong_type(&at, "an object", value));
        };
        match given(item, "type").map_or(Some("message"), Value::as_str) {
            Some("message") => message(&at, item, strict)?,
            Some("function_call") => {
                needs(&at, item, &["call_id", "name", "arguments"])?;
                let name = item["name"].as_str().unwrap_or_default();
                tools::name(&format!("{at}.name"), name)?;
                let own = ["type", "id", "call_id", "name", "arguments", "status"];
                only(&at, item, &own, strict)?;
                called.extend(id(value));
            }
            Some("function_call_output") => {
                needs(&at, item, &["call_id"])?;
                if given(item, "output").is_none() {
                    return Err(missing(&format!("{at}.output")));
                }
                let own = ["type", "id", "call_id", "output", "status"];
                only(&at, item, &own, strict)?;
                told.extend(id(value));
            }
            Some("reasoning") => {
                if !item.get("summary").is_some_and(Value::is_array) {
                    return Err(missing(&format!("{at}.summary")));
                }
                let own = [
                    "type",
                    "id",
                    "summary",
                    "content",
                    "encrypted_content",
                    "status",
                ];
                only(&at, item, &own, strict)?;
            }
            // Those of OpenAI's own tools.
            Some(_) => {}
            None => return Err(missing(&format!("{at}.type"))),
        }
    }
    let unmatched = |message: String| {
        let refusal = Refusal::new(StatusCode::BAD_REQUEST, message);
        Err(refusal.param("input"))
    };
    if let (true, Some(id)) = (alone, told.iter().find(|id| !called.contains(id))) {
        return unmatched(format!(
            "No tool call found for function call output with call_id {id}."
        ));
    }
    match called.iter().find(|id| !told.contains(id)) {
        Some(id) => unmatched(format!("No tool output found for function call {id}.")),
        None => Ok(()),
    }
}

fn message(at: &str, item: &Map<String, Value>, strict: bool) -> Checked {
    let role = match given(item, "role") {
        Some(Value::String(role)) if ROLES.contains(&role.as_str()) => role.as_str(),
        Some(Value::String(role)) => return Err(wrong_value(&format!("{at}.role"), role, &ROLES)),
        _ => return Err(missing(&format!("{at}.role"))),
    };
    let own = ["type", "role", "content", "id", "status", "phase"];
    only(at, item, &own, strict)?;
    let parts = match given(item, "content") {
        Some(Value::String(_)) => return Ok(()),
        Some(Value::Array(parts)) => parts,
        _ => return Err(missing(&format!("{at}.content"))),
    };
    let kinds: &[&str] = match role {
        "assistant" => &["output_text", "refusal"],
        _ => &["input_text", "input_image", "input_file", "input_audio"],
    };
    for (index, part) in parts.iter().enumerate() {
        let at = format!("{at}.content[{index}]");
        let Value::Object(part) = part else {
            return Err(wrong_type(&at, "an object", part));
        };
        match given(part, "type").and_then(Value::as_str) {
            Some(kind) if kinds.contains(&kind) => content(&at, kind, part, strict)?,
            Some(kind) => return Err(wrong_value(&format!("{at}.type"), kind, kinds)),
            None => return Err(missing(&format!("{at}.type"))),
        }
    }
    Ok(())
}

fn content(at: &str, kind: &str, part: &Map<String, Value>, strict: bool) -> Checked {
    match kind {
        "input_text" => {
            needs(at, part, &["text"])?;
            only(at, part, &["type", "text"], strict)
        }
        "output_text" => {
            needs(at, part, &["text"])?;
            only(
                at,
                part,
                &["type", "text", "annotations", "logprobs"],
                strict,
            )
        }
        "refusal" => {
            needs(at, part, &["refusal"])?;
            only(at, part, &["type", "refusal"], strict)
        }
        "input_image" => {
            only(
                at,
                part,
                &["type", "image_url", "file_id", "detail"],
                strict,
            )?;
            match given(part, "image_url") {
                Some(Value::String(url)) => messages::picture(&format!("{at}.image_url"), url),
                _ => needs(at, part, &["file_id"]),
            }
        }
        "input_file" => {
            let own = ["type", "file_id", "file_data", "file_url", "filename"];
            only(at, part, &own, strict)
        }
        _ => Ok(()),
    }
}

fn needs(at: &str, members: &Map<String, Value>, names: &[&str]) -> Checked {
    let lacks = |name: &&&str| !members.get(**name).is_some_and(Value::is_string);
    match names.iter().find(lacks) {
        Some(name) => Err(missing(&format!("{at}.{name}"))),
        None => Ok(()),
    }
}

fn only(at: &str, members: &Map<String, Value>, own: &[&str], strict: bool) -> Checked {
    if strict {
        known(at, members, own)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_call_has_its_output_and_an_output_its_call() {
        let call = json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"});
        let output = json!({"type": "function_call_output", "call_id": "c", "output": "o"});
        let told = |items: &[&Value], alone| {
            let items: Vec<_> = items.iter().copied().cloned().collect();
            check(&items, alone, true).map_err(|refusal| refusal.message)
        };
        assert_eq!(told(&[&call, &output], true), Ok(()));
        assert_eq!(told(&[&output], false), Ok(()));
        let orphan = "No tool call found for function call output with call_id c.";
        assert_eq!(told(&[&output], true).unwrap_err(), orphan);
        let open = "No tool output found for function call c.";
        assert_eq!(told(&[&call], true).unwrap_err(), open);
    }

    #[test]
    fn parts_are_those_of_the_speaker() {
        for (role, kind, fits) in [
            ("user", "input_text", true),
            ("assistant", "output_text", true),
            ("user", "output_text", false),
            ("assistant", "input_text", false),
            ("user", "text", false),
        ] {
            let item = json!({"role": role, "content": [{"type": kind, "text": "t"}]});
            assert_eq!(check(&[item], true, true).is_ok(), fits, "{role} {kind}");
        }
    }
}
