//! A JSON object taken apart field by field, by ownership, with faults that name the place.
//!
//! Whatever was not taken is left over in the end: a dialect's unknown fields. `null` counts as absent, as vendors' SDKs send it.
//! Of a client's request nothing vanishes: what readers leave of an object within it is noted when they are done with the object.

use std::cell::RefCell;
use std::mem::take;
use std::rc::Rc;

use serde_json::{Map, Number, Value};

use crate::form::Malformed;

/// An object, and where it stands in the body.
#[derive(Debug)]
pub struct Fields {
    map: Map<String, Value>,
    at: String,
    /// What readers left of the objects within a request, by their full paths. All of them share it.
    left: Option<Rc<RefCell<Map<String, Value>>>>,
}

impl Drop for Fields {
    fn drop(&mut self) {
        if let (Some(left), false) = (&self.left, self.at.is_empty()) {
            for (name, value) in take(&mut self.map) {
                if says(&value) {
                    left.borrow_mut().insert(self.path(&name), value);
                }
            }
        }
    }
}

/// Whether a value says anything: null and what is empty do not.
#[must_use]
pub fn says(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

impl Fields {
    /// Reads a body, which must be a JSON object.
    ///
    /// # Errors
    /// [`Malformed`] with the parser's line and column, or if it is no object.
    pub fn of_body(body: &[u8]) -> Result<Self, Malformed> {
        let value = serde_json::from_slice(body)
            .map_err(|fault| Malformed::new("", format!("The body is not JSON: {fault}.")))?;
        Self::of(value, "")
    }

    /// Reads the body of a client's request, which says in the end what nobody took: [`Fields::extra`].
    ///
    /// # Errors
    /// As [`Fields::of_body`]'s.
    pub fn of_request(body: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Self::of_body(body)?;
        fields.left = Some(Rc::default());
        Ok(fields)
    }

    /// Takes an object that stands at `at`.
    ///
    /// # Errors
    /// [`Malformed`] if it is no object.
    pub fn of(value: Value, at: impl Into<String>) -> Result<Self, Malformed> {
        let at = at.into();
        match value {
            Value::Object(map) => Ok(Self {
                map,
                at,
                left: None,
            }),
            other => Err(wrong(&at, "an object", &other)),
        }
    }

    /// Takes an object that stands at `at` within the body of this one.
    fn within(&self, value: Value, at: String) -> Result<Self, Malformed> {
        let mut fields = Self::of(value, at)?;
        fields.left.clone_from(&self.left);
        Ok(fields)
    }

    /// The same fields, changed.
    #[must_use]
    pub fn map(mut self, change: impl FnOnce(Map<String, Value>) -> Map<String, Value>) -> Self {
        self.map = change(take(&mut self.map));
        self
    }

    /// The names of the fields that are left, nulls included.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.map.keys().map(String::as_str)
    }

    /// Leaves out what is null, and fields for which `nothing` says that they say nothing.
    pub fn leave_out(&mut self, nothing: impl Fn(&str, &Value) -> bool) {
        self.map
            .retain(|name, value| !(value.is_null() || nothing(name, value)));
    }

    /// Leaves out fields that say nothing to a model: what clients send back of a reply, and what follows from the rest.
    pub fn ignore(&mut self, names: &[&str]) {
        self.leave_out(|name, _| names.contains(&name));
    }

    /// Where the object stands: empty for the body.
    #[must_use]
    pub fn at(&self) -> &str {
        &self.at
    }

    /// Where a field of it stands: `messages[0].content`.
    #[must_use]
    pub fn path(&self, name: &str) -> String {
        if self.at.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.at)
        }
    }

    /// A fault of a field.
    #[must_use]
    pub fn fault(&self, name: &str, message: impl Into<String>) -> Malformed {
        Malformed::new(self.path(name), message)
    }

    /// The fault of a field that must be there and is not.
    #[must_use]
    pub fn missing(&self, name: &str) -> Malformed {
        self.fault(name, "The field is required.")
    }

    /// Whether the field is there and not null.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.map.get(name).is_some_and(|value| !value.is_null())
    }

    /// Looks at a field without taking it.
    #[must_use]
    pub fn peek(&self, name: &str) -> Option<&Value> {
        self.map.get(name).filter(|value| !value.is_null())
    }

    /// Takes any value.
    pub fn value(&mut self, name: &str) -> Option<Value> {
        // Not swap_remove: what is left over keeps its order.
        self.map.shift_remove(name).filter(|value| !value.is_null())
    }

    /// Takes a string.
    ///
    /// # Errors
    /// [`Malformed`] if it is something else.
    pub fn string(&mut self, name: &str) -> Result<Option<String>, Malformed> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(wrong(&self.path(name), "a string", &other)),
        }
    }

    /// Takes a string that must be there.
    ///
    /// # Errors
    /// [`Malformed`] if it is absent or something else.
    pub fn required_string(&mut self, name: &str) -> Result<String, Malformed> {
        self.string(name)?.ok_or_else(|| self.missing(name))
    }

    /// Takes a truth value.
    ///
    /// # Errors
    /// [`Malformed`] if it is something else.
    pub fn bool(&mut self, name: &str) -> Result<Option<bool>, Malformed> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(value)),
            Some(other) => Err(wrong(&self.path(name), "true or false", &other)),
        }
    }

    fn number<T>(
        &mut self,
        name: &str,
        wanted: &str,
        read: impl Fn(&Number) -> Option<T>,
    ) -> Result<Option<T>, Malformed> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Number(number)) => match read(&number) {
                Some(value) => Ok(Some(value)),
                None => Err(wrong(&self.path(name), wanted, &Value::Number(number))),
            },
            Some(other) => Err(wrong(&self.path(name), wanted, &other)),
        }
    }

    /// Takes a number.
    ///
    /// # Errors
    /// [`Malformed`] if it is something else.
    pub fn float(&mut self, name: &str) -> Result<Option<f64>, Malformed> {
        self.number(name, "a number", Number::as_f64)
    }

    /// Takes a whole number. One written with a fraction of zero is whole too.
    ///
    /// # Errors
    /// [`Malformed`] if it is something else.
    pub fn integer(&mut self, name: &str) -> Result<Option<i64>, Malformed> {
        self.number(name, "a whole number", whole)
    }

    /// Takes a whole number that is not negative.
    ///
    /// # Errors
    /// [`Malformed`] if it is something else.
    pub fn count(&mut self, name: &str) -> Result<Option<u64>, Malformed> {
        let read = |number: &Number| number.as_u64().or_else(|| whole(number)?.try_into().ok());
        self.number(name, "a whole number that is not negative", read)
    }

    /// Takes a small count.
    ///
    /// # Errors
    /// [`Malformed`] if it is something else, or above 4,294,967,295.
    pub fn small(&mut self, name: &str) -> Result<Option<u32>, Malformed> {
        let read = |number: &Number| whole(number)?.try_into().ok();
        self.number(name, "a small whole number that is not negative", read)
    }

    /// Takes a list.
    ///
    /// # Errors
    /// [`Malformed`] if it is something else.
    pub fn list(&mut self, name: &str) -> Result<Option<Vec<Value>>, Malformed> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Array(list)) => Ok(Some(list)),
            Some(other) => Err(wrong(&self.path(name), "a list", &other)),
        }
    }

    /// Takes a list of objects, each with its place.
    ///
    /// # Errors
    /// [`Malformed`] if it is something else, or one of them is no object.
    pub fn objects(&mut self, name: &str) -> Result<Option<Vec<Self>>, Malformed> {
        let path = self.path(name);
        let Some(list) = self.list(name)? else {
            return Ok(None);
        };
        let each = list.into_iter().enumerate();
        each.map(|(number, value)| self.within(value, format!("{path}[{number}]")))
            .collect::<Result<_, _>>()
            .map(Some)
    }

    /// Takes one string or a list of strings.
    ///
    /// # Errors
    /// [`Malformed`] if it is something else.
    pub fn strings(&mut self, name: &str) -> Result<Option<Vec<String>>, Malformed> {
        let path = self.path(name);
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(vec![text])),
            Some(Value::Array(list)) => {
                let each = list.into_iter().enumerate();
                each.map(|(number, value)| match value {
                    Value::String(text) => Ok(text),
                    other => Err(wrong(&format!("{path}[{number}]"), "a string", &other)),
                })
                .collect::<Result<_, _>>()
                .map(Some)
            }
            Some(other) => Err(wrong(&path, "a string or a list of strings", &other)),
        }
    }

    /// Takes an object, with its place.
    ///
    /// # Errors
    /// [`Malformed`] if it is something else.
    pub fn object(&mut self, name: &str) -> Result<Option<Self>, Malformed> {
        let path = self.path(name);
        let value = self.value(name);
        value.map(|value| self.within(value, path)).transpose()
    }

    /// Takes a JSON Schema, of which every dialect takes objects alone.
    ///
    /// # Errors
    /// [`Malformed`] if it is something else.
    pub fn schema(&mut self, name: &str) -> Result<Option<Value>, Malformed> {
        Ok(self.object(name)?.map(|schema| schema.rest().into()))
    }

    /// What was not taken, nulls included.
    #[must_use]
    pub fn rest(mut self) -> Map<String, Value> {
        take(&mut self.map)
    }

    /// What was not taken of a request: of its body by name, nulls aside, and of the objects within by their full paths.
    #[must_use]
    pub fn extra(mut self) -> Map<String, Value> {
        let mut extra = take(&mut self.map);
        extra.retain(|_, value| !value.is_null());
        if let Some(left) = &self.left {
            extra.append(&mut left.borrow_mut());
        }
        extra
    }
}

