//! Filters of lists and maps.

use std::cmp::Ordering;
use std::rc::Rc;

use super::call::{Given, shown};
use super::checks;
use super::fault::{Fault, Outcome};
use super::filters;
use super::meter::{Held, Meter, STEP};
use super::operators;
use super::order;
use super::run::Run;
use super::show::show;
use super::value::Value;

pub(super) fn apply(
    run: &mut Run<'_>,
    name: &str,
    value: Value,
    given: &mut Given,
) -> Outcome<Value> {
    let meter = Rc::clone(&run.meter);
    match name {
        "items" | "keys" | "values" => pairs(&meter, name, &value),
        "list" => list(&meter, &value),
        "reverse" => reverse(&meter, &value),
        "first" | "last" => end(&meter, name, &value),
        "join" => join(run, &value, given),
        "sum" => sum(run, &value, given),
        "sort" | "min" | "max" | "unique" => ordered(run, name, &value, given),
        "dictsort" => dictsort(&meter, &value, given),
        other => Fault::said(format!("unknown filter {other}")),
    }
}

/// What of a map a loop goes through: `items`, `keys` or `values`.
pub(super) fn pairs(meter: &Rc<Meter>, name: &str, value: &Value) -> Outcome<Value> {
    let Value::Map(map) = value else {
        return Fault::said(format!("a {} has no {name}", value.kind()));
    };
    let mut items: Held<Vec<Value>> = meter.empty()?;
    for (key, value) in map.entries.iter() {
        items.push(match name {
            "keys" => key.clone(),
            "values" => value.clone(),
            _ => pair(meter, key, value)?,
        })?;
    }
    Value::list(items)
}

fn list(meter: &Rc<Meter>, value: &Value) -> Outcome<Value> {
    let items = value.items(meter)?;
    if !items.is_tuple {
        return Ok(Value::List(items));
    }
    let mut list: Held<Vec<Value>> = meter.empty()?;
    for item in items.items.iter() {
        list.push(item.clone())?;
    }
    Value::list(list)
}

fn pair(meter: &Rc<Meter>, key: &Value, value: &Value) -> Outcome<Value> {
    let mut pair: Held<Vec<Value>> = meter.empty()?;
    pair.push(key.clone())?;
    pair.push(value.clone())?;
    Value::tuple(pair)
}

fn reverse(meter: &Rc<Meter>, value: &Value) -> Outcome<Value> {
    match value {
        Value::Undefined | Value::None => Ok(value.clone()),
        Value::Text(text) => {
            let mut out: Held<String> = meter.empty()?;
            for char in text.chars().rev() {
                out.push_char(char)?;
            }
            Ok(out.into())
        }
        other => {
            let mut out: Held<Vec<Value>> = meter.empty()?;
            for item in other.items(meter)?.items.iter().rev() {
                out.push(item.clone())?;
            }
            Value::list(out)
        }
    }
}

fn end(meter: &Rc<Meter>, name: &str, value: &Value) -> Outcome<Value> {
    let is_first = name == "first";
    let found = match value {
        Value::Text(text) => {
            let char = if is_first {
                text.chars().next()
            } else {
                text.chars().next_back()
            };
            let char = char.map(|char| Value::text(meter, char.encode_utf8(&mut [0; 4])));
            char.transpose()?
        }
        Value::List(list) if is_first => list.items.first().cloned(),
        Value::List(list) => list.items.last().cloned(),
        Value::Map(map) if is_first => map.entries.first().map(|(key, _)| key.clone()),
        other => {
            let kind = other.kind();
            return Fault::said(format!("cannot get {name} item from a {kind}"));
        }
    };
    Ok(found.unwrap_or(Value::Undefined))
}

/// A member of a member, as in `function.name`.
fn path(run: &Run<'_>, value: &Value, path: &str) -> Outcome<Value> {
    let mut value = value.clone();
    for step in path.split('.') {
        run.meter.work(STEP)?;
        value = match (&value, step.parse::<usize>()) {
            (Value::List(list), Ok(place)) => {
                list.items.get(place).cloned().unwrap_or(Value::Undefined)
            }
            _ => run.member(&value, step)?,
        };
    }
    Ok(value)
}

fn attribute(run: &Run<'_>, given: &mut Given) -> Outcome<Option<Rc<Held<String>>>> {
    let attribute = given.named("attribute");
    let attribute = attribute.filter(|value| !matches!(value, Value::None));
    attribute.map(|name| shown(&run.meter, name)).transpose()
}

fn of(run: &Run<'_>, attribute: Option<&Rc<Held<String>>>, item: &Value) -> Outcome<Value> {
    match attribute {
        Some(attribute) => path(run, item, attribute),
        None => Ok(item.clone()),
    }
}

fn join(run: &mut Run<'_>, value: &Value, given: &mut Given) -> Outcome<Value> {
    let joiner = given.text(&run.meter, "d")?;
    let attribute = given.text(&run.meter, "attribute")?;
    let items = value.items(&run.meter)?;
    let mut out: Held<String> = run.meter.empty()?;
    for (place, item) in items.items.iter().enumerate() {
        if let Some(joiner) = joiner.as_ref().filter(|_| place > 0) {
            out.push(joiner)?;
        }
        let item = of(run, attribute.as_ref(), item)?;
        show(&run.meter, &item, &mut out)?;
    }
    Ok(out.into())
}

fn sum(run: &mut Run<'_>, value: &Value, given: &mut Given) -> Outcome<Value> {
    let attribute = given.text(&run.meter, "attribute")?;
    let mut sum = given.next("start").unwrap_or(Value::Int(0));
    for item in value.items(&run.meter)?.items.iter() {
        let item = of(run, attribute.as_ref(), item)?;
        if !item.is_undefined() {
            sum = operators::add(&run.meter, sum, &item)?;
        }
    }
    Ok(sum)
}

