//! Reads JSON into messages as Google's servers do: both spellings of a name, and no name that is unknown.
//!
//! Sources: [ProtoJSON](https://protobuf.dev/programming-guides/json/), and the words of the service's
//! own refusals, such as [these](https://github.com/zed-industries/zed/issues/44875).

mod types;

use base64::{
    Engine as _,
    alphabet::{STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde_json::{Map, Value};

pub(super) use types::{BATCH, COUNT, DATA, EMBED, GENERATE};

/// A message: its fields by their snake-case names.
pub(super) struct Message {
    name: &'static str,
    fields: &'static [(&'static str, Kind)],
    /// Fields of which one may be set.
    one: &'static [&'static str],
}

/// The type of a field.
pub(super) enum Kind {
    Text,
    Bytes,
    Bool,
    Int,
    Float,
    /// An object of anything.
    Struct,
    Any,
    /// The type's name, and its values.
    Enum(&'static str, &'static [&'static str]),
    Message(&'static Message),
    List(&'static Kind),
    /// By names.
    Map(&'static Kind),
}

/// A field that cannot be read: where it stands, and why.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Violation {
    pub(super) field: String,
    pub(super) description: String,
}

/// Reads a whole body. What it gives has snake-case names alone.
pub(super) fn read(message: &Message, value: &Value) -> Result<Map<String, Value>, Vec<Violation>> {
    let mut reader = Reader::default();
    let read = reader.message(message, value, "");
    match read {
        Value::Object(fields) if reader.found.is_empty() => Ok(fields),
        _ => Err(reader.found),
    }
}

#[derive(Default)]
struct Reader {
    found: Vec<Violation>,
}

impl Reader {
    fn refuse(&mut self, field: &str, description: String) -> Value {
        self.found.push(Violation {
            field: field.to_owned(),
            description,
        });
        Value::Null
    }

    fn wrong(&mut self, at: &str, kind: &str, value: &Value) -> Value {
        self.refuse(at, format!("Invalid value at '{at}' ({kind}), {value}"))
    }

    fn message(&mut self, message: &Message, value: &Value, at: &str) -> Value {
        let Value::Object(fields) = value else {
            return self.wrong(at, &full(message.name), value);
        };
        let mut read = Map::new();
        for (given, value) in fields {
            let known = message.fields.iter();
            let known = known.into_iter().find(|(name, _)| spells(name, given));
            let Some((name, kind)) = known else {
                let place = if at.is_empty() {
                    String::new()
                } else {
                    format!(" at '{at}'")
                };
                self.refuse(
                    at,
                    format!("Invalid JSON payload received. Unknown name \"{given}\"{place}: Cannot find field."),
                );
                continue;
            };
            if value.is_null() {
                continue;
            }
            let set = message.one.iter().find(|name| read.contains_key(**name));
            if message.one.contains(name) && set.is_some() {
                self.refuse(
                    at,
                    format!("Invalid value at '{at}' (oneof), oneof field 'data' is already set. Cannot set '{given}'"),
                );
                continue;
            }
            let place = if at.is_empty() {
                (*name).to_owned()
            } else {
                format!("{at}.{name}")
            };
            let value = self.value(kind, value, &place, given, at);
            read.insert((*name).to_owned(), value);
        }
        Value::Object(read)
    }

    /// Reads a value at `place`, which its holder at `at` calls `given`.
    fn value(&mut self, kind: &Kind, value: &Value, place: &str, given: &str, at: &str) -> Value {
        if value.is_array() && !matches!(kind, Kind::List(_) | Kind::Any) {
            let description = format!(
                "Invalid JSON payload received. Unknown name \"{given}\" at '{at}': Proto field is not repeating, cannot start list."
            );
            return self.refuse(at, description);
        }
        match (kind, value) {
            (Kind::Text, Value::String(_))
            | (Kind::Bool, Value::Bool(_))
            | (Kind::Struct, Value::Object(_))
            | (Kind::Any, _) => value.clone(),
            (Kind::Bytes, Value::String(text)) => match decoded(text) {
                true => value.clone(),
                false => {
                    let description = format!(
                        "Invalid value at '{place}' (TYPE_BYTES), Base64 decoding failed for {value}"
                    );
                    self.refuse(place, description)
                }
            },
            (Kind::Int, _) => match number(value).filter(|number| number.fract() == 0.0) {
                // JSON's numbers hold every integer of 32 bits.
                Some(number) if number.abs() <= f64::from(u32::MAX) => (number as i64).into(),
                _ => self.wrong(place, "TYPE_INT32", value),
            },
            (Kind::Float, _) => match number(value) {
                Some(number) => number.into(),
                None => self.wrong(place, "TYPE_FLOAT", value),
            },
            (Kind::Enum(name, words), value) => {
                let word = value.as_str().map(str::to_ascii_uppercase);
                match word.filter(|word| words.contains(&word.as_str())) {
                    Some(word) => word.into(),
                    None => self.wrong(place, &full(name), value),
                }
            }
            (Kind::Message(message), _) => self.message(message, value, place),
            (Kind::List(kind), Value::Array(items)) => {
                let items = items.iter().enumerate();
                let read = items.map(|(index, item)| {
                    let place = format!("{place}[{index}]");
                    self.value(kind, item, &place, given, at)
                });
                read.collect()
            }
            // One stands for a list of it.
            (Kind::List(kind), _) => Value::Array(vec![self.value(kind, value, place, given, at)]),
            (Kind::Map(kind), Value::Object(entries)) => {
                let mut read = Map::new();
                for (index, (name, entry)) in entries.iter().enumerate() {
                    let place = format!("{place}[{index}].value");
                    read.insert(name.clone(), self.value(kind, entry, &place, given, at));
                }
                Value::Object(read)
            }
            (Kind::Text, _) => self.wrong(place, "TYPE_STRING", value),
            (Kind::Bytes, _) => self.wrong(place, "TYPE_BYTES", value),
            (Kind::Bool, _) => self.wrong(place, "TYPE_BOOL", value),
            (Kind::Struct | Kind::Map(_), _) => {
                self.wrong(place, "type.googleapis.com/google.protobuf.Struct", value)
            }
        }
    }
}

fn full(name: &str) -> String {
    format!("type.googleapis.com/google.ai.generativelanguage.v1beta.{name}")
}

/// Whether `given` is `name`, in snake case or in camel case.
fn spells(name: &str, given: &str) -> bool {
    if name == given {
        return true;
    }
    let mut words = name.split('_');
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let (first, rest) = word.split_at(1.min(word.len()));
        camel.extend([&first.to_ascii_uppercase(), rest]);
    }
    camel == given
}

/// A number, or a string that says one.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// Whether it is base64 of either alphabet, padded or not.
fn decoded(text: &str) -> bool {
    let config =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    [STANDARD, URL_SAFE]
        .iter()
        .any(|alphabet| GeneralPurpose::new(alphabet, config).decode(text).is_ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(body: Value) -> String {
        let found = read(&GENERATE, &body).unwrap_err();
        let all: Vec<_> = found.into_iter().map(|one| one.description).collect();
        all.join("\n")
    }

    #[test]
    fn both_spellings_are_read_into_one() {
        let camel = json!({"generationConfig": {"topP": 1, "stopSequences": ["a"], "seed": "7"}});
        let snake = json!({"generation_config": {"top_p": 1.0, "stop_sequences": "a", "seed": 7}});
        let read = |body: &Value| read(&GENERATE, body).unwrap();
        assert_eq!(read(&camel), read(&snake));
        let schema =
            json!({"tools": {"functionDeclarations": [{"parameters": {"type": "object"}}]}});
        let read = read(&schema);
        assert_eq!(
            read["tools"][0]["function_declarations"][0]["parameters"]["type"],
            "OBJECT"
        );
    }

    #[test]
    fn each_refusal_says_what_the_service_says() {
        for (body, said) in [
            (
                json!({"generationConfig": {"max_tokens": 1}, "top_k": 2}),
                "Invalid JSON payload received. Unknown name \"max_tokens\" at 'generation_config': Cannot find field.\nInvalid JSON payload received. Unknown name \"top_k\": Cannot find field.",
            ),
            (
                json!({"tools": [{"functionDeclarations": [{"parameters": {"properties": {"a": {"additionalProperties": false}}}}]}]}),
                "Invalid JSON payload received. Unknown name \"additionalProperties\" at 'tools[0].function_declarations[0].parameters.properties[0].value': Cannot find field.",
            ),
            (
                json!({"generationConfig": {"temperature": "hot"}}),
                "Invalid value at 'generation_config.temperature' (TYPE_FLOAT), \"hot\"",
            ),
            (
                json!({"contents": [{"parts": [{"text": "a", "functionCall": {"name": "f"}}]}]}),
                "Invalid value at 'contents[0].parts[0]' (oneof), oneof field 'data' is already set. Cannot set 'functionCall'",
            ),
            (
                json!({"contents": [{"parts": [{"inlineData": {"data": "data:,"}}]}]}),
                "Invalid value at 'contents[0].parts[0].inline_data.data' (TYPE_BYTES), Base64 decoding failed for \"data:,\"",
            ),
            (
                json!({"contents": [{"parts": ["a"]}]}),
                "Invalid value at 'contents[0].parts[0]' (type.googleapis.com/google.ai.generativelanguage.v1beta.Part), \"a\"",
            ),
            (
                json!({"contents": [{"role": ["user"], "parts": []}]}),
                "Invalid JSON payload received. Unknown name \"role\" at 'contents[0]': Proto field is not repeating, cannot start list.",
            ),
            (
                json!({"contents": [{"parts": [{"functionResponse": {"response": "sunny"}}]}]}),
                "Invalid value at 'contents[0].parts[0].function_response.response' (type.googleapis.com/google.protobuf.Struct), \"sunny\"",
            ),
        ] {
            assert_eq!(refused(body), said);
        }
    }
}
