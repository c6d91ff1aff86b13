//! Expressions.

use std::rc::Rc;

use super::checks;
use super::fault::{Fault, Outcome};
use super::filters;
use super::meter::Held;
use super::operators;
use super::order;
use super::run::Run;
use super::syntax::{Applied, Expr, Operator};
use super::value::{List, Loop, Value};

/// An integer of ordinary size.
pub(super) fn small(value: &Value) -> Outcome<i64> {
    let float = |float: f64| (float.fract() == 0.0 && float.abs() < 1e15).then_some(float);
    #[allow(clippy::cast_possible_truncation)]
    let int = match value {
        Value::Int(int) => i64::try_from(*int).ok(),
        Value::Bool(is) => Some((*is).into()),
        Value::Float(value) => float(*value).map(|float| float as i64),
        _ => None,
    };
    match int {
        Some(int) => Ok(int),
        None => Fault::said(format!("expected an integer, not a {}", value.kind())),
    }
}

impl<'p> Run<'p> {
    pub(super) fn value(&mut self, expr: &'p Expr) -> Outcome<Value> {
        self.deeper(|own| own.evaluate(expr))
    }

    fn evaluate(&mut self, expr: &'p Expr) -> Outcome<Value> {
        Ok(match expr {
            Expr::Text(text) => Value::text(&self.meter, text)?,
            Expr::Int(int) => Value::Int(*int),
            Expr::Float(float) => Value::Float(*float),
            Expr::Bool(is) => Value::Bool(*is),
            Expr::None => Value::None,
            Expr::Variable(name) => self.lookup(*name)?,
            Expr::List(items) => Value::list(self.collected(items)?)?,
            Expr::Tuple(items) => Value::tuple(self.collected(items)?)?,
            Expr::Map(entries) => self.map(entries)?,
            Expr::Not(operand) => Value::Bool(!self.value(operand)?.is_true()),
            Expr::Negative(operand) => operators::negate(&self.value(operand)?)?,
            Expr::Chain(first, rest) => self.chain(first, rest)?,
            Expr::Compare(first, rest) => self.comparison(first, rest)?,
            Expr::If(condition) => {
                let (test, then, otherwise) = &**condition;
                let is_true = self.value(test)?.is_true();
                match (is_true, otherwise) {
                    (true, _) => self.value(then)?,
                    (false, Some(otherwise)) => self.value(otherwise)?,
                    (false, None) => Value::Undefined,
                }
            }
            Expr::Member(of, name) => {
                let of = self.value(of)?;
                let member = self.member(&of, name)?;
                if of.is_undefined() {
                    return Fault::said(format!("there is no {name} of what is undefined"));
                }
                member
            }
            Expr::Item(operands) => self.item(operands)?,
            Expr::Slice(slice) => self.slice(slice)?,
            Expr::Filter(of, filter) => {
                let value = self.value(of)?;
                self.filter(value, filter)?
            }
            Expr::Test(of, test) => {
                let value = self.value(of)?;
                let given = self.arguments(&test.arguments)?;
                Value::Bool(checks::check(&self.meter, &test.name, &value, given)?)
            }
            Expr::Call(..) | Expr::Method(..) => self.call_with(expr, None)?,
        })
    }

    pub(super) fn filter(&mut self, value: Value, filter: &'p Applied) -> Outcome<Value> {
        let given = self.arguments(&filter.arguments)?;
        filters::apply(self, &filter.name, value, given)
    }

    fn collected(&mut self, exprs: &'p [Expr]) -> Outcome<Held<Vec<Value>>> {
        let mut items: Held<Vec<Value>> = self.meter.empty()?;
        for expr in exprs {
            items.push(self.value(expr)?)?;
        }
        Ok(items)
    }

    fn map(&mut self, written: &'p [(Expr, Expr)]) -> Outcome<Value> {
        let meter = Rc::clone(&self.meter);
        let mut entries: Held<Vec<(Value, Value)>> = meter.empty()?;
        for (key, value) in written {
            let key = self.value(key)?;
            let value = self.value(value)?;
            super::call::insert(&meter, &mut entries, key, value)?;
        }
        Value::map(entries)
    }

    fn chain(&mut self, first: &'p Expr, rest: &'p [(Operator, Expr)]) -> Outcome<Value> {
        let mut value = self.value(first)?;
        for (operator, operand) in rest {
            let is_decided = match operator {
                Operator::And => !value.is_true(),
                Operator::Or => value.is_true(),
                _ => false,
            };
            if !is_decided {
                let operand = self.value(operand)?;
                value = operators::apply(&self.meter, *operator, value, &operand)?;
            }
        }
        Ok(value)
    }

    fn comparison(&mut self, first: &'p Expr, rest: &'p [(Operator, Expr)]) -> Outcome<Value> {
        let mut left = self.value(first)?;
        for (operator, operand) in rest {
            let right = self.value(operand)?;
            if !operators::apply(&self.meter, *operator, left, &right)?.is_true() {
                return Ok(Value::Bool(false));
            }
            left = right;
        }
        Ok(Value::Bool(true))
    }

    /// A member by its name; undefined if there is none.
    pub(super) fn member(&self, of: &Value, name: &str) -> Outcome<Value> {
        let found = match of {
            Value::Map(map) => order::member(&self.meter, &map.entries, name)?.cloned(),
            Value::Namespace(place) => {
                order::member(&self.meter, self.members(*place), name)?.cloned()
            }
            Value::Loop(state) => of_loop(state, name),
            _ => None,
        };
        Ok(found.unwrap_or(Value::Undefined))
    }

