//! Reading keys and items where what is missing is null, and the loop behind `map` and `filter`.

use std::sync::Arc;

use kube_cel::cel::common::ast::Expr;
use kube_cel::cel::objects::{Key, KeyRef};
use kube_cel::cel::{ExecutionError, FunctionContext, Value as CelValue};

use super::{Meter, Outcome, word};
use crate::cel::mapping::meter::NODE;

/// A key of an object.
pub(super) fn get(operands: &[CelValue], _: &Meter) -> Result<CelValue, String> {
    match operands {
        [CelValue::Null, _] => Ok(CelValue::Null),
        [CelValue::Map(map), CelValue::String(name)] => Ok(map
            .get(&KeyRef::String(name))
            .cloned()
            .unwrap_or(CelValue::Null)),
        [other, CelValue::String(name)] => Err(format!("{} has no member {name:?}", word(other))),
        _ => Err("a member is named by text".to_owned()),
    }
}

/// Whether an object has a key.
pub(super) fn has(operands: &[CelValue], _: &Meter) -> Result<CelValue, String> {
    Ok(CelValue::Bool(match operands {
        [CelValue::Map(map), CelValue::String(name)] => map.get(&KeyRef::String(name)).is_some(),
        _ => false,
    }))
}

/// A key of an object, or an item of a list.
pub(super) fn at(operands: &[CelValue], _: &Meter) -> Result<CelValue, String> {
    let [value, index] = operands else {
        return Err("one index is needed".to_owned());
    };
    let place = match index {
        CelValue::Int(place) => usize::try_from(*place).ok(),
        CelValue::UInt(place) => usize::try_from(*place).ok(),
        _ => None,
    };
    match (value, index, place) {
        (CelValue::Null, ..) => Ok(CelValue::Null),
        (CelValue::List(items), _, Some(place)) => items
            .get(place)
            .cloned()
            .ok_or_else(|| format!("the list has no item {place}; look at size() first")),
        (CelValue::Map(map), index, _) => match KeyRef::try_from(index) {
            Ok(key) => Ok(map.get(&key).cloned().unwrap_or(CelValue::Null)),
            Err(_) => Err(format!("{} is no key of an object", word(index))),
        },
        (other, index, _) => Err(format!("{} has no item by {}", word(other), word(index))),
    }
}

/// What a macro bound, as a whole.
pub(super) fn read(operands: &[CelValue], _: &Meter) -> Result<CelValue, String> {
    operands.first().cloned().ok_or_else(String::new)
}

/// What each item becomes of which the condition holds; an object's items are its keys, sorted.
pub(super) fn each(call: &FunctionContext<'_, '_>, meter: &Meter) -> Outcome {
    let [range, name, condition, element] = call.args else {
        return Err(ExecutionError::missing_argument_or_target());
    };
    let Expr::Ident(name) = &name.expr else {
        return Err(ExecutionError::missing_argument_or_target());
    };
    let items =
        match CelValue::resolve(range, call.ptx)? {
            CelValue::List(items) => Arc::unwrap_or_clone(items),
            CelValue::Map(map) => {
                let mut keys: Vec<&Key> = map.map.keys().collect();
                keys.sort();
                keys.into_iter().map(key).collect()
            }
            CelValue::Null => return Err(call.error(
                "null has no items; guard it, as in body.tools != null ? body.tools.map(…) : []",
            )),
            other => return Err(call.error(format!("{} has no items", word(&other)))),
        };
    let mut made = Vec::with_capacity(items.len());
    for item in items {
        meter.spend(NODE)?;
        let mut inner = call.ptx.new_inner_scope();
        inner.add_variable_from_value(name.as_str(), item);
        match CelValue::resolve(condition, &inner)? {
            CelValue::Bool(true) => made.push(CelValue::resolve(element, &inner)?),
            CelValue::Bool(false) => {}
            other => {
                return Err(call.error(format!(
                    "a condition gives {}, not true or false",
                    word(&other)
                )));
            }
        }
    }
    Ok(CelValue::List(Arc::new(made)))
}

fn key(key: &Key) -> CelValue {
    match key {
        Key::Int(whole) => CelValue::Int(*whole),
        Key::Uint(whole) => CelValue::UInt(*whole),
        Key::Bool(truth) => CelValue::Bool(*truth),
        Key::String(text) => CelValue::String(Arc::clone(text)),
    }
}
