//! Filters: a closed list.

use std::rc::Rc;

use super::call::{Given, shown};
use super::evaluate::small;
use super::fault::{Fault, Outcome};
use super::meter::Meter;
use super::run::Run;
use super::value::Value;
use super::{json, lists, text};

/// The filters that there are.
pub(super) const NAMES: [&str; 44] = [
    "abs",
    "attr",
    "bool",
    "capitalize",
    "count",
    "d",
    "default",
    "dictsort",
    "e",
    "escape",
    "first",
    "float",
    "format",
    "indent",
    "int",
    "items",
    "join",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "safe",
    "select",
    "selectattr",
    "sort",
    "split",
    "string",
    "sum",
    "title",
    "tojson",
    "trim",
    "unique",
    "upper",
    "keys",
    "values",
];

/// What it costs to write a number with all of its digits.
pub(super) const DIGITS: usize = 2000;

/// Applies a filter to a value.
pub(super) fn apply(
    run: &mut Run<'_>,
    name: &str,
    value: Value,
    mut given: Given,
) -> Outcome<Value> {
    let meter = Rc::clone(&run.meter);
    let made = match name {
        "map" => return lists::map(run, &value, given),
        "select" => return lists::select(run, &value, given, false, false),
        "reject" => return lists::select(run, &value, given, true, false),
        "selectattr" => return lists::select(run, &value, given, false, true),
        "rejectattr" => return lists::select(run, &value, given, true, true),
        "format" => return super::format::percent(&meter, &shown(&meter, value)?, given),
        "attr" => {
            let name = given.text(&meter, "name")?;
            let name = name.as_deref().map_or("", |name| name.as_str());
            run.member(&value, name)?
        }
        "safe" => value,
        "string" => Value::Text(shown(&meter, value)?),
        "bool" => Value::Bool(value.is_true()),
        "default" | "d" => {
            let other = given.next("default_value");
            let is_lax = given.flag("boolean").unwrap_or(false);
            match (value.is_undefined() || (is_lax && !value.is_true()), other) {
                (false, _) => value,
                (true, Some(other)) => other,
                (true, None) => Value::text(&meter, "")?,
            }
        }
        "length" | "count" => length(&meter, &value)?,
        "abs" | "int" | "float" | "round" => number(&meter, name, &value, &mut given)?,
        "tojson" => json::filter(&meter, &value, &mut given)?,
        "split" | "lines" if value.as_text().is_none() => {
            return Fault::said(format!("a {} cannot be split", value.kind()));
        }
        "lower" | "upper" | "title" | "capitalize" | "trim" | "replace" | "split" | "lines"
        | "indent" | "escape" | "e" => {
            text::apply(&meter, name, &shown(&meter, value)?, &mut given)?
        }
        _ => lists::apply(run, name, value, &mut given)?,
    };
    given.finish()?;
    Ok(made)
}

fn length(meter: &Meter, value: &Value) -> Outcome<Value> {
    let length = match value {
        Value::Text(text) => {
            meter.work(text.len())?;
            text.chars().count()
        }
        Value::List(list) => list.items.len(),
        Value::Map(map) => map.entries.len(),
        other => return Fault::said(format!("a {} has no length", other.kind())),
    };
    Ok(Value::Int(i128::try_from(length).unwrap_or(i128::MAX)))
}

fn number(meter: &Meter, name: &str, value: &Value, given: &mut Given) -> Outcome<Value> {
    let converted = match name {
        "abs" => match value {
            Value::Int(int) => int.checked_abs().map(Value::Int),
            Value::Float(float) => Some(Value::Float(float.abs())),
            _ => None,
        },
        "round" => {
            meter.work(DIGITS)?;
            return round(value, given);
        }
        _ => {
            let default = given.next("default");
            let is_int = name == "int";
            let base = if is_int { given.int("base")? } else { None };
            if let Some(text) = value.as_text() {
                meter.work(text.len())?;
            }
            match (value, is_int) {
                (Value::Undefined | Value::None, true) => {
                    return Ok(default.unwrap_or(Value::Int(0)));
                }
                (Value::Undefined | Value::None, false) => {
                    return Ok(default.unwrap_or(Value::Float(0.0)));
                }
                (value, true) => int(value, base.unwrap_or(10)),
                (Value::Text(text), false) => text.parse().ok().map(Value::Float),
                (value, false) => value.as_float().map(Value::Float),
            }
            .or(default)
        }
    };
    match converted {
        Some(converted) => Ok(converted),
        None => Fault::said(format!("this {} is not taken by {name}", value.kind())),
    }
}

/// A number without its fraction.
#[allow(clippy::cast_possible_truncation)]
pub(super) fn whole(value: &Value) -> Option<i128> {
    match value {
        Value::Float(float) => Some(*float as i128),
        other => other.as_int(),
    }
}

#[allow(clippy::cast_possible_truncation)]
fn int(value: &Value, base: i64) -> Option<Value> {
    let int = match value {
        Value::Text(text) => {
            let base = u32::try_from(base)
                .ok()
                .filter(|base| (2..=36).contains(base))?;
            let whole = i128::from_str_radix(text, base).ok();
            let float = || text.parse::<f64>().ok().map(|float| float as i128);
            whole.or_else(|| if base == 10 { float() } else { None })
        }
        other => whole(other),
    };
    int.map(Value::Int)
}

fn round(value: &Value, given: &mut Given) -> Outcome<Value> {
    let places = given.next("precision");
    let places = places.as_ref().map(small).transpose()?.unwrap_or(0);
    let method = given.next("method");
    let method = method.as_ref().and_then(Value::as_text).unwrap_or("common");
    let places = i32::try_from(places.clamp(-400, 30)).unwrap_or_default();
    let float = match value {
        Value::Int(_) if places >= 0 => return Ok(value.clone()),
        Value::Int(_) | Value::Float(_) => value.as_float().unwrap_or_default(),
        other => return Fault::said(format!("cannot round a {}", other.kind())),
    };
    let factor = 10f64.powi(places);
    let rounded = match method {
        "ceil" => (float * factor).ceil() / factor,
        "floor" => (float * factor).floor() / factor,
        // Decimal digits round as Python's do, which scaling does not.
        "common" => match usize::try_from(places) {
            Ok(places) => format!("{float:.places$}").parse().unwrap_or(float),
            Err(_) => (float * factor).round_ties_even() / factor,
        },
        _ => return Fault::said("method must be common, ceil or floor"),
    };
    #[allow(clippy::cast_possible_truncation)]
    Ok(match value {
        Value::Int(_) => Value::Int(rounded as i128),
        _ if rounded.is_finite() => Value::Float(rounded),
        _ => Value::Float(float),
    })
}
