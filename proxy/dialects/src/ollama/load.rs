//! Requests that only load or unload a model: without messages, or with an empty prompt.
//!
//! Source: [preloading a model](https://docs.ollama.com/faq#how-can-i-preload-a-model-into-ollama-to-get-faster-response-times).
//! Other dialects have no such request: they are answered without asking the upstream.

use serde_json::Value;

use crate::form::{Choice, Finish, Reply, Request};

/// Whether the request only loads or unloads a model.
#[must_use]
pub fn is_load(request: &Request) -> bool {
    request.messages.is_empty()
}

/// The answer to such a request: nothing said, and why: `unload` if the model is to be kept for no time, else `load`.
#[must_use]
pub fn reply(request: &Request) -> Reply {
    let unload = match &request.keep_alive {
        Some(Value::Number(seconds)) => seconds.as_f64() == Some(0.0),
        // Go's duration of nothing: `0`, `0s`, `0m`.
        Some(Value::String(text)) => text.trim_end_matches(char::is_alphabetic) == "0",
        _ => false,
    };
    let word = if unload { "unload" } else { "load" };
    Reply {
        choices: vec![Choice {
            index: 0,
            parts: Vec::new(),
            finish: Some(Finish::Other(word.into())),
            logprobs: None,
        }],
        ..Reply::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Codec, Path};
    use crate::ollama::{Chat, Generate};

    fn word(request: &Request) -> Option<Finish> {
        assert!(is_load(request));
        reply(request).choices[0].finish.clone()
    }

    #[test]
    fn a_request_without_messages_or_prompt_loads_or_unloads() {
        for (keep, expected) in [
            ("\"5m\"", "load"),
            ("0", "unload"),
            ("\"0s\"", "unload"),
            ("-1", "load"),
        ] {
            let body = format!(r#"{{"model":"m","messages":[],"keep_alive":{keep}}}"#);
            let request = Chat.read_request(body.as_bytes(), Path::default()).unwrap();
            assert_eq!(word(&request), Some(Finish::Other(expected.into())));
            let body = format!(r#"{{"model":"m","keep_alive":{keep}}}"#);
            let request = Generate
                .read_request(body.as_bytes(), Path::default())
                .unwrap();
            assert_eq!(word(&request), Some(Finish::Other(expected.into())));
        }
    }
}
