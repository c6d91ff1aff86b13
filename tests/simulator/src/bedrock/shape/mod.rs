//! Checks JSON against the shapes of a service's model, as AWS's servers do.
//!
//! Sources: [restJson1](https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html) (members that
//! no shape has are ignored), [constraints](https://smithy.io/2.0/spec/constraint-traits.html), and the
//! words of the service's own refusals.

mod place;
mod types;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::StatusCode;
use serde_json::{Map, Value};

use self::place::Place;
use super::error;
use crate::refusal::Refusal;

pub(super) use types::CONVERSE;

/// An object with members.
pub(super) struct Structure {
    name: &'static str,
    members: &'static [(&'static str, Shape)],
    required: &'static [&'static str],
    /// One of the members is set.
    union: bool,
}

/// The type of a member, and its bounds.
pub(super) enum Shape {
    Text {
        least: usize,
        most: usize,
        /// What it may hold beside letters and digits; empty: anything.
        marks: &'static str,
    },
    /// One of these.
    Word(&'static [&'static str]),
    /// Base64.
    Blob,
    Bool,
    /// An integer, at least this.
    Int(i64),
    /// A number from 0 to 1.
    Share,
    /// Any JSON.
    Document,
    /// Elements, how many at least and at most.
    List(&'static Shape, usize, usize),
    Map(&'static Shape),
    Structure(&'static Structure),
}

impl Shape {
    const fn text(least: usize, most: usize, marks: &'static str) -> Self {
        Self::Text { least, most, marks }
    }

    const fn list(of: &'static Self) -> Self {
        Self::List(of, 0, usize::MAX)
    }
}

/// Checks a body; `strict` refuses members that no shape has.
pub(super) fn check(
    structure: &Structure,
    fields: &Map<String, Value>,
    strict: bool,
) -> Result<(), Refusal> {
    let mut checker = Checker {
        strict,
        broken: vec![],
        unset: None,
    };
    checker.structure(structure, fields, &Place::default())?;
    match checker.broken.len() {
        0 => checker.unset.map_or(Ok(()), Err),
        1 => Err(bad(format!(
            "1 validation error detected: {}",
            checker.broken[0]
        ))),
        count => Err(bad(format!(
            "{count} validation errors detected: {}",
            checker.broken.join("; ")
        ))),
    }
}

/// A 400 of the service.
pub(super) fn bad(message: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, message)
}

/// A body whose types are wrong.
pub(super) fn unreadable(message: impl Into<String>) -> Refusal {
    bad(message).code(error::SERIALIZATION)
}

struct Checker {
    strict: bool,
    /// Constraints that are broken.
    broken: Vec<String>,
    /// The first union without a member, or with two.
    unset: Option<Refusal>,
}

impl Checker {
    fn structure(
        &mut self,
        structure: &Structure,
        fields: &Map<String, Value>,
        at: &Place,
    ) -> Result<(), Refusal> {
        let mut set = 0;
        for (name, value) in fields {
            let known = structure.members.iter().find(|(known, _)| known == name);
            match known {
                Some(_) if value.is_null() => {}
                Some((_, shape)) => {
                    set += 1;
                    self.value(shape, value, &at.member(name))?;
                }
                None if self.strict => {
                    let place = at.member(name);
                    return Err(bad(format!("The member {} is unknown.", place.dotted())));
                }
                None => {}
            }
        }
        for name in structure.required {
            if fields.get(*name).is_none_or(Value::is_null) {
                let place = at.member(name);
                self.constraint("null", &place, "Member must not be null");
            }
        }
        if structure.union && set != 1 && self.unset.is_none() {
            let names: Vec<_> = structure.members.iter().map(|(name, _)| *name).collect();
            self.unset = Some(bad(format!(
                "The {} object at {} must set one of the following keys: {}.",
                structure.name,
                at.dotted(),
                names.join(", ")
            )));
        }
        Ok(())
    }

    fn value(&mut self, shape: &Shape, value: &Value, at: &Place) -> Result<(), Refusal> {
        match (shape, value) {
            (Shape::Document, _) | (Shape::Bool, Value::Bool(_)) => Ok(()),
            (Shape::Text { least, most, marks }, Value::String(text)) => {
                let length = text.chars().count();
                if length < *least {
                    let why = format!("Member must have length greater than or equal to {least}");
                    self.constraint(&quoted(text), at, &why);
                }
                if length > *most {
                    let why = format!("Member must have length less than or equal to {most}");
                    self.constraint(&quoted(text), at, &why);
                }
                let fits = |letter: char| letter.is_ascii_alphanumeric() || marks.contains(letter);
                if !marks.is_empty() && !text.chars().all(fits) {
                    let why = format!(
                        "Member must satisfy regular expression pattern: [a-zA-Z0-9{marks}]+"
                    );
                    self.constraint(&quoted(text), at, &why);
                }
                Ok(())
            }
            (Shape::Word(words), Value::String(text)) => {
                if !words.contains(&text.as_str()) {
                    let why = format!("Member must satisfy enum value set: [{}]", words.join(", "));
                    self.constraint(&quoted(text), at, &why);
                }
                Ok(())
            }
            (Shape::Blob, Value::String(text)) => {
                let bytes = BASE64_STANDARD.decode(text);
                let bytes = bytes.map_err(|_| unreadable("Invalid Base64 encoding of a blob"))?;
                if bytes.is_empty() {
                    let why = "Member must have length greater than or equal to 1";
                    self.constraint("''", at, why);
                }
                Ok(())
            }
            (Shape::Int(least), Value::Number(number)) => {
                let Some(number) = number.as_i64() else {
                    let message = "NUMBER_VALUE cannot be converted to Integer";
                    return Err(unreadable(message));
                };
                if number < *least {
                    let why = format!("Member must have value greater than or equal to {least}");
                    self.constraint(&quoted(&number.to_string()), at, &why);
                }
                Ok(())
            }
            (Shape::Share, Value::Number(number)) => {
                let value = number.as_f64().unwrap_or(f64::NAN);
                if value < 0.0 {
                    let why = "Member must have value greater than or equal to 0";
                    self.constraint(&quoted(&number.to_string()), at, why);
                } else if value > 1.0 {
                    let why = "Member must have value less than or equal to 1";
                    self.constraint(&quoted(&number.to_string()), at, why);
                }
                Ok(())
            }
            (Shape::List(of, least, most), Value::Array(items)) => {
                if items.len() < *least {
                    let why = format!("Member must have length greater than or equal to {least}");
                    self.constraint("'[]'", at, &why);
                }
                if items.len() > *most {
                    let why = format!("Member must have length less than or equal to {most}");
                    self.constraint("'[...]'", at, &why);
                }
                let mut items = items.iter().enumerate();
                items.try_for_each(|(index, item)| self.value(of, item, &at.element(index)))
            }
            (Shape::Map(of), Value::Object(entries)) => entries
                .iter()
                .try_for_each(|(name, entry)| self.value(of, entry, &at.member(name))),
            (Shape::Structure(structure), Value::Object(fields)) => {
                self.structure(structure, fields, at)
            }
            (_, Value::Object(_)) => Err(unreadable(
                "Start of structure or map found where not expected.",
            )),
            (_, Value::Array(_)) => Err(unreadable("Start of list found where not expected.")),
            _ => Err(unreadable(format!(
                "{} cannot be converted to {}",
                token(value),
                shape.kind()
            ))),
        }
    }

    fn constraint(&mut self, value: &str, at: &Place, why: &str) {
        self.broken.push(format!(
            "Value {value} at '{}' failed to satisfy constraint: {why}",
            at.counted()
        ));
    }
}

impl Shape {
    fn kind(&self) -> &'static str {
        match self {
            Self::Text { .. } | Self::Word(_) => "String",
            Self::Blob => "Blob",
            Self::Bool => "Boolean",
            Self::Int(_) => "Integer",
            Self::Share => "Float",
            Self::Document => "Document",
            Self::List(..) => "List",
            Self::Map(_) => "Map",
            Self::Structure(structure) => structure.name,
        }
    }
}

fn quoted(text: &str) -> String {
    format!("'{text}'")
}

fn token(value: &Value) -> &'static str {
    match value {
        Value::Null => "NULL_VALUE",
        Value::Bool(true) => "TRUE_VALUE",
        Value::Bool(false) => "FALSE_VALUE",
        Value::Number(_) => "NUMBER_VALUE",
        _ => "STRING_VALUE",
    }
}
