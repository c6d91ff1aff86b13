//! Calls of functions, macros and methods.

use std::collections::VecDeque;
use std::rc::Rc;

use super::evaluate::small;
use super::fault::{Fault, Outcome};
use super::format;
use super::meter::{Held, Meter, STEP};
use super::methods;
use super::order;
use super::run::Run;
use super::show::show;
use super::syntax::{Argument, Arguments, Expr};
use super::value::{Function, Value};

/// The most arguments of a call.
const ARGUMENTS: usize = 600;

/// The longest range.
const RANGE: i128 = 100_000;

/// The arguments of a call.
#[derive(Debug, Default)]
pub(super) struct Given {
    by_place: VecDeque<Value>,
    by_name: Vec<(String, Value)>,
}

impl Given {
    /// The next argument, by place or by name.
    pub(super) fn next(&mut self, name: &str) -> Option<Value> {
        if let Some(value) = self.by_place.pop_front() {
            return Some(value);
        }
        let place = self.by_name.iter().position(|(known, _)| known == name)?;
        Some(self.by_name.swap_remove(place).1)
    }

    /// An argument that has no place, but a name.
    pub(super) fn named(&mut self, name: &str) -> Option<Value> {
        let place = self.by_name.iter().position(|(known, _)| known == name)?;
        Some(self.by_name.swap_remove(place).1)
    }

    pub(super) fn required(&mut self, name: &str) -> Outcome<Value> {
        match self.next(name) {
            Some(value) => Ok(value),
            None => Fault::said(format!("the argument {name} is missing")),
        }
    }

    /// A text, written as texts are if it is none.
    pub(super) fn text(
        &mut self,
        meter: &Rc<Meter>,
        name: &str,
    ) -> Outcome<Option<Rc<Held<String>>>> {
        match self.next(name) {
            None | Some(Value::None | Value::Undefined) => Ok(None),
            Some(value) => shown(meter, value).map(Some),
        }
    }

    pub(super) fn int(&mut self, name: &str) -> Outcome<Option<i64>> {
        match self.next(name) {
            None | Some(Value::None | Value::Undefined) => Ok(None),
            Some(value) => small(&value).map(Some),
        }
    }

    pub(super) fn flag(&mut self, name: &str) -> Option<bool> {
        self.next(name).map(|value| value.is_true())
    }

    pub(super) fn flag_named(&mut self, name: &str) -> bool {
        self.named(name).is_some_and(|value| value.is_true())
    }

    /// Refuses arguments that nobody asked for.
    pub(super) fn finish(self) -> Outcome<()> {
        match (self.by_place.is_empty(), self.by_name.first()) {
            (true, None) => Ok(()),
            (_, Some((name, _))) => Fault::said(format!("unknown keyword argument {name}")),
            (false, None) => Fault::said("too many arguments"),
        }
    }

    pub(super) fn rest(self) -> VecDeque<Value> {
        self.by_place
    }

    pub(super) fn len(&self) -> usize {
        self.by_place.len() + self.by_name.len()
    }

    pub(super) fn copy(&self) -> Self {
        Self {
            by_place: self.by_place.clone(),
            by_name: self.by_name.clone(),
        }
    }

    /// An argument by place, or else by name, which stays.
    pub(super) fn peek(&self, place: Option<usize>, name: &str) -> Option<&Value> {
        match place {
            Some(place) => self.by_place.get(place),
            None => {
                let mut named = self.by_name.iter();
                named
                    .find(|(known, _)| known == name)
                    .map(|(_, value)| value)
            }
        }
    }
}

/// A value as the text that it is written as.
pub(super) fn shown(meter: &Rc<Meter>, value: Value) -> Outcome<Rc<Held<String>>> {
    match value {
        Value::Text(text) => Ok(text),
        other => {
            let mut text: Held<String> = meter.empty()?;
            show(meter, &other, &mut text)?;
            Ok(Rc::new(text))
        }
    }
}

/// Sets a key of a map that is being made.
pub(super) fn insert(
    meter: &Meter,
    entries: &mut Held<Vec<(Value, Value)>>,
    key: Value,
    value: Value,
) -> Outcome<()> {
    for place in 0..entries.len() {
        if order::equal(meter, &entries[place].0, &key)? {
            entries.items()[place].1 = value;
            return Ok(());
        }
    }
    entries.push((key, value))
}

