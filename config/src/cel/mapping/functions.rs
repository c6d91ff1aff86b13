//! The functions that mappings have besides CEL's own. Each may be called as `f(x, …)` and as `x.f(…)`.

mod json;
mod objects;
mod paths;
mod regex;
mod template;
mod text;

use kube_cel::cel::{Context, ExecutionError, FunctionContext, Value as CelValue};

use super::meter::Meter;
use super::rewrite::{AT, EACH, GET, HAS, READ, TICK};
use super::value::cost;

pub(super) use regex::check as check_regex;
pub(in crate::cel) use regex::compile as compile_regex;
pub(super) use template::check as check_template;

/// What manifests may call.
pub(in crate::cel) const OURS: [&str; 8] = [
    "render",
    "merge",
    "omit",
    "join",
    "split",
    "replace",
    "parseJson",
    "toJson",
];

type Outcome = Result<CelValue, ExecutionError>;
/// A function as the interpreter calls it.
type Native = Box<dyn Fn(&mut FunctionContext) -> Outcome + Send + Sync>;
/// A function of values that were evaluated and paid for.
type Plain = fn(&[CelValue], &Meter) -> Result<CelValue, String>;

/// Whether a fault of the function is told in words of ours.
pub(super) fn is_ours(name: &str) -> bool {
    let rest = name.starts_with('@') || name.is_empty() || name == "render";
    rest || PLAIN.iter().any(|(known, _)| *known == name)
}

const PLAIN: [(&str, Plain); 15] = [
    (GET, paths::get),
    (HAS, paths::has),
    (AT, paths::at),
    (READ, paths::read),
    ("merge", objects::merge),
    ("omit", objects::omit),
    ("matches", regex::matches),
    ("join", text::join),
    ("split", text::split),
    ("replace", text::replace),
    ("lowerAscii", text::lower),
    ("upperAscii", text::upper),
    ("trim", text::trim),
    ("parseJson", json::parse),
    ("toJson", json::write),
];

/// Adds the functions, each of which takes what it costs from `meter`.
pub(super) fn register(context: &mut Context<'_>, meter: &Meter) {
    for (name, function) in PLAIN {
        let meter = meter.clone();
        let native: Native = Box::new(move |call| {
            let operands = operands(call)?;
            let made = function(&operands, &meter).map_err(|fault| call.error(fault))?;
            if function_makes_anew(name) {
                meter.spend(cost(&made))?;
            }
            Ok(made)
        });
        context.add_function::<Native, Native>(name, native);
    }
    let own = meter.clone();
    let render: Native = Box::new(move |call| {
        let operands = operands(call)?;
        template::render(&operands, &own).map_err(|fault| call.error(fault))
    });
    context.add_function::<Native, Native>("render", render);
    let own = meter.clone();
    let tick: Native = Box::new(move |_| {
        own.spend(super::meter::NODE)?;
        Ok(CelValue::Bool(true))
    });
    context.add_function::<Native, Native>(TICK, tick);
    let own = meter.clone();
    let each: Native = Box::new(move |call| paths::each(call, &own));
    context.add_function::<Native, Native>(EACH, each);
}

/// Whether what the function gives was not there before.
fn function_makes_anew(name: &str) -> bool {
    name != HAS && name != "matches"
}

/// Target and arguments, in this order.
fn operands(call: &FunctionContext<'_, '_>) -> Result<Vec<CelValue>, ExecutionError> {
    let mut operands = Vec::with_capacity(call.args.len() + 1);
    operands.extend(call.this.clone());
    for argument in call.args {
        operands.push(CelValue::resolve(argument, call.ptx)?);
    }
    Ok(operands)
}

/// What a value is, in words.
fn word(value: &CelValue) -> &'static str {
    match value {
        CelValue::Null => "null",
        CelValue::Bool(_) => "true or false",
        CelValue::Int(_) | CelValue::UInt(_) | CelValue::Float(_) => "a number",
        CelValue::String(_) => "text",
        CelValue::List(_) => "a list",
        CelValue::Map(_) => "an object",
        _ => "a value of another type",
    }
}
