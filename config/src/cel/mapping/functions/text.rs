//! Text: `join`, `split`, `replace`, `lowerAscii`, `upperAscii` and `trim`.

use std::sync::Arc;

use kube_cel::cel::Value as CelValue;

use super::{Meter, word};
use crate::cel::mapping::meter::{NODE, TOO_MUCH};

/// A list of texts as one, with a text between them; without one, nothing is between them.
pub(super) fn join(operands: &[CelValue], meter: &Meter) -> Result<CelValue, String> {
    let (items, between) = match operands {
        [CelValue::List(items)] => (items, ""),
        [CelValue::List(items), CelValue::String(between)] => (items, between.as_str()),
        _ => return Err(takes("join", "a list of texts and a text", operands)),
    };
    let mut texts = Vec::with_capacity(items.len());
    for item in items.iter() {
        match item {
            CelValue::String(text) => texts.push(text.as_str()),
            other => {
                return Err(format!(
                    "join takes a list of texts, and an item is {}; filter or string() it",
                    word(other)
                ));
            }
        }
    }
    fits(meter, texts.len().saturating_mul(between.len()))?;
    Ok(text(texts.join(between)))
}

/// The parts of a text between mentions of another.
pub(super) fn split(operands: &[CelValue], meter: &Meter) -> Result<CelValue, String> {
    let [CelValue::String(whole), CelValue::String(between)] = operands else {
        return Err(takes("split", "two texts", operands));
    };
    if between.is_empty() {
        fits(meter, whole.len().saturating_mul(NODE))?;
        let parts = whole.chars().map(|part| text(part.to_string()));
        return Ok(CelValue::List(Arc::new(parts.collect())));
    }
    fits(
        meter,
        whole.matches(between.as_str()).count().saturating_mul(NODE),
    )?;
    let parts = whole
        .split(between.as_str())
        .map(|part| text(part.to_owned()));
    Ok(CelValue::List(Arc::new(parts.collect())))
}

/// The text with every mention of another replaced.
pub(super) fn replace(operands: &[CelValue], meter: &Meter) -> Result<CelValue, String> {
    let [
        CelValue::String(whole),
        CelValue::String(from),
        CelValue::String(to),
    ] = operands
    else {
        return Err(takes("replace", "three texts", operands));
    };
    if from.is_empty() {
        return Err("replace needs a text to look for, and it is empty".to_owned());
    }
    let mentions = whole.matches(from.as_str()).count();
    fits(
        meter,
        mentions
            .saturating_mul(to.len())
            .saturating_add(whole.len()),
    )?;
    Ok(text(whole.replace(from.as_str(), to)))
}

pub(super) fn lower(operands: &[CelValue], _: &Meter) -> Result<CelValue, String> {
    one("lowerAscii", operands, str::to_ascii_lowercase)
}

pub(super) fn upper(operands: &[CelValue], _: &Meter) -> Result<CelValue, String> {
    one("upperAscii", operands, str::to_ascii_uppercase)
}

pub(super) fn trim(operands: &[CelValue], _: &Meter) -> Result<CelValue, String> {
    one("trim", operands, |whole| whole.trim().to_owned())
}

fn one(name: &str, operands: &[CelValue], make: fn(&str) -> String) -> Result<CelValue, String> {
    match operands {
        [CelValue::String(whole)] => Ok(text(make(whole))),
        _ => Err(takes(name, "one text", operands)),
    }
}

fn takes(name: &str, what: &str, operands: &[CelValue]) -> String {
    let given: Vec<&str> = operands.iter().map(word).collect();
    format!("{name} takes {what}, not {}", given.join(", "))
}

/// Whether something so long may be made at all.
fn fits(meter: &Meter, length: usize) -> Result<(), String> {
    if length < meter.left() {
        return Ok(());
    }
    Err(TOO_MUCH.to_owned())
}

fn text(text: String) -> CelValue {
    CelValue::String(Arc::new(text))
}
