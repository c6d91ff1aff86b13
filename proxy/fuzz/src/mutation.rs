//! A request with some of its values replaced by any other.

use arbitrary::{Arbitrary, Result, Unstructured};
use serde_json::{Map, Value, json};

/// How deep a made value is at most.
const DEPTH: u32 = 4;

/// Words that mean something to some dialect, and so lead further than any other.
const WORDS: [&str; 36] = [
    "text",
    "image",
    "image_url",
    "input_text",
    "output_text",
    "tool_use",
    "tool_result",
    "tool_calls",
    "function",
    "function_call",
    "function_call_output",
    "thinking",
    "reasoning",
    "role",
    "user",
    "assistant",
    "system",
    "tool",
    "developer",
    "model",
    "content",
    "type",
    "name",
    "arguments",
    "input",
    "json_schema",
    "json_object",
    "auto",
    "none",
    "required",
    "any",
    "high",
    "data:image/png;base64,AA==",
    "https://a/b.png",
    "stop",
    "id",
];

/// Replaces up to eight values of `body`, wherever they stand, or adds members.
///
/// # Errors
/// If the input is at its end.
pub fn mutate(body: &mut Value, input: &mut Unstructured<'_>) -> Result<()> {
    for _ in 0..input.int_in_range(1..=8)? {
        let mut places = Vec::new();
        collect(body, String::new(), &mut places);
        let place = input.choose(&places)?;
        let Some(at) = body.pointer_mut(place) else {
            continue;
        };
        let new = value(input, DEPTH)?;
        match at {
            Value::Object(map) if bool::arbitrary(input)? => {
                map.insert(word(input)?, new);
            }
            Value::Array(list) if bool::arbitrary(input)? => list.push(new),
            at => *at = new,
        }
    }
    Ok(())
}

fn collect(value: &Value, at: String, places: &mut Vec<String>) {
    match value {
        Value::Array(list) => {
            for (number, inner) in list.iter().enumerate() {
                collect(inner, format!("{at}/{number}"), places);
            }
        }
        Value::Object(map) => {
            for (name, inner) in map {
                let name = name.replace('~', "~0").replace('/', "~1");
                collect(inner, format!("{at}/{name}"), places);
            }
        }
        _ => {}
    }
    places.push(at);
}

/// Any value of at most this depth.
///
/// # Errors
/// If the input is at its end.
pub fn value(input: &mut Unstructured<'_>, depth: u32) -> Result<Value> {
    let kinds = if depth == 0 { 7 } else { 9 };
    Ok(match input.int_in_range(0..=kinds)? {
        0 => Value::Null,
        1 => bool::arbitrary(input)?.into(),
        2 => i64::arbitrary(input)?.into(),
        3 => i64::from(i8::arbitrary(input)?).into(),
        4 => json!(f64::arbitrary(input)?),
        5 => String::arbitrary(input)?.into(),
        6 | 7 => word(input)?.into(),
        8 => {
            let mut list = Vec::new();
            for _ in 0..input.int_in_range(0..=3)? {
                list.push(value(input, depth - 1)?);
            }
            list.into()
        }
        _ => {
            let mut map = Map::new();
            for _ in 0..input.int_in_range(0..=4)? {
                map.insert(word(input)?, value(input, depth - 1)?);
            }
            map.into()
        }
    })
}

fn word(input: &mut Unstructured<'_>) -> Result<String> {
    if input.ratio(1, 8)? {
        return String::arbitrary(input);
    }
    Ok((*input.choose(&WORDS)?).to_owned())
}
