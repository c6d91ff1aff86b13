//! Statements.

use std::cell::Cell;
use std::rc::Rc;

use jiff::Timestamp;
use serde_json::Value as Json;

use super::call::Given;
use super::fault::{Failed, Fault, Outcome};
use super::meter::{Bounds, Held, Meter, STEP};
use super::syntax::{Applied, Expr, For, Name, Node, Program, Step, Target};
use super::value::{Function, List, Loop, Macro, Value};

/// How deep statements, expressions and calls of macros may be nested, which is what the stack must take.
const DEEPEST: usize = 200;

/// What a template wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The text.
    pub text: String,
    /// What it cost, in the units of [`Bounds::work`].
    pub work: usize,
}

/// A rendering.
pub(super) struct Run<'p> {
    pub(super) program: &'p Program,
    pub(super) meter: Rc<Meter>,
    /// What `strftime_now` tells; without it there is no such function.
    pub(super) clock: Option<Timestamp>,
    frames: Vec<Frame>,
    serial: u64,
    /// What is being written: the text, and within it what is captured.
    written: Vec<Held<String>>,
    namespaces: Vec<Held<Vec<(Value, Value)>>>,
    depth: usize,
}

/// Variables of a loop's turn, of a macro, of `with`.
struct Frame {
    variables: Held<Vec<(Name, Value)>>,
    /// Where names are looked up next.
    parent: Option<usize>,
    serial: u64,
}

/// How a block ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    Continue,
    Break,
}

impl Program {
    /// Renders the template with its variables. With a `clock` it may ask for the date (`strftime_now`).
    ///
    /// # Errors
    /// [`Failed`] if the template costs more than `bounds`, or what it does cannot be done with these variables.
    pub fn render(
        &self,
        variables: impl IntoIterator<Item = (String, Json)>,
        clock: Option<Timestamp>,
        bounds: Bounds,
    ) -> Result<Rendered, Failed> {
        let meter = Meter::new(bounds);
        let written = self.write(variables, clock, &meter);
        written.map_err(|fault| fault.at(1)).map(|text| Rendered {
            text,
            work: meter.worked(),
        })
    }

    fn write(
        &self,
        variables: impl IntoIterator<Item = (String, Json)>,
        clock: Option<Timestamp>,
        meter: &Rc<Meter>,
    ) -> Outcome<String> {
        let mut run = Run {
            program: self,
            meter: Rc::clone(meter),
            clock,
            frames: Vec::new(),
            serial: 0,
            written: vec![meter.empty()?],
            namespaces: Vec::new(),
            depth: 0,
        };
        run.push(None)?;
        for (name, json) in variables {
            meter.work(STEP)?;
            // What the template does not name is not worth a conversion.
            if let Some(name) = self.places.get(&name) {
                let value = Value::from_json(meter, json)?;
                run.set(*name, value)?;
            }
        }
        // What the template sets hides variables, and does not replace them.
        run.push(Some(0))?;
        run.run(&self.body)?;
        let text = run.written.pop().map(Held::take);
        Ok(text.unwrap_or_default())
    }
}

impl<'p> Run<'p> {
    fn push(&mut self, parent: Option<usize>) -> Outcome<()> {
        self.serial += 1;
        self.frames.push(Frame {
            variables: self.meter.empty()?,
            parent,
            serial: self.serial,
        });
        Ok(())
    }

    fn top(&self) -> usize {
        self.frames.len() - 1
    }

    fn inner(&mut self) -> Outcome<()> {
        self.push(Some(self.top()))
    }

