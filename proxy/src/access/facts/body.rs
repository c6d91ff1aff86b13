//! A body read for rules: refused where servers could read something else in it.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// A body of which nobody can say what it asks for. The client's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("The request's body cannot be judged: {0}.")]
pub struct Unreadable(String);

/// Reads JSON in which no object has a name twice: parsers differ about which of them counts.
pub(super) fn read(body: &[u8]) -> Result<Value, Unreadable> {
    let mut parser = serde_json::Deserializer::from_slice(body);
    let read = Once.deserialize(&mut parser);
    let read = read.and_then(|value| parser.end().map(|()| value));
    read.map_err(|fault| Unreadable(fault.to_string()))
}

/// A value without names that stand twice.
struct Once;

impl<'de> DeserializeSeed<'de> for Once {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Once {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<Value, E> {
        Ok(truth.into())
    }

    fn visit_i64<E: Error>(self, whole: i64) -> Result<Value, E> {
        Ok(whole.into())
    }

    fn visit_u64<E: Error>(self, whole: u64) -> Result<Value, E> {
        Ok(whole.into())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        Ok(Number::from_f64(number).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Self)? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<Name>()? {
            let value = members.next_value_seed(Self)?;
            let name = name.0;
            if object.contains_key(&name) {
                let name: String = name.chars().take(64).collect();
                return Err(A::Error::custom(format!("{name:?} stands there twice")));
            }
            object.insert(name, value);
        }
        Ok(object.into())
    }
}

/// A member's name.
struct Name(String);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_read_as_it_is() {
        let body = br#" {"a": [1, -2, 0.5, null, true, "\u0062"], "b": {}} "#;
        let same: Value = serde_json::from_slice(body).unwrap();
        assert_eq!(read(body), Ok(same));
    }

    #[test]
    fn what_parsers_could_differ_about_is_refused() {
        for body in [
            r#"{"a":1,"\u0061":2}"#.to_owned(),
            r#"{"x":[{"b":1,"b":1}]}"#.to_owned(),
            "[".repeat(200) + &"]".repeat(200),
            "{} {}".to_owned(),
        ] {
            assert!(read(body.as_bytes()).is_err(), "{body}");
        }
    }
}
