//! JSON within text: `parseJson` and `toJson`.

use std::sync::Arc;

use kube_cel::cel::Value as CelValue;
use serde_json::Value;

use super::{Meter, word};
use crate::cel::mapping::meter::TOO_MUCH;
use crate::cel::mapping::value::{cost_of_json, from_json, to_json};

/// What a text holds.
pub(super) fn parse(operands: &[CelValue], meter: &Meter) -> Result<CelValue, String> {
    let [CelValue::String(text)] = operands else {
        let given = operands.first().map_or("nothing", word);
        return Err(format!("parseJson takes one text, not {given}"));
    };
    let value: Value = serde_json::from_str(text).map_err(|fault| {
        let (line, column) = (fault.line(), fault.column());
        format!("parseJson was given text that is no JSON (its line {line}, column {column})")
    })?;
    if cost_of_json(&value) >= meter.left() {
        return Err(TOO_MUCH.to_owned());
    }
    Ok(from_json(&value))
}

/// A value as compact JSON with sorted keys.
pub(super) fn write(operands: &[CelValue], _: &Meter) -> Result<CelValue, String> {
    let [value] = operands else {
        return Err("toJson takes one value".to_owned());
    };
    let value = to_json(value.clone())?;
    Ok(CelValue::String(Arc::new(value.to_string())))
}
