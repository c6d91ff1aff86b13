//! The form of the output: `output_config.format`, and the older `output_format`.
//!
//! Source: [structured outputs](https://platform.claude.com/docs/en/build-with-claude/structured-outputs). Decoding is always constrained to the schema,
//! which is `strict` in other dialects' words.

use serde_json::{Value, json};

use crate::fields::Fields;
use crate::form::{Field, Format, Malformed, Refused};

const PAGE: &str = "https://platform.claude.com/docs/en/build-with-claude/structured-outputs";

/// Reads a format.
///
/// # Errors
/// [`Malformed`] if it is of a type that is not known.
pub fn read(mut format: Fields) -> Result<Format, Malformed> {
    match format.required_string("type")?.as_str() {
        "json_schema" => {
            let schema = format
                .schema("schema")?
                .ok_or_else(|| format.missing("schema"))?;
            Ok(Format::JsonSchema {
                name: None,
                description: None,
                schema,
                strict: Some(true),
            })
        }
        other => Err(format.fault(
            "type",
            format!("The type must be json_schema, not {other:?}."),
        )),
    }
}

/// Writes a format.
///
/// # Errors
/// [`Refused`] for any but a schema.
pub fn write(format: Option<&Format>) -> Result<Option<Value>, Refused> {
    let refused = |message: &str| Err(Refused::new(Field::Format, message, PAGE));
    match format {
        None | Some(Format::Text) => Ok(None),
        Some(Format::JsonSchema { schema, .. }) => {
            Ok(Some(json!({"type": "json_schema", "schema": schema})))
        }
        Some(Format::JsonObject) => refused(
            "Anthropic promises JSON of a schema only; send the schema, or ask for JSON in the prompt alone.",
        ),
        Some(Format::Regex(_)) => refused(
            "Anthropic does not follow regular expressions; send a JSON schema, or choose another model.",
        ),
    }
}