fn comparison(is_exact: bool) -> fn(&Meter, &Value, &Value) -> Outcome<Ordering> {
    if is_exact {
        order::compare
    } else {
        order::compare_folded
    }
}

fn ordered(run: &mut Run<'_>, name: &str, value: &Value, given: &mut Given) -> Outcome<Value> {
    let attribute = attribute(run, given)?;
    let compare = comparison(given.flag_named("case_sensitive"));
    let meter = Rc::clone(&run.meter);
    let mut keyed: Held<Vec<(Value, Value)>> = meter.empty()?;
    for item in value.items(&meter)?.items.iter() {
        keyed.push((of(run, attribute.as_ref(), item)?, item.clone()))?;
    }
    match name {
        "sort" => {
            let is_reversed = given.flag("reverse").unwrap_or(false);
            let mut spare = meter.empty()?;
            order::sort(&mut keyed, &mut spare, &mut |left, right| {
                let order = compare(&meter, left, right)?;
                Ok(if is_reversed { order.reverse() } else { order })
            })?;
            let mut out: Held<Vec<Value>> = meter.empty()?;
            for (_, item) in keyed.iter() {
                out.push(item.clone())?;
            }
            Value::list(out)
        }
        "unique" => {
            let mut seen: Held<Vec<(Value, Value)>> = meter.empty()?;
            let mut out: Held<Vec<Value>> = meter.empty()?;
            'items: for (key, item) in keyed.iter() {
                for (known, _) in seen.iter() {
                    if compare(&meter, known, key)?.is_eq() {
                        continue 'items;
                    }
                }
                seen.push((key.clone(), Value::None))?;
                out.push(item.clone())?;
            }
            Value::list(out)
        }
        _ => {
            let mut best: Option<&(Value, Value)> = None;
            for pair in keyed.iter() {
                let is_better = match best {
                    None => true,
                    Some(best) => {
                        let order = compare(&meter, &pair.0, &best.0)?;
                        // Of equal ones the first minimum and the last maximum, as Rust's iterators have it.
                        if name == "min" {
                            order.is_lt()
                        } else {
                            order.is_ge()
                        }
                    }
                };
                if is_better {
                    best = Some(pair);
                }
            }
            Ok(best.map_or(Value::Undefined, |(_, item)| item.clone()))
        }
    }
}

fn dictsort(meter: &Rc<Meter>, value: &Value, given: &mut Given) -> Outcome<Value> {
    let Value::Map(map) = value else {
        return Fault::said("cannot convert value into pair list");
    };
    let compare = comparison(given.flag_named("case_sensitive"));
    let by_value = given.named("by");
    let by_value = by_value.as_ref().and_then(Value::as_text) == Some("value");
    let is_reversed = given.flag_named("reverse");
    let mut keyed: Held<Vec<(Value, Value)>> = meter.empty()?;
    for (key, value) in map.entries.iter() {
        let by = if by_value { value } else { key };
        keyed.push((by.clone(), pair(meter, key, value)?))?;
    }
    let mut spare = meter.empty()?;
    order::sort(&mut keyed, &mut spare, &mut |left, right| {
        let order = compare(meter, left, right)?;
        Ok(if is_reversed { order.reverse() } else { order })
    })?;
    let mut out: Held<Vec<Value>> = meter.empty()?;
    for (_, pair) in keyed.iter() {
        out.push(pair.clone())?;
    }
    Value::list(out)
}

pub(super) fn map(run: &mut Run<'_>, value: &Value, mut given: Given) -> Outcome<Value> {
    let mut out: Held<Vec<Value>> = run.meter.empty()?;
    let items = value.items(&run.meter)?;
    if let Some(attribute) = attribute(run, &mut given)? {
        let default = given.named("default").unwrap_or(Value::Undefined);
        given.finish()?;
        for item in items.items.iter() {
            let member = path(run, item, &attribute)?;
            out.push(match member {
                Value::Undefined => default.clone(),
                member => member,
            })?;
        }
        return Value::list(out);
    }
    let name = given.required("filter")?;
    let Some(name) = name.as_text().filter(|name| filters::NAMES.contains(name)) else {
        return Fault::said("map takes the name of a filter, or attribute=");
    };
    for item in items.items.iter() {
        run.meter.work(STEP * (1 + given.len()))?;
        let given = given.copy();
        let made = run.deeper(|run| filters::apply(run, name, item.clone(), given))?;
        out.push(made)?;
    }
    Value::list(out)
}

pub(super) fn select(
    run: &mut Run<'_>,
    value: &Value,
    mut given: Given,
    rejects: bool,
    by_attribute: bool,
) -> Outcome<Value> {
    let attribute = if by_attribute {
        let attribute = given.required("attribute")?;
        Some(shown(&run.meter, attribute)?)
    } else {
        None
    };
    let test = given.next("test");
    let test = match test.as_ref().map(|test| test.as_text().unwrap_or_default()) {
        None => None,
        Some(name) if checks::NAMES.contains(&name) => Some(name),
        Some(_) => return Fault::said("there is no test of that name"),
    };
    let items = value.items(&run.meter)?;
    let mut out: Held<Vec<Value>> = run.meter.empty()?;
    for item in items.items.iter() {
        run.meter.work(STEP * (1 + given.len()))?;
        let tested = of(run, attribute.as_ref(), item)?;
        let passes = match test {
            Some(name) => checks::check(&run.meter, name, &tested, given.copy())?,
            None => tested.is_true(),
        };
        if passes != rejects {
            out.push(item.clone())?;
        }
    }
    Value::list(out)
}
