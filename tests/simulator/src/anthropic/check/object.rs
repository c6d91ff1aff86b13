//! A JSON object under check, which knows where in the body it stands.

use serde_json::{Map, Value};

use super::{Checked, refused};
use crate::refusal::Refusal;

/// An object and its place, such as `messages.0.content.1.text`; the body's own is empty.
pub(super) struct Object<'a> {
    pub(super) at: String,
    pub(super) fields: &'a Map<String, Value>,
}

impl<'a> Object<'a> {
    pub(super) fn of(at: impl Into<String>, value: &'a Value) -> Result<Self, Refusal> {
        let at = at.into();
        match value {
            Value::Object(fields) => Ok(Self { at, fields }),
            _ => Err(refused(&at, "Input should be a valid dictionary")),
        }
    }

    /// The place of a field.
    pub(super) fn place(&self, name: &str) -> String {
        if self.at.is_empty() {
            name.into()
        } else {
            format!("{}.{name}", self.at)
        }
    }

    pub(super) fn refused(&self, name: &str, message: &str) -> Refusal {
        refused(&self.place(name), message)
    }

    /// Refuses fields beyond the known ones.
    pub(super) fn only(&self, known: &[&str]) -> Checked {
        match self
            .fields
            .keys()
            .find(|name| !known.contains(&name.as_str()))
        {
            Some(name) => Err(self.refused(name, "Extra inputs are not permitted")),
            None => Ok(()),
        }
    }

    /// A field; null is a value, and mostly the wrong one.
    pub(super) fn given(&self, name: &str) -> Option<&'a Value> {
        self.fields.get(name)
    }

    pub(super) fn required(&self, name: &str) -> Result<&'a Value, Refusal> {
        self.given(name)
            .ok_or_else(|| self.refused(name, "Field required"))
    }

    pub(super) fn text(&self, name: &str) -> Result<&'a str, Refusal> {
        let value = self.required(name)?;
        value
            .as_str()
            .ok_or_else(|| self.refused(name, "Input should be a valid string"))
    }

    pub(super) fn list(&self, name: &str) -> Result<&'a [Value], Refusal> {
        match self.given(name) {
            None => Ok(&[]),
            Some(Value::Array(items)) => Ok(items),
            Some(_) => Err(self.refused(name, "Input should be a valid list")),
        }
    }

    pub(super) fn object(&self, name: &str) -> Result<Option<Object<'a>>, Refusal> {
        let value = self.given(name);
        value
            .map(|value| Object::of(self.place(name), value))
            .transpose()
    }

    pub(super) fn integer(&self, name: &str, least: i64) -> Result<Option<i64>, Refusal> {
        let Some(value) = self.given(name) else {
            return Ok(None);
        };
        let number = value
            .as_i64()
            .ok_or_else(|| self.refused(name, "Input should be a valid integer"))?;
        if number < least {
            let message = format!("Input should be greater than or equal to {least}");
            return Err(self.refused(name, &message));
        }
        Ok(Some(number))
    }

    /// A number from 0 to 1.
    pub(super) fn share(&self, name: &str) -> Result<Option<f64>, Refusal> {
        let Some(value) = self.given(name) else {
            return Ok(None);
        };
        let number = value
            .as_f64()
            .ok_or_else(|| self.refused(name, "Input should be a valid number"))?;
        if !(0.0..=1.0).contains(&number) {
            return Err(self.refused(name, "range: 0..1"));
        }
        Ok(Some(number))
    }

    pub(super) fn boolean(&self, name: &str) -> Checked {
        match self.given(name) {
            None | Some(Value::Bool(_)) => Ok(()),
            Some(_) => Err(self.refused(name, "Input should be a valid boolean")),
        }
    }

    /// A string or null.
    pub(super) fn nullable(&self, name: &str) -> Checked {
        match self.given(name) {
            None | Some(Value::String(_) | Value::Null) => Ok(()),
            Some(_) => Err(self.refused(name, "Input should be a valid string")),
        }
    }

    /// One of these words, if it is there.
    pub(super) fn word(&self, name: &str, words: &[&str]) -> Checked {
        match self.given(name) {
            None => Ok(()),
            Some(Value::String(word)) if words.contains(&word.as_str()) => Ok(()),
            Some(_) => {
                let (last, first) = words.split_last().unwrap_or((&"", &[]));
                let first: Vec<_> = first.iter().map(|word| format!("'{word}'")).collect();
                let message = if first.is_empty() {
                    format!("Input should be '{last}'")
                } else {
                    format!("Input should be {} or '{last}'", first.join(", "))
                };
                Err(self.refused(name, &message))
            }
        }
    }

    /// The field `type`, one of `tags`.
    pub(super) fn tag(&self, tags: &[&str]) -> Result<&'a str, Refusal> {
        let tag = self.text("type")?;
        if tags.contains(&tag) {
            return Ok(tag);
        }
        let tags: Vec<_> = tags.iter().map(|tag| format!("'{tag}'")).collect();
        let message = format!(
            "Input tag '{tag}' found using 'type' does not match any of the expected tags: {}",
            tags.join(", ")
        );
        Err(refused(&self.at, &message))
    }

    /// `cache_control`, if it is there.
    pub(super) fn cache(&self) -> Checked {
        if self.given("cache_control").is_none_or(Value::is_null) {
            return Ok(());
        }
        if let Some(cache) = self.object("cache_control")? {
            cache.tag(&["ephemeral"])?;
            let cache = Object {
                at: cache.place("ephemeral"),
                ..cache
            };
            cache.only(&["type", "ttl"])?;
            cache.word("ttl", &["5m", "1h"])?;
        }
        Ok(())
    }

    /// Whether the object bears a mark of the cache.
    pub(super) fn cached(&self) -> bool {
        self.given("cache_control").is_some_and(Value::is_object)
    }
}
