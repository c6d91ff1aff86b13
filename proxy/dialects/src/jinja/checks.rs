//! Tests (`is defined`): a closed list.

use std::rc::Rc;

use super::call::{Given, shown};
use super::evaluate::small;
use super::fault::{Fault, Outcome};
use super::meter::Meter;
use super::operators;
use super::order::{compare, equal};
use super::value::Value;

/// The tests that there are.
pub(super) const NAMES: [&str; 39] = [
    "!=",
    "<",
    "<=",
    "==",
    ">",
    ">=",
    "boolean",
    "callable",
    "defined",
    "divisibleby",
    "endingwith",
    "eq",
    "equalto",
    "even",
    "false",
    "float",
    "ge",
    "greaterthan",
    "gt",
    "in",
    "integer",
    "iterable",
    "le",
    "lessthan",
    "lower",
    "lt",
    "mapping",
    "ne",
    "none",
    "number",
    "odd",
    "sameas",
    "sequence",
    "startingwith",
    "string",
    "true",
    "undefined",
    "upper",
    "int",
];

/// Whether a value passes a test.
pub(super) fn check(
    meter: &Rc<Meter>,
    name: &str,
    value: &Value,
    mut given: Given,
) -> Outcome<bool> {
    if matches!(name, "lower" | "upper" | "startingwith" | "endingwith") {
        meter.work(value.as_text().map_or(0, str::len))?;
    }
    let passes = match name {
        "defined" => !value.is_undefined(),
        "undefined" => value.is_undefined(),
        "none" => matches!(value, Value::None),
        "boolean" => matches!(value, Value::Bool(_)),
        "true" => matches!(value, Value::Bool(true)),
        "false" => matches!(value, Value::Bool(false)),
        "number" => value.as_float().is_some(),
        "integer" | "int" => matches!(value, Value::Int(_)),
        "float" => matches!(value, Value::Float(_)),
        "string" => matches!(value, Value::Text(_)),
        "mapping" => matches!(value, Value::Map(_)),
        "sequence" => matches!(value, Value::List(_) | Value::Undefined),
        "callable" => matches!(value, Value::Macro(_) | Value::Function(_)),
        "iterable" => matches!(
            value,
            Value::List(_) | Value::Map(_) | Value::Text(_) | Value::Undefined | Value::None
        ),
        "odd" => small(value).is_ok_and(|int| int % 2 != 0),
        "even" => small(value).is_ok_and(|int| int % 2 == 0),
        "divisibleby" => {
            let by = i128::from(small(&given.required("num")?)?);
            value.as_int().and_then(|int| int.checked_rem(by)) == Some(0)
        }
        "lower" => value.as_text().is_some_and(|text| has_case(text, false)),
        "upper" => value.as_text().is_some_and(|text| has_case(text, true)),
        "eq" | "equalto" | "==" => equal(meter, value, &given.required("other")?)?,
        "ne" | "!=" => !equal(meter, value, &given.required("other")?)?,
        "lt" | "lessthan" | "<" => compare(meter, value, &given.required("other")?)?.is_lt(),
        "le" | "<=" => compare(meter, value, &given.required("other")?)?.is_le(),
        "gt" | "greaterthan" | ">" => compare(meter, value, &given.required("other")?)?.is_gt(),
        "ge" | ">=" => compare(meter, value, &given.required("other")?)?.is_ge(),
        "sameas" => {
            let other = given.required("other")?;
            match (value, &other) {
                (Value::List(left), Value::List(right)) => Rc::ptr_eq(left, right),
                (Value::Map(left), Value::Map(right)) => Rc::ptr_eq(left, right),
                (left, right) => left.kind() == right.kind() && equal(meter, left, right)?,
            }
        }
        "in" => operators::contains(meter, &given.required("seq")?, value)?,
        "startingwith" | "endingwith" => {
            let text = shown(meter, value.clone())?;
            let other = shown(meter, given.required("other")?)?;
            meter.work(other.len())?;
            if name == "startingwith" {
                text.starts_with(other.as_str())
            } else {
                text.ends_with(other.as_str())
            }
        }
        other => return Fault::said(format!("unknown test {other}")),
    };
    given.finish()?;
    Ok(passes)
}

/// Whether there are letters of one case, and none of the other.
pub(super) fn has_case(text: &str, upper: bool) -> bool {
    let is = |char: char| {
        if upper {
            char.is_uppercase()
        } else {
            char.is_lowercase()
        }
    };
    let is_other = |char: char| {
        if upper {
            char.is_lowercase()
        } else {
            char.is_uppercase()
        }
    };
    text.chars().any(is) && !text.chars().any(is_other)
}
