//! JSON that is borrowed when it is read and appended when it is written: what streams need to be cheap.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, IgnoredAny};
use serde::ser::{Serialize, Serializer};
use serde_json::value::RawValue;

/// Reads a value. That it is text is seen at once, not string by string; where it is none, only the strings that are wanted must be.
///
/// # Errors
/// As serde_json's.
pub fn read<'a, T: Deserialize<'a>>(data: &'a [u8]) -> serde_json::Result<T> {
    match str::from_utf8(data) {
        Ok(text) => serde_json::from_str(text),
        Err(_) => serde_json::from_slice(data),
    }
}

/// A string that is borrowed from what it is read from, unless an escape in it forbids that. `Option<Cow<str>>` never borrows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text<'a>(pub Cow<'a, str>);

impl<'a> Text<'a> {
    /// The string, if it is not empty.
    #[must_use]
    pub fn filled(self) -> Option<Cow<'a, str>> {
        (!self.0.is_empty()).then_some(self.0)
    }

    /// The string that a value is; none if it is something else.
    #[must_use]
    pub fn of(raw: &'a RawValue) -> Option<Self> {
        raw.get()
            .starts_with('"')
            .then(|| serde_json::from_str(raw.get()).ok())
            .flatten()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Text<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }

            fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text)))
            }
        }

        deserializer.deserialize_str(Visitor)
    }
}

/// A string that is borrowed like [`Text`], where servers are known to send other things too: those count as nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loose<'a>(pub Option<Cow<'a, str>>);

impl<'a> Loose<'a> {
    /// The string, if it is there and not empty.
    #[must_use]
    pub fn filled(self) -> Option<Cow<'a, str>> {
        self.0.filter(|text| !text.is_empty())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Loose<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Loose<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("anything")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Loose(Some(Cow::Borrowed(text))))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Loose(Some(Cow::Owned(text.to_owned()))))
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Loose(None))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
                Ok(Loose(None))
            }

            fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
                Ok(Loose(None))
            }

            fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
                Ok(Loose(None))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
                Ok(Loose(None))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(
                self,
                mut list: A,
            ) -> Result<Self::Value, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Loose(None))
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Loose(None))
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

/// A `data:` URL that is put together where it is written, so that its bytes are copied once.
#[derive(Clone, Copy, Debug)]
pub struct DataUrl<'a> {
    /// Its media type.
    pub media_type: &'a str,
    /// Its base64.
    pub data: &'a str,
}

impl Serialize for DataUrl<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!(
            "data:{};base64,{}",
            self.media_type, self.data
        ))
    }
}

/// Appends a value's JSON text. What cannot be JSON (a map whose keys are no strings) would be left half written; nothing here is.
pub fn append<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) {
    // A vector takes every byte: only the value could fail, and none of ours can.
    let _ = serde_json::to_writer(out, value);
}

/// A value's JSON text.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    to_vec_of(value, 0)
}

/// A value's JSON text, of which `large` bytes are known beforehand.
pub fn to_vec_of<T: Serialize + ?Sized>(value: &T, large: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(large.saturating_add(2048));
    append(value, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_is_copied_only_if_it_holds_an_escape() {
        let text: Option<Text<'_>> = serde_json::from_str(r#""plain, ünescaped""#).unwrap();
        assert!(matches!(text.unwrap().0, Cow::Borrowed(_)));
        let text: Text<'_> = serde_json::from_str(r#""two\nlines""#).unwrap();
        assert_eq!(text.0, "two\nlines");
    }

    #[test]
    fn whatever_stands_where_a_string_may_stand_is_passed_over() {
        for json in ["null", "true", "-1", "2", "0.5", "[1,[]]", r#"{"a":{}}"#] {
            let loose: Loose<'_> = serde_json::from_str(json).unwrap();
            assert_eq!(loose.0, None, "{json}");
        }
        let loose: Vec<Loose<'_>> = serde_json::from_str(r#"["a","\n"]"#).unwrap();
        assert!(matches!(loose[0].0, Some(Cow::Borrowed("a"))));
        assert_eq!(loose[1].clone().filled().unwrap(), "\n");
    }

    #[test]
    fn a_data_url_is_written_as_one_string() {
        let url = DataUrl {
            media_type: "image/png",
            data: "AA==",
        };
        assert_eq!(to_vec(&url), b"\"data:image/png;base64,AA==\"");
    }
}