    /// Goes a level deeper.
    pub(super) fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Outcome<T>) -> Outcome<T> {
        self.meter.work(STEP)?;
        if self.depth >= DEEPEST {
            return Fault::said("the template calls itself too deep");
        }
        self.depth += 1;
        let made = inner(self);
        self.depth -= 1;
        made
    }

    /// The value of a variable.
    pub(super) fn lookup(&self, name: Name) -> Outcome<Value> {
        let mut at = Some(self.top());
        while let Some(frame) = at.and_then(|at| self.frames.get(at)) {
            self.meter.work(frame.variables.len() + 1)?;
            let mut variables = frame.variables.iter();
            if let Some((_, value)) = variables.find(|(known, _)| *known == name) {
                return Ok(value.clone());
            }
            at = frame.parent;
        }
        let name = self.program.names.get(name).map(String::as_str);
        Ok(match name {
            Some("range") => Value::Function(Function::Range),
            Some("dict") => Value::Function(Function::Dict),
            Some("namespace") => Value::Function(Function::Namespace),
            Some("raise_exception") => Value::Function(Function::RaiseException),
            Some("strftime_now") if self.clock.is_some() => Value::Function(Function::StrftimeNow),
            _ => Value::Undefined,
        })
    }

    fn set(&mut self, name: Name, value: Value) -> Outcome<()> {
        let Some(frame) = self.frames.last_mut() else {
            return Ok(());
        };
        self.meter.work(frame.variables.len() + 1)?;
        let mut variables = frame.variables.items().iter_mut();
        if let Some((_, known)) = variables.find(|(known, _)| *known == name) {
            *known = value;
            return Ok(());
        }
        frame.variables.push((name, value))
    }

    fn emit(&mut self, text: &str) -> Outcome<()> {
        match self.written.last_mut() {
            Some(written) => written.push(text),
            None => Ok(()),
        }
    }

    fn run(&mut self, nodes: &'p [Node]) -> Outcome<Flow> {
        for node in nodes {
            let flow = self.deeper(|own| own.step(&node.step));
            let flow = flow.map_err(|fault| Fault::Placed(fault.at(node.line)))?;
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    fn step(&mut self, step: &'p Step) -> Outcome<Flow> {
        match step {
            Step::Raw(text) => self.emit(text)?,
            Step::Emit(expr) => {
                let value = self.value(expr)?;
                self.emit_value(&value)?;
            }
            Step::For(loops) => return self.loops(loops),
            Step::If(branches, otherwise) => return self.branch(branches, otherwise),
            Step::With(assignments, body) => {
                self.inner()?;
                for (target, value) in assignments {
                    let value = self.value(value)?;
                    self.assign(target, value)?;
                }
                let flow = self.run(body)?;
                self.frames.pop();
                return Ok(flow);
            }
            Step::Set(target, value) => {
                let value = self.value(value)?;
                self.assign(target, value)?;
            }
            Step::Capture(target, filters, body) => {
                let (text, flow) = self.captured(body)?;
                let value = self.filtered(text, filters)?;
                self.assign(target, value)?;
                return Ok(flow);
            }
            Step::Filtered(filters, body) => {
                let (text, flow) = self.captured(body)?;
                let value = self.filtered(text, filters)?;
                self.emit_value(&value)?;
                return Ok(flow);
            }
            Step::Macro(name, index) => {
                let made = Value::Macro(self.here(*index));
                self.set(*name, made)?;
            }
            Step::Call(call, index) => {
                let caller = Value::Macro(self.here(*index));
                let value = self.call_with(call, Some(caller))?;
                self.emit_value(&value)?;
            }
            Step::Do(call) => {
                self.value(call)?;
            }
            Step::Continue => return Ok(Flow::Continue),
            Step::Break => return Ok(Flow::Break),
        }
        Ok(Flow::Next)
    }

    fn emit_value(&mut self, value: &Value) -> Outcome<()> {
        let meter = Rc::clone(&self.meter);
        match self.written.last_mut() {
            Some(written) => super::show::show(&meter, value, written),
            None => Ok(()),
        }
    }

    /// A macro that sees the variables of this place.
    fn here(&self, index: usize) -> Macro {
        let frame = self.top();
        let serial = self.frames.get(frame).map_or(0, |frame| frame.serial);
        Macro {
            index,
            frame,
            serial,
        }
    }

    fn branch(
        &mut self,
        branches: &'p [(Expr, Vec<Node>)],
        otherwise: &'p [Node],
    ) -> Outcome<Flow> {
        for (condition, body) in branches {
            if self.value(condition)?.is_true() {
                return self.run(body);
            }
        }
        self.run(otherwise)
    }

    fn captured(&mut self, body: &'p [Node]) -> Outcome<(Value, Flow)> {
        self.written.push(self.meter.empty()?);
        let flow = self.run(body)?;
        let text = self.written.pop().map(Value::from);
        Ok((text.unwrap_or(Value::Undefined), flow))
    }

    fn filtered(&mut self, mut value: Value, filters: &'p [Applied]) -> Outcome<Value> {
        for filter in filters {
            value = self.filter(value, filter)?;
        }
        Ok(value)
    }

    fn loops(&mut self, loops: &'p For) -> Outcome<Flow> {
        let items = self.value(&loops.items)?.items(&self.meter)?;
        let items = match &loops.filter {
            Some(filter) => self.chosen(loops, filter, &items)?,
            None => items,
        };
        let state = Loop {
            items: Rc::clone(&items),
            at: Cell::new(0),
        };
        let state = Rc::new(self.meter.keep(state, 0)?);
        let own_name = self.program.places.get("loop").copied();
        for (place, item) in items.items.iter().enumerate() {
            self.inner()?;
            state.at.set(place);
            if let Some(name) = own_name {
                self.set(name, Value::Loop(Rc::clone(&state)))?;
            }
            self.assign(&loops.target, item.clone())?;
            let flow = self.run(&loops.body)?;
            self.frames.pop();
            if flow == Flow::Break {
                break;
            }
        }
        if items.items.is_empty() {
            return self.run(&loops.otherwise);
        }
        Ok(Flow::Next)
    }

    /// The items that a loop's `if` lets through.
    fn chosen(&mut self, loops: &'p For, filter: &'p Expr, items: &List) -> Outcome<Rc<List>> {
        let mut chosen: Held<Vec<Value>> = self.meter.empty()?;
        for item in items.items.iter() {
            self.inner()?;
            self.assign(&loops.target, item.clone())?;
            if self.value(filter)?.is_true() {
                chosen.push(item.clone())?;
            }
            self.frames.pop();
        }
        Value::list(chosen)?.items(&self.meter)
    }

    fn assign(&mut self, target: &'p Target, value: Value) -> Outcome<()> {
        match target {
            Target::Name(name) => self.set(*name, value),
            Target::Member(of, name) => match self.value(of)? {
                Value::Namespace(place) => self.set_member(place, name, value),
                other => Fault::said(format!(
                    "can only assign to namespaces, not {}",
                    other.kind()
                )),
            },
            Target::Each(targets) => {
                let items = match &value {
                    Value::List(_) | Value::Map(_) => value.items(&self.meter)?,
                    other => return Fault::said(format!("cannot unpack a {}", other.kind())),
                };
                let (expected, got) = (targets.len(), items.items.len());
                if expected != got {
                    return Fault::said(format!(
                        "sequence of wrong length (expected {expected}, got {got})"
                    ));
                }
                for (target, item) in targets.iter().zip(items.items.iter()) {
                    self.assign(target, item.clone())?;
                }
                Ok(())
            }
        }
    }

    /// A namespace with these members.
    pub(super) fn namespace(&mut self, members: Held<Vec<(Value, Value)>>) -> Value {
        self.namespaces.push(members);
        Value::Namespace(self.namespaces.len() - 1)
    }

    pub(super) fn members(&self, namespace: usize) -> &[(Value, Value)] {
        self.namespaces.get(namespace).map_or(&[], |held| held)
    }

    fn set_member(&mut self, namespace: usize, name: &str, value: Value) -> Outcome<()> {
        let meter = Rc::clone(&self.meter);
        let Some(members) = self.namespaces.get_mut(namespace) else {
            return Ok(());
        };
        super::call::insert(&meter, members, Value::text(&meter, name)?, value)
    }

    /// Calls a macro: what it writes is its value.
    pub(super) fn call_macro(
        &mut self,
        called: Macro,
        mut given: Given,
        caller: Option<Value>,
    ) -> Outcome<Value> {
        let program = self.program;
        let Some(definition) = program.macros.get(called.index) else {
            return Ok(Value::Undefined);
        };
        let frame = self.frames.get(called.frame);
        let is_there = frame.is_some_and(|frame| frame.serial == called.serial);
        // The turn of a loop where it was made may be over; then it sees the template's own variables.
        self.push(Some(if is_there {
            called.frame
        } else {
            self.top().min(1)
        }))?;
        for (name, default) in &definition.parameters {
            let word = program.names.get(*name).map_or("", String::as_str);
            let value = match (given.next(word), default) {
                (None | Some(Value::Undefined), Some(default)) => self.value(default)?,
                (value, _) => value.unwrap_or(Value::Undefined),
            };
            self.set(*name, value)?;
        }
        given.finish()?;
        if let Some(caller) = caller
            && let Some(name) = program.places.get("caller")
        {
            self.set(*name, caller)?;
        }
        let (text, _) = self.captured(&definition.body)?;
        self.frames.pop();
        Ok(text)
    }
}
