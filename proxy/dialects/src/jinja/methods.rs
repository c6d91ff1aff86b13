//! Python's methods of strings, lists and maps: a closed list.

use std::rc::Rc;

use super::call::{Given, shown};
use super::checks::has_case;
use super::fault::{Fault, Outcome};
use super::format;
use super::lists;
use super::meter::{Held, Meter};
use super::order;
use super::run::Run;
use super::show::show;
use super::text::{self, Ends};
use super::value::Value;

/// Calls a method of a value.
pub(super) fn call(
    run: &mut Run<'_>,
    value: &Value,
    name: &str,
    mut given: Given,
) -> Outcome<Value> {
    let meter = Rc::clone(&run.meter);
    let made = match value {
        Value::Text(text) if name == "format" => return format::braces(&meter, text, &given),
        Value::Text(text) => of_text(&meter, text, name, &mut given)?,
        Value::Map(map) => match name {
            "items" | "keys" | "values" => Some(lists::pairs(&meter, name, value)?),
            "get" => {
                let key = given.required("key")?;
                let default = given.next("default").unwrap_or(Value::None);
                let found = order::find(&meter, &map.entries, &key)?;
                Some(found.cloned().unwrap_or(default))
            }
            _ => None,
        },
        Value::List(list) => match name {
            "count" | "index" => {
                let what = given.required("value")?;
                let mut count = 0;
                let mut first = None;
                for (place, item) in list.items.iter().enumerate() {
                    if order::equal(&meter, item, &what)? {
                        count += 1;
                        first.get_or_insert(place);
                    }
                }
                match (name, first) {
                    ("count", _) => Some(Value::Int(count)),
                    (_, Some(place)) => i128::try_from(place).ok().map(Value::Int),
                    (_, None) => return Fault::said("the list does not contain it"),
                }
            }
            _ => None,
        },
        Value::Loop(state) if name == "cycle" => {
            let values = given.rest();
            let place = state.at.get().checked_rem(values.len());
            let value = place.and_then(|place| values.get(place).cloned());
            return Ok(value.unwrap_or(Value::Undefined));
        }
        Value::Undefined => return Fault::said(format!("there is no {name} of what is undefined")),
        _ => None,
    };
    match made {
        Some(made) => given.finish().map(|()| made),
        None => Fault::said(format!("a {} has no method {name}", value.kind())),
    }
}

fn of_text(meter: &Rc<Meter>, text: &str, name: &str, given: &mut Given) -> Outcome<Option<Value>> {
    meter.work(text.len())?;
    let all = |is: fn(char) -> bool| Value::Bool(!text.is_empty() && text.chars().all(is));
    Ok(Some(match name {
        "upper" | "lower" | "title" | "capitalize" | "strip" | "replace" | "split"
        | "splitlines" => text::apply(meter, name, text, given)?,
        "lstrip" => text::trim(meter, text, Ends::Start, given)?,
        "rstrip" => text::trim(meter, text, Ends::End, given)?,
        "rsplit" => text::split_from_end(meter, text, given)?,
        "removeprefix" | "removesuffix" => {
            let part = shown(meter, given.required("part")?)?;
            let rest = if name == "removeprefix" {
                text.strip_prefix(part.as_str())
            } else {
                text.strip_suffix(part.as_str())
            };
            Value::text(meter, rest.unwrap_or(text))?
        }
        "startswith" | "endswith" => Value::Bool(is_at_end(meter, text, name, given)?),
        "count" | "find" | "rfind" => {
            let what = shown(meter, given.required("sub")?)?;
            meter.work(what.len())?;
            let place = match name {
                "count" => Some(text.matches(what.as_str()).count()),
                "find" => text
                    .find(what.as_str())
                    .map(|at| text[..at].chars().count()),
                _ => text
                    .rfind(what.as_str())
                    .map(|at| text[..at].chars().count()),
            };
            let place = place.and_then(|place| i128::try_from(place).ok());
            Value::Int(place.unwrap_or(-1))
        }
        "join" => {
            let items = given.required("iterable")?.items(meter)?;
            let mut out: Held<String> = meter.empty()?;
            for (place, item) in items.items.iter().enumerate() {
                if place > 0 {
                    out.push(text)?;
                }
                show(meter, item, &mut out)?;
            }
            out.into()
        }
        "isspace" => all(char::is_whitespace),
        "isdigit" | "isnumeric" => all(char::is_numeric),
        "isalnum" => all(char::is_alphanumeric),
        "isalpha" => all(char::is_alphabetic),
        "isascii" => Value::Bool(text.is_ascii()),
        "islower" => Value::Bool(has_case(text, false)),
        "isupper" => Value::Bool(has_case(text, true)),
        _ => return Ok(None),
    }))
}

/// `startswith` and `endswith`, of a text or any of some.
fn is_at_end(meter: &Rc<Meter>, text: &str, name: &str, given: &mut Given) -> Outcome<bool> {
    let is_there = |part: &Value| match part.as_text() {
        Some(part) => {
            meter.work(part.len())?;
            Ok(if name == "startswith" {
                text.starts_with(part)
            } else {
                text.ends_with(part)
            })
        }
        None => Fault::said(format!("{name} takes a string or a tuple of strings")),
    };
    match given.required("prefix")? {
        Value::List(parts) => {
            for part in parts.items.iter() {
                if is_there(part)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        part => is_there(&part),
    }
}
