//! Operators. What they build is paid for before it is built.

use std::rc::Rc;

use super::evaluate::small;
use super::fault::{Fault, Outcome};
use super::meter::{Held, Meter};
use super::order;
use super::show::show;
use super::syntax::Operator;
use super::value::Value;

pub(super) fn apply(
    meter: &Rc<Meter>,
    operator: Operator,
    left: Value,
    right: &Value,
) -> Outcome<Value> {
    match operator {
        Operator::Concat => concat(meter, left, right),
        Operator::Add => add(meter, left, right),
        Operator::Multiply => multiply(meter, &left, right),
        // These two are decided before the right side is evaluated.
        Operator::And | Operator::Or => Ok(right.clone()),
        Operator::Equal => order::equal(meter, &left, right).map(Value::Bool),
        Operator::NotEqual => order::equal(meter, &left, right).map(|is| Value::Bool(!is)),
        Operator::Less => order::compare(meter, &left, right).map(|is| Value::Bool(is.is_lt())),
        Operator::AtMost => order::compare(meter, &left, right).map(|is| Value::Bool(is.is_le())),
        Operator::Greater => order::compare(meter, &left, right).map(|is| Value::Bool(is.is_gt())),
        Operator::AtLeast => order::compare(meter, &left, right).map(|is| Value::Bool(is.is_ge())),
        Operator::In => contains(meter, right, &left).map(Value::Bool),
        Operator::NotIn => contains(meter, right, &left).map(|is| Value::Bool(!is)),
        Operator::Subtract
        | Operator::Divide
        | Operator::FloorDivide
        | Operator::Remainder
        | Operator::Power => arithmetic(operator, &left, right),
    }
}

/// The text itself, if nobody else has it, so that joining many texts copies each once.
fn own(meter: &Rc<Meter>, text: Rc<Held<String>>) -> Outcome<Held<String>> {
    Rc::try_unwrap(text).or_else(|shared| {
        let mut copy: Held<String> = meter.empty()?;
        copy.push(&shared)?;
        Ok(copy)
    })
}

fn concat(meter: &Rc<Meter>, left: Value, right: &Value) -> Outcome<Value> {
    let mut text = match left {
        Value::Text(text) => own(meter, text)?,
        other => {
            let mut text: Held<String> = meter.empty()?;
            show(meter, &other, &mut text)?;
            text
        }
    };
    show(meter, right, &mut text)?;
    Ok(text.into())
}

pub(super) fn add(meter: &Rc<Meter>, left: Value, right: &Value) -> Outcome<Value> {
    match (left, right) {
        (Value::Text(left), Value::Text(right)) => {
            let mut text = own(meter, left)?;
            text.push(right)?;
            Ok(text.into())
        }
        (Value::List(left), Value::List(right)) if left.is_tuple == right.is_tuple => {
            let mut items: Held<Vec<Value>> = meter.empty()?;
            for item in left.items.iter().chain(right.items.iter()) {
                items.push(item.clone())?;
            }
            if left.is_tuple {
                return Value::tuple(items);
            }
            Value::list(items)
        }
        (left, right) => arithmetic(Operator::Add, &left, right),
    }
}

fn multiply(meter: &Rc<Meter>, left: &Value, right: &Value) -> Outcome<Value> {
    let times = |value: &Value| {
        let times = small(value)
            .ok()
            .and_then(|times| usize::try_from(times).ok());
        match times {
            Some(times) => Ok(times),
            None => Fault::said("strings and lists can only be multiplied with small integers"),
        }
    };
    match (left, right) {
        (Value::Text(text), count) | (count, Value::Text(text)) => {
            let mut many: Held<String> = meter.empty()?;
            many.push_times(text, times(count)?)?;
            Ok(many.into())
        }
        (Value::List(list), count) | (count, Value::List(list)) => {
            let mut many: Held<Vec<Value>> = meter.empty()?;
            let times = times(count)?;
            // Nothing stays nothing, however often.
            if !list.items.is_empty() {
                for _ in 0..times {
                    for item in list.items.iter() {
                        many.push(item.clone())?;
                    }
                }
            }
            if list.is_tuple {
                return Value::tuple(many);
            }
            Value::list(many)
        }
        _ => arithmetic(Operator::Multiply, left, right),
    }
}

