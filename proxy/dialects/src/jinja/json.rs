//! `tojson`: `json.dumps(value, ensure_ascii=False)` of Python's, with no escapes for HTML, and a space after colons and commas.

use std::rc::Rc;

use super::call::Given;
use super::fault::{Fault, Outcome};
use super::meter::{Held, Meter, STEP};
use super::value::Value;

/// The widest indent.
const WIDEST: i64 = 16;

pub(super) fn filter(meter: &Rc<Meter>, value: &Value, given: &mut Given) -> Outcome<Value> {
    // Python's other words for the same text.
    for word in ["ensure_ascii", "separators", "sort_keys"] {
        given.named(word);
    }
    let indent = given.int("indent")?.map(|indent| indent.clamp(0, WIDEST));
    let indent = indent.and_then(|indent| usize::try_from(indent).ok());
    let mut out: Held<String> = meter.empty()?;
    write(meter, value, indent, 0, &mut out)?;
    Ok(out.into())
}

fn write(
    meter: &Meter,
    value: &Value,
    indent: Option<usize>,
    depth: usize,
    out: &mut Held<String>,
) -> Outcome<()> {
    meter.work(STEP)?;
    match value {
        Value::Undefined | Value::None => out.push("null"),
        Value::Bool(is) => out.push(if *is { "true" } else { "false" }),
        Value::Int(int) => out.push(&int.to_string()),
        Value::Float(float) => match serde_json::Number::from_f64(*float) {
            Some(number) => out.push(&number.to_string()),
            None => out.push("null"),
        },
        Value::Text(text) => quote(text, out),
        Value::List(list) => {
            out.push("[")?;
            for (place, item) in list.items.iter().enumerate() {
                separate(place, indent, depth + 1, out)?;
                write(meter, item, indent, depth + 1, out)?;
            }
            close(list.items.is_empty(), indent, depth, out)?;
            out.push("]")
        }
        Value::Map(map) => {
            out.push("{")?;
            for (place, (key, value)) in map.entries.iter().enumerate() {
                separate(place, indent, depth + 1, out)?;
                match key {
                    Value::Text(text) => quote(text, out)?,
                    Value::None | Value::Bool(_) | Value::Int(_) | Value::Float(_) => {
                        out.push("\"")?;
                        write(meter, key, None, depth, out)?;
                        out.push("\"")?;
                    }
                    other => return Fault::said(format!("a {} is no key of JSON", other.kind())),
                }
                out.push(": ")?;
                write(meter, value, indent, depth + 1, out)?;
            }
            close(map.entries.is_empty(), indent, depth, out)?;
            out.push("}")
        }
        other => Fault::said(format!("a {} cannot be written as JSON", other.kind())),
    }
}

/// What stands before an item.
fn separate(
    place: usize,
    indent: Option<usize>,
    depth: usize,
    out: &mut Held<String>,
) -> Outcome<()> {
    match indent {
        None if place > 0 => out.push(", "),
        None => Ok(()),
        Some(indent) => {
            out.push(if place > 0 { ",\n" } else { "\n" })?;
            out.push_times(" ", indent * depth)
        }
    }
}

/// What stands before the closing bracket.
fn close(
    is_empty: bool,
    indent: Option<usize>,
    depth: usize,
    out: &mut Held<String>,
) -> Outcome<()> {
    match indent {
        Some(indent) if !is_empty => {
            out.push("\n")?;
            out.push_times(" ", indent * depth)
        }
        _ => Ok(()),
    }
}

fn quote(text: &str, out: &mut Held<String>) -> Outcome<()> {
    out.push("\"")?;
    let mut plain = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"".to_owned(),
            b'\\' => "\\\\".to_owned(),
            b'\n' => "\\n".to_owned(),
            b'\r' => "\\r".to_owned(),
            b'\t' => "\\t".to_owned(),
            0x08 => "\\b".to_owned(),
            0x0c => "\\f".to_owned(),
            0..0x20 => format!("\\u{byte:04x}"),
            _ => continue,
        };
        out.push(&text[plain..at])?;
        out.push(&escape)?;
        plain = at + 1;
    }
    out.push(&text[plain..])?;
    out.push("\"")
}
