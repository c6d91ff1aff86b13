//! How much memory a record holds, for queues that are bounded by bytes.

use super::{Attempt, Record};
use serde_json::Value;

impl Record {
    /// Bytes that it holds, itself included. Exact for text, a little high for JSON.
    #[must_use]
    pub fn size(&self) -> usize {
        let texts = [
            &self.id,
            &self.proxy,
            &self.namespace,
            &self.method,
            &self.path,
        ];
        let optional = [
            &self.route,
            &self.client_address,
            &self.user_name,
            &self.client_dialect,
            &self.upstream_dialect,
            &self.backend,
            &self.upstream_url,
            &self.model_requested,
            &self.model_sent,
            &self.model_reported,
            &self.error,
            &self.finish_reason,
            &self.request_body,
            &self.response_body,
            &self.response_content,
            &self.replay_as,
        ];
        size_of::<Self>()
            + texts.into_iter().map(String::capacity).sum::<usize>()
            + optional
                .into_iter()
                .flatten()
                .map(String::capacity)
                .sum::<usize>()
            + self.attempts.iter().map(of_attempt).sum::<usize>()
            + self.request_headers.iter().map(of_pair).sum::<usize>()
            + self.tool_calls.as_ref().map_or(0, of_json)
            + self
                .attributes
                .iter()
                .flatten()
                .map(|(k, v)| ENTRY + k.len() + of_json(v))
                .sum::<usize>()
    }
}

/// What a map spends on an entry beside key and value.
const ENTRY: usize = 48;

fn of_attempt(attempt: &Attempt) -> usize {
    let error = attempt.error.as_ref().map_or(0, String::capacity);
    size_of::<Attempt>() + attempt.backend.capacity() + attempt.url.capacity() + error
}

fn of_pair((name, value): &(String, String)) -> usize {
    size_of::<(String, String)>() + name.capacity() + value.capacity()
}

fn of_json(value: &Value) -> usize {
    size_of::<Value>()
        + match value {
            Value::String(text) => text.capacity(),
            Value::Array(items) => items.iter().map(of_json).sum(),
            Value::Object(map) => map.iter().map(|(k, v)| ENTRY + k.len() + of_json(v)).sum(),
            _ => 0,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_of_a_body_counts() {
        let empty = Record::default().size();
        let full = Record {
            response_body: Some("x".repeat(10_000)),
            ..Record::default()
        };
        assert!(full.size() >= empty + 10_000);
    }
}