fn arithmetic(operator: Operator, left: &Value, right: &Value) -> Outcome<Value> {
    let impossible = || {
        let (left, right, sign) = (left.kind(), right.kind(), operator.sign());
        Fault::said(format!(
            "tried to use {sign} operator on unsupported types {left} and {right}"
        ))
    };
    let made = if operator == Operator::Divide {
        match (left.as_float(), right.as_float()) {
            (Some(left), Some(right)) => (right != 0.0).then(|| Value::Float(left / right)),
            _ => return impossible(),
        }
    } else if let (Some(left), Some(right)) = (left.as_int(), right.as_int()) {
        ints(operator, left, right)
    } else if let (Some(left), Some(right)) = (left.as_float(), right.as_float()) {
        floats(operator, left, right)
    } else {
        return impossible();
    };
    match made {
        Some(made) => Ok(made),
        None => {
            let sign = operator.sign();
            Fault::said(format!("unable to calculate a number {sign} another"))
        }
    }
}

#[allow(clippy::cast_precision_loss)]
fn ints(operator: Operator, left: i128, right: i128) -> Option<Value> {
    let int = match operator {
        Operator::Add => left.checked_add(right),
        Operator::Subtract => left.checked_sub(right),
        Operator::Multiply => left.checked_mul(right),
        Operator::FloorDivide => floored(left, right).map(|(quotient, _)| quotient),
        Operator::Remainder => floored(left, right).map(|(_, remainder)| remainder),
        Operator::Power if right < 0 => {
            let power = (left as f64).powf(right as f64);
            return (left != 0).then_some(Value::Float(power));
        }
        Operator::Power => u32::try_from(right)
            .ok()
            .and_then(|right| left.checked_pow(right)),
        _ => None,
    };
    int.map(Value::Int)
}

/// Quotient and remainder as Python has them: rounded down, and with the divisor's sign.
fn floored(left: i128, right: i128) -> Option<(i128, i128)> {
    let (quotient, remainder) = (left.checked_div(right)?, left.checked_rem(right)?);
    if remainder != 0 && (remainder < 0) != (right < 0) {
        return Some((quotient - 1, remainder + right));
    }
    Some((quotient, remainder))
}

fn floats(operator: Operator, left: f64, right: f64) -> Option<Value> {
    Some(Value::Float(match operator {
        Operator::Add => left + right,
        Operator::Subtract => left - right,
        Operator::Multiply => left * right,
        Operator::Power if left == 0.0 && right < 0.0 => return None,
        Operator::Power => left.powf(right),
        Operator::FloorDivide | Operator::Remainder if right != 0.0 => {
            let mut remainder = left % right;
            let mut quotient = (left - remainder) / right;
            if remainder == 0.0 {
                remainder = 0.0f64.copysign(right);
            } else if (remainder < 0.0) != (right < 0.0) {
                remainder += right;
                quotient -= 1.0;
            }
            if operator == Operator::Remainder {
                remainder
            } else if quotient == 0.0 {
                0.0f64.copysign(left / right)
            } else {
                quotient.round()
            }
        }
        _ => return None,
    }))
}

pub(super) fn negate(value: &Value) -> Outcome<Value> {
    let negated = match value {
        Value::Int(int) => int.checked_neg().map(Value::Int),
        Value::Float(float) => Some(Value::Float(-float)),
        _ => None,
    };
    match negated {
        Some(negated) => Ok(negated),
        None => Fault::said(format!("a {} cannot be negated", value.kind())),
    }
}

pub(super) fn contains(meter: &Rc<Meter>, container: &Value, value: &Value) -> Outcome<bool> {
    match container {
        Value::Undefined => Ok(false),
        Value::Text(text) => {
            let mut shown: Held<String> = meter.empty()?;
            show(meter, value, &mut shown)?;
            meter.work(text.len())?;
            Ok(text.contains(shown.as_str()))
        }
        Value::List(list) => {
            for item in list.items.iter() {
                if order::equal(meter, item, value)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Value::Map(map) => Ok(order::find(meter, &map.entries, value)?.is_some()),
        Value::Namespace(_) | Value::Macro(_) | Value::Loop(_) | Value::Function(_) => Ok(false),
        other => Fault::said(format!("a {} contains nothing", other.kind())),
    }
}