fn whole(number: &Number) -> Option<i64> {
    number.as_i64().or_else(|| {
        let value = number.as_f64()?;
        // 2^53: beyond it a fraction cannot be told.
        let fits = value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0;
        #[expect(clippy::cast_possible_truncation, reason = "checked in the line above")]
        fits.then_some(value as i64)
    })
}

fn wrong(at: &str, wanted: &str, found: &Value) -> Malformed {
    let found = match found {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(_) => "a string".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    };
    let subject = if at.is_empty() {
        "The body"
    } else {
        "The field"
    };
    Malformed::new(at, format!("{subject} must be {wanted}, not {found}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_names_the_place_and_what_would_be_right() {
        let body = br#"{"a":{"b":[{"c":1.5}]},"stop":["x",2],"keep":1,"none":null}"#;
        let mut fields = Fields::of_body(body).unwrap();
        let mut list = fields
            .object("a")
            .unwrap()
            .unwrap()
            .objects("b")
            .unwrap()
            .unwrap();
        let fault = list[0].integer("c").unwrap_err();
        assert_eq!(
            fault.to_string(),
            "a.b[0].c: The field must be a whole number, not 1.5."
        );
        let fault = fields.strings("stop").unwrap_err();
        assert_eq!(
            fault.to_string(),
            "stop[1]: The field must be a string, not 2."
        );
        assert_eq!(fields.string("none"), Ok(None));
        assert_eq!(fields.required_string("x").unwrap_err().at, "x");
        assert_eq!(fields.rest().keys().collect::<Vec<_>>(), ["keep"]);
    }

    #[test]
    fn what_nobody_takes_of_a_request_is_told_by_its_full_path() {
        let body =
            br#"{"a":{"b":[{"c":1,"d":2},{"c":3,"d":null,"e":"","f":[],"g":{}}],"h":0},"i":null,"j":4}"#;
        let mut fields = Fields::of_request(body).unwrap();
        let mut outer = fields.object("a").unwrap().unwrap();
        for mut inner in outer.objects("b").unwrap().unwrap() {
            inner.count("c").unwrap();
        }
        drop(outer);
        let extra = Value::from(fields.extra()).to_string();
        assert_eq!(extra, r#"{"j":4,"a.b[0].d":2,"a.h":0}"#);
    }

    #[test]
    fn a_whole_number_may_be_written_with_a_fraction_of_zero() {
        let mut fields =
            Fields::of_body(br#"{"a":256.0,"b":-1.0,"c":18446744073709551615}"#).unwrap();
        assert_eq!(fields.count("a"), Ok(Some(256)));
        assert!(fields.count("b").is_err());
        assert_eq!(fields.count("c"), Ok(Some(u64::MAX)));
    }
}
