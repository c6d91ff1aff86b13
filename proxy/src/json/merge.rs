//! A model map's `defaults` and `overrides`, and the model's name, merged into a request's body.
//!
//! - A default is inserted when the body has no member of its name; null counts as there.
//! - An override always stands; an object replaces the body's object whole, it is not merged into it.
//! - The model's name is set last: neither defaults nor overrides can change it.
//!
//! All other bytes stay identical.

use bytes::Bytes;
use serde_json::{Map, Value};

use super::edit::ObjectEdit;
use super::malformed::Malformed;
use super::members::{Members, scan};
use super::splice::splice;
use super::string;

/// Defaults and overrides, written out once so that a request only copies references.
#[derive(Debug, Clone, Default)]
pub struct Merge {
    names: Vec<String>,
    defaults: Vec<(String, Bytes)>,
    overrides: Vec<(String, Bytes)>,
}

impl Merge {
    /// Prepares defaults and overrides. A `model` among them is ignored: the map's rule names it.
    #[must_use]
    pub fn new(defaults: &Map<String, Value>, overrides: &Map<String, Value>) -> Self {
        let written = |map: &Map<String, Value>| -> Vec<(String, Bytes)> {
            let members = map.iter().filter(|(name, _)| *name != "model");
            members
                .map(|(name, value)| (name.clone(), value.to_string().into()))
                .collect()
        };
        let (defaults, overrides) = (written(defaults), written(overrides));
        let mut names = vec!["model".to_owned()];
        names.extend(
            defaults
                .iter()
                .chain(&overrides)
                .map(|(name, _)| name.clone()),
        );
        names.sort();
        names.dedup();
        Self {
            names,
            defaults,
            overrides,
        }
    }

    /// Whether there are neither defaults nor overrides.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.defaults.is_empty() && self.overrides.is_empty()
    }

    /// The members that [`Merge::edit`] needs to know of, `model` among them.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Adds the changes to `edit`, whose members were scanned for [`Merge::names`] at least.
    pub fn edit<K: AsRef<str>>(&self, edit: &mut ObjectEdit<'_, '_, K>, model: Option<&str>) {
        for (name, value) in &self.overrides {
            edit.set(name, value.clone());
        }
        for (name, value) in &self.defaults {
            edit.set_default(name, value.clone());
        }
        if let Some(model) = model {
            edit.set("model", string::literal(model).into());
        }
    }

    /// The body with everything merged, as segments that share its memory. `model` of `None` keeps the
    /// body's own.
    ///
    /// # Errors
    /// [`Malformed`] if the body is no JSON object.
    pub fn apply(&self, body: &Bytes, model: Option<&str>) -> Result<Vec<Bytes>, Malformed> {
        let members: Members<'_, String> = scan(body, &self.names)?;
        let mut edit = ObjectEdit::new(&members);
        self.edit(&mut edit, model);
        Ok(splice(body, edit.finish()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn merged(body: &'static str, defaults: &Value, overrides: &Value) -> String {
        let merge = Merge::new(
            defaults.as_object().unwrap(),
            overrides.as_object().unwrap(),
        );
        let segments = merge
            .apply(&Bytes::from_static(body.as_bytes()), Some("new"))
            .unwrap();
        String::from_utf8(segments.concat()).unwrap()
    }

    #[test]
    fn absent_members_get_defaults_and_overrides_always_stand() {
        assert_eq!(
            merged(
                r#"{"model": "old", "seed": null, "top_p":1}"#,
                &json!({"seed": 1, "n": 1, "temperature": 0.5}),
                &json!({"top_p": 0.5, "n": {"x": 2}}),
            ),
            r#"{"model": "new", "seed": null, "top_p":0.5,"n":{"x":2},"temperature":0.5}"#
        );
    }

    #[test]
    fn the_rule_names_the_model_not_a_default() {
        let other = json!({"model": "other"});
        assert_eq!(merged("{}", &other, &other), r#"{"model":"new"}"#);
    }

    #[test]
    fn no_second_model_is_smuggled_past_the_rename() {
        assert_eq!(
            merged(
                r#"{"model":"a","\u006dodel":"evil"}"#,
                &json!({}),
                &json!({})
            ),
            r#"{"model":"new","\u006dodel":"new"}"#
        );
    }

    #[test]
    fn an_object_is_replaced_whole() {
        assert_eq!(
            merged(
                r#"{"model":"a","x":{"y":1,"z":2}}"#,
                &json!({}),
                &json!({"x": {"y": 3}})
            ),
            r#"{"model":"new","x":{"y":3}}"#
        );
    }
}
