//! How values are written, as Python writes them.

use super::fault::Outcome;
use super::meter::{Held, Meter, STEP};
use super::value::Value;

/// As `str` writes it.
pub(super) fn show(meter: &Meter, value: &Value, out: &mut Held<String>) -> Outcome<()> {
    match value {
        Value::Undefined => Ok(()),
        Value::Text(text) => out.push(text),
        Value::Float(float) => out.push(&number(*float)),
        other => represent(meter, other, out),
    }
}

/// As `repr` writes it, which is how a list writes its items.
fn represent(meter: &Meter, value: &Value, out: &mut Held<String>) -> Outcome<()> {
    meter.work(STEP)?;
    match value {
        Value::Undefined => out.push("undefined"),
        Value::None => out.push("None"),
        Value::Bool(is) => out.push(if *is { "True" } else { "False" }),
        Value::Int(int) => out.push(&int.to_string()),
        Value::Float(float) => out.push(&format!("{float:?}")),
        Value::Text(text) => quote(text, out),
        Value::List(list) => {
            out.push(if list.is_tuple { "(" } else { "[" })?;
            for (place, item) in list.items.iter().enumerate() {
                if place > 0 {
                    out.push(", ")?;
                }
                represent(meter, item, out)?;
            }
            out.push(match (list.is_tuple, list.items.len()) {
                (true, 1) => ",)",
                (true, _) => ")",
                (false, _) => "]",
            })
        }
        Value::Map(map) => {
            out.push("{")?;
            for (place, (key, value)) in map.entries.iter().enumerate() {
                if place > 0 {
                    out.push(", ")?;
                }
                represent(meter, key, out)?;
                out.push(": ")?;
                represent(meter, value, out)?;
            }
            out.push("}")
        }
        other => out.push(&format!("<{}>", other.kind())),
    }
}

fn number(float: f64) -> String {
    if float.is_nan() {
        return "NaN".to_owned();
    }
    let mut text = float.to_string();
    if float.is_finite() && !text.contains('.') {
        text.push_str(".0");
    }
    text
}

fn quote(text: &str, out: &mut Held<String>) -> Outcome<()> {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    out.push_char(quote)?;
    let mut plain = 0;
    for (at, char) in text.char_indices() {
        let escape = match char {
            '\\' => "\\\\".to_owned(),
            '\n' => "\\n".to_owned(),
            '\r' => "\\r".to_owned(),
            '\t' => "\\t".to_owned(),
            char if char == quote => format!("\\{quote}"),
            // There are no control characters beyond these.
            char if char.is_control() => format!("\\x{:02x}", u32::from(char)),
            _ => continue,
        };
        out.push(&text[plain..at])?;
        out.push(&escape)?;
        plain = at + char.len_utf8();
    }
    out.push(&text[plain..])?;
    out.push_char(quote)
}
