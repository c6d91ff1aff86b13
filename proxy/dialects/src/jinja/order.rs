//! Equality and order of values. Each pair that is looked at is paid for, since a value may hold another a million times.

use std::cmp::Ordering;
use std::rc::Rc;

use super::fault::Outcome;
use super::meter::{Held, Meter, STEP};
use super::value::Value;

pub(super) fn equal(meter: &Meter, left: &Value, right: &Value) -> Outcome<bool> {
    meter.work(STEP)?;
    Ok(match (left, right) {
        (Value::Undefined, Value::Undefined) | (Value::None, Value::None) => true,
        (Value::Text(left), Value::Text(right)) => {
            meter.work(left.len().min(right.len()))?;
            left.as_str() == right.as_str()
        }
        (Value::List(left), Value::List(right)) => {
            if left.is_tuple != right.is_tuple || left.items.len() != right.items.len() {
                return Ok(false);
            }
            for (left, right) in left.items.iter().zip(right.items.iter()) {
                if !equal(meter, left, right)? {
                    return Ok(false);
                }
            }
            true
        }
        (Value::Map(left), Value::Map(right)) => {
            if left.entries.len() != right.entries.len() {
                return Ok(false);
            }
            for (key, value) in left.entries.iter() {
                match find(meter, &right.entries, key)? {
                    Some(other) if equal(meter, value, other)? => {}
                    _ => return Ok(false),
                }
            }
            true
        }
        (Value::Namespace(left), Value::Namespace(right)) => left == right,
        (Value::Macro(left), Value::Macro(right)) => left == right,
        (Value::Function(left), Value::Function(right)) => left == right,
        (Value::Loop(left), Value::Loop(right)) => Rc::ptr_eq(left, right),
        (left, right) => match (left.as_int(), right.as_int()) {
            (Some(left), Some(right)) => left == right,
            _ => exact(left).is_some_and(|left| Some(left) == exact(right)),
        },
    })
}

/// A number that no conversion changes.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
fn exact(value: &Value) -> Option<f64> {
    match (value, value.as_int()) {
        (Value::Float(float), _) => Some(*float),
        (_, Some(int)) => Some(int as f64).filter(|float| *float as i128 == int),
        _ => None,
    }
}

/// The value of a key.
pub(super) fn find<'a>(
    meter: &Meter,
    entries: &'a [(Value, Value)],
    key: &Value,
) -> Outcome<Option<&'a Value>> {
    for (known, value) in entries {
        if equal(meter, known, key)? {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

/// The value of a key that is a text.
pub(super) fn member<'a>(
    meter: &Meter,
    entries: &'a [(Value, Value)],
    name: &str,
) -> Outcome<Option<&'a Value>> {
    for (place, (key, value)) in entries.iter().enumerate() {
        if key.as_text() == Some(name) {
            meter.work(place + name.len())?;
            return Ok(Some(value));
        }
    }
    meter.work(entries.len().saturating_add(name.len()))?;
    Ok(None)
}

/// The order: by kind first, as minijinja has it.
pub(super) fn compare(meter: &Meter, left: &Value, right: &Value) -> Outcome<Ordering> {
    meter.work(STEP)?;
    let kinds = rank(left).cmp(&rank(right));
    if kinds != Ordering::Equal {
        return Ok(kinds);
    }
    Ok(match (left, right) {
        (Value::Text(left), Value::Text(right)) => {
            meter.work(left.len().min(right.len()))?;
            left.as_str().cmp(right.as_str())
        }
        (Value::List(left), Value::List(right)) => {
            let tuples = left.is_tuple.cmp(&right.is_tuple);
            if tuples != Ordering::Equal {
                return Ok(tuples);
            }
            for (left, right) in left.items.iter().zip(right.items.iter()) {
                let order = compare(meter, left, right)?;
                if order != Ordering::Equal {
                    return Ok(order);
                }
            }
            left.items.len().cmp(&right.items.len())
        }
        (Value::Map(left), Value::Map(right)) => {
            for (left, right) in left.entries.iter().zip(right.entries.iter()) {
                let order = compare(meter, &left.0, &right.0)?;
                let order = order.then(compare(meter, &left.1, &right.1)?);
                if order != Ordering::Equal {
                    return Ok(order);
                }
            }
            left.entries.len().cmp(&right.entries.len())
        }
        (left, right) => match (left.as_int(), right.as_int()) {
            (Some(left), Some(right)) => left.cmp(&right),
            _ => match (left.as_float(), right.as_float()) {
                (Some(left), Some(right)) if left == right => Ordering::Equal,
                (Some(left), Some(right)) => left.total_cmp(&right),
                _ => Ordering::Equal,
            },
        },
    })
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::Undefined => 0,
        Value::None => 1,
        Value::Bool(_) => 2,
        Value::Int(_) | Value::Float(_) => 3,
        Value::Text(_) => 4,
        Value::List(_) => 5,
        Value::Map(_) => 6,
        _ => 7,
    }
}

/// As [`compare`], but capital letters are as small ones.
pub(super) fn compare_folded(meter: &Meter, left: &Value, right: &Value) -> Outcome<Ordering> {
    let (Some(left_text), Some(right_text)) = (left.as_text(), right.as_text()) else {
        return compare(meter, left, right);
    };
    meter.work(STEP + left_text.len().min(right_text.len()))?;
    let left = left_text.bytes().map(|byte| byte.to_ascii_lowercase());
    Ok(left.cmp(right_text.bytes().map(|byte| byte.to_ascii_lowercase())))
}

/// A merge sort that may be stopped: what is equal keeps its order.
pub(super) fn sort(
    items: &mut Held<Vec<(Value, Value)>>,
    spare: &mut Held<Vec<(Value, Value)>>,
    before: &mut dyn FnMut(&Value, &Value) -> Outcome<Ordering>,
) -> Outcome<()> {
    let len = items.len();
    let mut width = 1;
    while width < len {
        spare.items().clear();
        for start in (0..len).step_by(width.saturating_mul(2)) {
            let middle = (start + width).min(len);
            let end = (middle + width).min(len);
            let (mut left, mut right) = (start, middle);
            while left < middle || right < end {
                let takes_right = right < end
                    && (left >= middle || before(&items[left].0, &items[right].0)?.is_gt());
                let from = if takes_right { &mut right } else { &mut left };
                spare.push(items[*from].clone())?;
                *from += 1;
            }
        }
        std::mem::swap(items, spare);
        width = width.saturating_mul(2);
    }
    Ok(())
}
