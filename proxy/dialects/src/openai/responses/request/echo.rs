//! What a response repeats of its request.

use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};

/// The fields that a response has too.
pub(crate) const REPEATED: [&str; 16] = [
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "parallel_tool_calls",
    "prompt_cache_key",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
];

/// The fields of a request that its response repeats, as the client sent them. The input is skipped, not copied.
#[must_use]
pub fn echo(body: &[u8]) -> Map<String, Value> {
    struct Repeated;

    impl<'de> Visitor<'de> for Repeated {
        type Value = Map<String, Value>;

        fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            out.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut echo = Map::new();
            while let Some(name) = map.next_key::<String>()? {
                if REPEATED.contains(&name.as_str()) || name == "user" {
                    let value: Value = map.next_value()?;
                    if !value.is_null() {
                        echo.insert(name, value);
                    }
                } else {
                    map.next_value::<IgnoredAny>()?;
                }
            }
            Ok(echo)
        }
    }

    let mut reader = serde_json::Deserializer::from_slice(body);
    reader.deserialize_map(Repeated).unwrap_or_default()
}
