//! The CRDs' schemas, ready to check objects with.

use std::collections::BTreeMap;

use dragoman_crds::generate::{self, GenerateError};
use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use serde_json::{Map, Value, json};

use super::{message, stored};
use crate::Kind;

/// Why schemas could not be prepared: a fault of ours.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// A CRD could not be generated.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// A CRD's schema is no JSON Schema.
    #[error("the schema of {kind} does not compile: {fault}")]
    Compile {
        /// The kind.
        kind: String,
        /// The compiler's word.
        fault: String,
    },
}

/// The schema of every kind.
#[derive(Debug)]
pub struct Schemas(BTreeMap<Kind, (Validator, Value)>);

impl Schemas {
    /// Prepares the schema of every kind.
    ///
    /// # Errors
    /// [`SchemaError`], a fault of this program.
    pub fn new() -> Result<Self, SchemaError> {
        let mut schemas = BTreeMap::new();
        for generated in generate::all()? {
            let kind = generated.crd["spec"]["names"]["kind"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            let bad = |fault: String| SchemaError::Compile {
                kind: kind.clone(),
                fault,
            };
            let schema = generated.schema();
            let validator = jsonschema::draft202012::new(&strict(schema, true))
                .map_err(|fault| bad(fault.to_string()))?;
            let key = kind.parse().map_err(|_| bad("unknown kind".into()))?;
            schemas.insert(key, (validator, schema.clone()));
        }
        Ok(Self(schemas))
    }

    /// Drops nulls, fills in defaults and returns every fault as field and message.
    pub(super) fn check(&self, kind: Kind, object: &mut Value) -> Vec<(String, String)> {
        let Some((validator, schema)) = self.0.get(&kind) else {
            return Vec::new();
        };
        stored::drop_nulls(schema, object);
        let mut rules_apply = true;
        let mut faults: Vec<_> = validator
            .iter_errors(object)
            .filter(|fault| !repeats(fault))
            .map(|fault| {
                rules_apply &= !blocks_rules(&fault);
                let field = field(&fault);
                let message = message::of(&fault, place(schema, &field));
                (field, message)
            })
            .collect();
        stored::duplicates(schema, object, "", &mut faults);
        *object = kube_cel::apply_defaults(schema, object);
        if rules_apply {
            let found = kube_cel::Validator::new().validate(schema, object, None);
            for fault in found
                .err()
                .map(kube_cel::ValidationErrors::into_vec)
                .unwrap_or_default()
            {
                // A rule says the cure, where a bound only says that it is broken.
                faults.retain(|(field, _)| *field != fault.field_path);
                let message = rule_message(schema, &fault);
                faults.push((fault.field_path, message));
            }
        }
        faults
    }
}

/// Whether rules cannot be judged beside this fault: over fields of the wrong type they would fail as well, and for no reason of their own.
fn blocks_rules(fault: &ValidationError<'_>) -> bool {
    !matches!(
        fault.kind(),
        ValidationErrorKind::MinItems { .. }
            | ValidationErrorKind::MinLength { .. }
            | ValidationErrorKind::Minimum { .. }
            | ValidationErrorKind::Maximum { .. }
            | ValidationErrorKind::Pattern { .. }
    )
}

/// Whether another fault says it: what is no string is none of an enumeration's strings either.
fn repeats(fault: &ValidationError<'_>) -> bool {
    matches!(fault.kind(), ValidationErrorKind::Enum { .. }) && !fault.instance().is_string()
}

/// What a broken rule says. One that could not be judged, as over a regex that does not parse, says why besides.
fn rule_message(schema: &Value, fault: &kube_cel::ValidationError) -> String {
    if fault.kind != kube_cel::ErrorKind::EvaluationError {
        return fault.message.clone();
    }
    let cause = fault
        .message
        .rsplit_once("error: ")
        .map_or(fault.message.as_str(), |(_, cause)| cause);
    place(schema, &fault.field_path)["x-kubernetes-validations"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|rule| rule["rule"] == fault.rule.as_str())
        .and_then(|rule| rule["message"].as_str())
        .map_or_else(
            || fault.message.clone(),
            |message| format!("{message}: {cause}"),
        )
}

/// The schema of the field at `path`, such as `spec.backends[0].url`; null where there is none.
fn place<'s>(schema: &'s Value, path: &str) -> &'s Value {
    let mut place = schema;
    for part in path.split('.').filter(|part| !part.is_empty()) {
        let (name, index) = part.split_once('[').unwrap_or((part, ""));
        place = &place["properties"][name];
        if !index.is_empty() {
            place = &place["items"];
        }
    }
    place
}

/// A structural schema as JSON Schema: unknown fields refused, Kubernetes' own keywords left out.
fn strict(schema: &Value, root: bool) -> Value {
    let Some(members) = schema.as_object() else {
        return schema.clone();
    };
    let mut out = Map::new();
    for (keyword, value) in members {
        match keyword.as_str() {
            "properties" => {
                let properties: Map<_, _> = value
                    .as_object()
                    .into_iter()
                    .flatten()
                    .map(|(name, property)| (name.clone(), strict(property, false)))
                    .collect();
                out.insert(keyword.clone(), properties.into());
            }
            "items" | "additionalProperties" => {
                out.insert(keyword.clone(), strict(value, false));
            }
            "default" | "description" | "format" => {}
            _ if keyword.starts_with("x-kubernetes-") => {}
            _ => {
                out.insert(keyword.clone(), value.clone());
            }
        }
    }
    let open = members.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true));
    if root {
        let properties = out.entry("properties").or_insert_with(|| json!({}));
        for name in ["apiVersion", "kind"] {
            properties[name] = json!({"type": "string"});
        }
        properties["metadata"] = json!({"type": "object"});
    }
    if out.contains_key("properties") && !open && !out.contains_key("additionalProperties") {
        out.insert("additionalProperties".into(), false.into());
    }
    out.into()
}

/// `/spec/backends/0/url` as `spec.backends[0].url`; a fault about a member names the member.
fn field(fault: &ValidationError<'_>) -> String {
    let mut field = String::new();
    for part in fault.instance_path().to_string().split('/').skip(1) {
        push(&mut field, part);
    }
    match fault.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } if unexpected.len() == 1 => {
            push(&mut field, &unexpected[0]);
        }
        ValidationErrorKind::Required { property } => {
            push(&mut field, property.as_str().unwrap_or_default());
        }
        _ => {}
    }
    field
}

fn push(field: &mut String, part: &str) {
    if part.parse::<usize>().is_ok() {
        field.push_str(&format!("[{part}]"));
    } else {
        if !field.is_empty() {
            field.push('.');
        }
        field.push_str(&part.replace("~1", "/").replace("~0", "~"));
    }
}
