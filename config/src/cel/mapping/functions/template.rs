//! `render(template, vars)`: Jinja, as chat templates are written in.
//!
//! A template comes from the Mapper, never from a body, so that its faults are told when it is applied. What it costs is paid for
//! from the evaluation's own budget.

use dragoman_dialects::jinja::{Blocks, Bounds, Failed, Program};
use kube_cel::cel::Value as CelValue;

use super::{Meter, word};
use crate::cel::mapping::meter::TOO_MUCH;
use crate::cel::mapping::value::{from_json, to_json};

/// A template's work for a unit of the evaluation: templates of vendors copy their conversation a dozen times.
const WORK: usize = 4;

/// Whether a template compiles.
///
/// # Errors
/// What is wrong with it.
pub(in crate::cel::mapping) fn check(template: &str) -> Result<(), String> {
    compile(template).map(drop)
}

fn compile(template: &str) -> Result<Program, String> {
    Program::compile(template, Blocks::Plain).map_err(|fault| format!("the template, {fault}"))
}

/// The text that a template makes of an object.
pub(super) fn render(operands: &[CelValue], meter: &Meter) -> Result<CelValue, String> {
    let [
        CelValue::String(template),
        vars @ (CelValue::Map(_) | CelValue::Null),
    ] = operands
    else {
        let given: Vec<&str> = operands.iter().map(word).collect();
        let given = given.join(", ");
        return Err(format!(
            "render takes a template and an object, not {given}"
        ));
    };
    let spend = |cost| meter.spend(cost).map_err(|_| TOO_MUCH.to_owned());
    // Whatever a parameter holds, it is parsed each time that it is rendered.
    spend(template.len() * WORK)?;
    let program = compile(template)?;
    let vars = match to_json(vars.clone())? {
        serde_json::Value::Object(vars) => vars,
        _ => serde_json::Map::new(),
    };
    let left = meter.left();
    let bounds = Bounds {
        held: left,
        work: left.saturating_mul(WORK),
    };
    let rendered = program.render(vars, None, bounds);
    let rendered = rendered.map_err(|failed| match failed {
        Failed::TooMuch => TOO_MUCH.to_owned(),
        said @ Failed::Said { .. } => format!("the template, {said}"),
    })?;
    spend(rendered.work / WORK)?;
    let made = from_json(&rendered.text.into());
    spend(super::cost(&made))?;
    Ok(made)
}