    fn item(&mut self, operands: &'p (Expr, Expr)) -> Outcome<Value> {
        let of = self.value(&operands.0)?;
        let key = self.value(&operands.1)?;
        match &of {
            Value::Undefined => Fault::said("there is no item of what is undefined"),
            Value::Map(map) => {
                let found = order::find(&self.meter, &map.entries, &key)?;
                Ok(found.cloned().unwrap_or(Value::Undefined))
            }
            Value::List(list) => {
                let place = small(&key).ok().and_then(|at| place(at, list.items.len()));
                let found = place.and_then(|place| list.items.get(place));
                Ok(found.cloned().unwrap_or(Value::Undefined))
            }
            Value::Text(text) => {
                self.meter.work(text.len())?;
                let place = small(&key)
                    .ok()
                    .and_then(|at| place(at, text.chars().count()));
                let found = place.and_then(|place| text.chars().nth(place));
                match found {
                    Some(char) => Value::text(&self.meter, char.encode_utf8(&mut [0; 4])),
                    None => Ok(Value::Undefined),
                }
            }
            other => match key.as_text() {
                Some(name) => self.member(other, name),
                None => Ok(Value::Undefined),
            },
        }
    }

    fn slice(&mut self, slice: &'p (Expr, [Option<Expr>; 3])) -> Outcome<Value> {
        let of = self.value(&slice.0)?;
        let mut bounds = [None; 3];
        for (bound, written) in bounds.iter_mut().zip(&slice.1) {
            *bound = match written {
                None => None,
                Some(written) => match self.value(written)? {
                    Value::None => None,
                    value => Some(small(&value)?),
                },
            };
        }
        let step = bounds[2].unwrap_or(1);
        if step == 0 {
            return Fault::said("cannot slice by step size of 0");
        }
        match &of {
            Value::Undefined | Value::None => Value::list(self.meter.empty()?),
            Value::Text(text) => self.slice_text(text, bounds, step),
            Value::List(list) => self.slice_list(list, bounds, step),
            other => Fault::said(format!("value of type {} cannot be sliced", other.kind())),
        }
    }

    fn slice_text(&self, text: &str, bounds: [Option<i64>; 3], step: i64) -> Outcome<Value> {
        self.meter.work(text.len())?;
        let len = text.chars().count();
        let mut out: Held<String> = self.meter.empty()?;
        if step > 0 {
            let (start, stop) = ends(bounds, step, len);
            let width = usize::try_from(stop - start).unwrap_or_default();
            let start = usize::try_from(start).unwrap_or_default();
            let step = usize::try_from(step).unwrap_or(usize::MAX);
            for char in text.chars().skip(start).take(width).step_by(step) {
                out.push_char(char)?;
            }
        } else {
            let mut chars: Held<Vec<char>> = self.meter.empty()?;
            for char in text.chars() {
                chars.push(char)?;
            }
            for place in places(bounds, step, len) {
                if let Some(char) = chars.get(place) {
                    out.push_char(*char)?;
                }
            }
        }
        Ok(out.into())
    }

    fn slice_list(&self, list: &List, bounds: [Option<i64>; 3], step: i64) -> Outcome<Value> {
        let mut out: Held<Vec<Value>> = self.meter.empty()?;
        for place in places(bounds, step, list.items.len()) {
            if let Some(item) = list.items.get(place) {
                out.push(item.clone())?;
            }
        }
        if list.is_tuple {
            return Value::tuple(out);
        }
        Value::list(out)
    }
}

/// The place that a number means, from the end if it is negative.
fn place(at: i64, len: usize) -> Option<usize> {
    match usize::try_from(at) {
        Ok(place) => Some(place),
        Err(_) => len.checked_sub(usize::try_from(at.unsigned_abs()).ok()?),
    }
}

/// First and past-the-last place of a slice, as Python's `slice.indices` has them.
fn ends(bounds: [Option<i64>; 3], step: i64, len: usize) -> (i64, i64) {
    let len = i64::try_from(len).unwrap_or(i64::MAX);
    let (lowest, highest) = if step > 0 { (0, len) } else { (-1, len - 1) };
    let within = |bound: i64| {
        let bound = if bound < 0 {
            bound.saturating_add(len)
        } else {
            bound
        };
        bound.clamp(lowest, highest)
    };
    let (first, last) = if step > 0 {
        (lowest, highest)
    } else {
        (highest, lowest)
    };
    let start = bounds[0].map_or(first, within);
    let stop = bounds[1].map_or(last, within);
    (start, stop)
}

/// The places of a slice.
fn places(bounds: [Option<i64>; 3], step: i64, len: usize) -> impl Iterator<Item = usize> {
    let (start, stop) = ends(bounds, step, len);
    let mut next = Some(start);
    std::iter::from_fn(move || {
        let place = next.filter(|place| {
            if step > 0 {
                *place < stop
            } else {
                *place > stop
            }
        })?;
        next = place.checked_add(step);
        usize::try_from(place).ok()
    })
}

/// A member of the variable `loop`.
fn of_loop(state: &Loop, name: &str) -> Option<Value> {
    let (at, len) = (state.at.get(), state.items.items.len());
    let int = |int: usize| i128::try_from(int).ok().map(Value::Int);
    let item = |place: Option<usize>| {
        let item = place.and_then(|place| state.items.items.get(place));
        Some(item.cloned().unwrap_or(Value::Undefined))
    };
    match name {
        "index" => int(at + 1),
        "index0" => int(at),
        "length" => int(len),
        "revindex" => int(len.saturating_sub(at)),
        "revindex0" => int(len.saturating_sub(at + 1)),
        "first" => Some(Value::Bool(at == 0)),
        "last" => Some(Value::Bool(at + 1 >= len)),
        // Only recursive loops are deeper.
        "depth" => int(1),
        "depth0" => int(0),
        "previtem" => item(at.checked_sub(1)),
        "nextitem" => item(at.checked_add(1)),
        _ => None,
    }
}
