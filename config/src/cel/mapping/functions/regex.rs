//! `matches`, with regular expressions that are compiled once a thread and may not be large.

use std::cell::RefCell;
use std::collections::HashMap;

use kube_cel::cel::Value as CelValue;
use regex::{Regex, RegexBuilder};

use super::{Meter, word};

/// The compiled size that one may reach.
const LARGEST: usize = 1 << 20;
/// How many a thread keeps.
const KEPT: usize = 256;

thread_local! {
    static COMPILED: RefCell<HashMap<String, Regex>> = RefCell::default();
}

/// Whether a regex may be used.
pub(in crate::cel) fn check(regex: &str) -> Result<(), String> {
    compile(regex).map(drop)
}

/// A regex that is small enough.
pub(in crate::cel) fn compile(regex: &str) -> Result<Regex, String> {
    let compiled = RegexBuilder::new(regex).size_limit(LARGEST).build();
    compiled.map_err(|fault| {
        let fault = fault.to_string();
        let why = fault.lines().last().unwrap_or_default().trim();
        format!("the regular expression does not compile: {why}")
    })
}

/// Whether a regex matches somewhere in a text.
pub(super) fn matches(operands: &[CelValue], meter: &Meter) -> Result<CelValue, String> {
    let [CelValue::String(text), CelValue::String(regex)] = operands else {
        let what: Vec<_> = operands.iter().map(word).collect();
        return Err(format!(
            "matches takes two texts, not {}; guard it, since what is missing is null",
            what.join(" and ")
        ));
    };
    meter
        .spend(text.len() + regex.len())
        .map_err(|_| super::super::meter::TOO_MUCH.to_owned())?;
    let found = COMPILED.with_borrow_mut(|compiled| {
        if let Some(known) = compiled.get(regex.as_str()) {
            return Ok(known.is_match(text));
        }
        let made = compile(regex)?;
        let found = made.is_match(text);
        if compiled.len() == KEPT {
            compiled.clear();
        }
        compiled.insert(regex.to_string(), made);
        Ok::<_, String>(found)
    });
    found.map(CelValue::Bool)
}
