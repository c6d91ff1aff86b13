//! `output_config`: effort, and the schema that the text follows.
//!
//! Source: [structured outputs](https://platform.claude.com/docs/en/build-with-claude/structured-outputs).

use serde_json::Value;

use super::{Checked, object::Object, refused};

const EFFORTS: [&str; 5] = ["low", "medium", "high", "xhigh", "max"];

/// Checks the field.
pub(super) fn check(body: &Object) -> Checked {
    let Some(config) = body.object("output_config")? else {
        return Ok(());
    };
    config.only(&["effort", "format"])?;
    if config
        .given("effort")
        .is_some_and(|effort| !effort.is_null())
    {
        config.word("effort", &EFFORTS)?;
    }
    if config.given("format").is_none_or(Value::is_null) {
        return Ok(());
    }
    if let Some(format) = config.object("format")? {
        format.only(&["type", "schema"])?;
        format.tag(&["json_schema"])?;
        let schema = format.required("schema")?;
        let at = format.place("schema");
        Object::of(at.clone(), schema)?;
        closed(&at, schema)?;
    }
    Ok(())
}

/// Refuses a schema whose objects are open to other properties.
pub(super) fn closed(at: &str, schema: &Value) -> Checked {
    let Value::Object(fields) = schema else {
        return Ok(());
    };
    if schema["type"] == "object" && schema["additionalProperties"] != false {
        let message = "For 'object' type, 'additionalProperties' must be explicitly set to false";
        return Err(refused(at, message));
    }
    for name in ["properties", "$defs", "definitions"] {
        for inner in fields
            .get(name)
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            closed(at, inner.1)?;
        }
    }
    for name in ["anyOf", "allOf", "oneOf"] {
        for inner in fields
            .get(name)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            closed(at, inner)?;
        }
    }
    fields
        .get("items")
        .map_or(Ok(()), |items| closed(at, items))
}
