//! `render(template, vars)`: Jinja, as chat templates are written in.
//!
//! A template's author is trusted not to double a text for ever, so a template comes from the Mapper, never from a body; its steps and
//! its output are bounded.

use std::io::{self, Write};

use kube_cel::cel::Value as CelValue;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Error, Value};

use super::{Meter, word};
use crate::cel::mapping::meter::TOO_MUCH;
use crate::cel::mapping::value::{from_json, to_json};

/// The steps that one rendering may take.
const FUEL: u64 = 200_000;

/// Whether a template compiles.
///
/// # Errors
/// What is wrong with it.
pub(in crate::cel::mapping) fn check(template: &str) -> Result<(), String> {
    environment()
        .template_from_str(template)
        .map(drop)
        .map_err(|fault| said(&fault))
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
    let vars = to_json(vars.clone())?;
    let environment = environment();
    let template = environment
        .template_from_str(template)
        .map_err(|fault| said(&fault))?;
    let mut text = Bounded {
        text: Vec::new(),
        most: meter.left(),
    };
    template
        .render_captured_to(Value::from(Serde(vars)), &mut text)
        .map_err(|fault| said(&fault))?;
    let text = String::from_utf8_lossy(&text.text).into_owned();
    let made = from_json(&text.into());
    meter
        .spend(super::cost(&made))
        .map_err(|_| TOO_MUCH.to_owned())?;
    Ok(made)
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_fuel(Some(FUEL));
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment
}

fn said(fault: &Error) -> String {
    let kind = fault.kind();
    let message = fault
        .detail()
        .map_or_else(|| kind.to_string(), str::to_owned);
    match fault.line() {
        Some(line) => format!("the template, line {line}: {message}"),
        None => format!("the template: {message}"),
    }
}

/// Takes so much text and no more.
struct Bounded {
    text: Vec<u8>,
    most: usize,
}

impl Write for Bounded {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        if self.text.len() + part.len() >= self.most {
            return Err(io::Error::other(TOO_MUCH));
        }
        self.text.extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