impl<'p> Run<'p> {
    pub(super) fn arguments(&mut self, written: &'p Arguments) -> Outcome<Given> {
        let mut given = Given::default();
        for argument in &written.by_place {
            match argument {
                Argument::One(one) => given.by_place.push_back(self.value(one)?),
                Argument::Each(each) => {
                    let items = self.value(each)?.items(&self.meter)?;
                    if items.items.len() > ARGUMENTS {
                        return Fault::said("too many arguments");
                    }
                    given.by_place.extend(items.items.iter().cloned());
                }
            }
        }
        for (name, value) in &written.by_name {
            let value = self.value(value)?;
            given.by_name.push((name.clone(), value));
        }
        for more in &written.more {
            let Value::Map(more) = self.value(more)? else {
                return Fault::said("** takes a map");
            };
            if more.entries.len() > ARGUMENTS {
                return Fault::said("too many arguments");
            }
            for (key, value) in more.entries.iter() {
                let Some(key) = key.as_text().filter(|key| key.len() <= ARGUMENTS) else {
                    return Fault::said("the names of arguments are short texts");
                };
                given.by_name.push((key.to_owned(), value.clone()));
            }
        }
        if given.len() > ARGUMENTS {
            return Fault::said("too many arguments");
        }
        self.meter.work(STEP * given.len())?;
        Ok(given)
    }

    /// A call, and the `caller` of a call block.
    pub(super) fn call_with(&mut self, call: &'p Expr, caller: Option<Value>) -> Outcome<Value> {
        match call {
            Expr::Call(called, arguments) => {
                let function = self.value(called)?;
                let given = self.arguments(arguments)?;
                match function {
                    Value::Macro(called) => self.call_macro(called, given, caller),
                    Value::Function(function) => self.function(function, given),
                    Value::Undefined => {
                        let name = match &**called {
                            Expr::Variable(name) => self.program.names.get(*name),
                            _ => None,
                        };
                        let name = name.map_or("what is called", String::as_str);
                        Fault::said(format!("{name} is unknown"))
                    }
                    other => Fault::said(format!("a {} cannot be called", other.kind())),
                }
            }
            Expr::Method(of, name, arguments) => {
                let value = self.value(of)?;
                let given = self.arguments(arguments)?;
                match self.member(&value, name)? {
                    Value::Macro(called) => self.call_macro(called, given, caller),
                    Value::Function(function) => self.function(function, given),
                    _ => methods::call(self, &value, name, given),
                }
            }
            other => self.value(other),
        }
    }

    fn function(&mut self, function: Function, mut given: Given) -> Outcome<Value> {
        let meter = Rc::clone(&self.meter);
        match function {
            Function::Range => {
                let first = given.required("start")?;
                let first = i128::from(small(&first)?);
                let second = given.int("stop")?.map(i128::from);
                let step = i128::from(given.int("step")?.unwrap_or(1));
                given.finish()?;
                let (start, stop) = second.map_or((0, first), |second| (first, second));
                range(&meter, start, stop, step)
            }
            Function::Dict | Function::Namespace => {
                let mut entries: Held<Vec<(Value, Value)>> = meter.empty()?;
                match given.by_place.pop_front() {
                    None | Some(Value::Undefined) => {}
                    Some(Value::Map(map)) => {
                        for (key, value) in map.entries.iter() {
                            entries.push((key.clone(), value.clone()))?;
                        }
                    }
                    Some(other) => {
                        return Fault::said(format!("expected a map, not {}", other.kind()));
                    }
                }
                for (name, value) in std::mem::take(&mut given.by_name) {
                    let name = Value::text(&meter, &name)?;
                    insert(&meter, &mut entries, name, value)?;
                }
                given.finish()?;
                if function == Function::Namespace {
                    return Ok(self.namespace(entries));
                }
                Value::map(entries)
            }
            Function::RaiseException => {
                let message = given.text(&meter, "message")?;
                Fault::said(message.map_or_else(String::new, |text| short(&text)))
            }
            Function::StrftimeNow => {
                let format = given.text(&meter, "format")?;
                given.finish()?;
                let format = format.map_or_else(String::new, |text| short(&text));
                meter.work(format.len() * STEP)?;
                match self.clock {
                    Some(now) => Value::text(&meter, &format::date(&format, now)?),
                    None => Ok(Value::Undefined),
                }
            }
        }
    }
}

/// No more of a text than anybody reads of a message.
fn short(text: &str) -> String {
    text[..text.floor_char_boundary(4000)].to_owned()
}

fn range(meter: &Rc<Meter>, start: i128, stop: i128, step: i128) -> Outcome<Value> {
    if step == 0 {
        return Fault::said("cannot create range with step of 0");
    }
    let span = if step > 0 { stop - start } else { start - stop };
    let steps = step.abs();
    if span > 0 && (span + steps - 1) / steps > RANGE {
        return Fault::said("range has too many elements");
    }
    let mut items: Held<Vec<Value>> = meter.empty()?;
    let mut next = start;
    while if step > 0 { next < stop } else { next > stop } {
        items.push(Value::Int(next))?;
        next += step;
    }
    Value::list(items)
}
