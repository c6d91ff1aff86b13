//! `/_simulator/…`: what was received, and what is served from now on.

use http::{Method, StatusCode, request::Parts};
use serde_json::{Value, json};

use crate::{openai, refusal::Refusal, reply::Reply, service::unknown, shared::Shared};

/// Answers a control request. These need no key and are not recorded.
pub(crate) fn answer(shared: &Shared, head: &Parts, body: &[u8]) -> Result<Reply, Refusal> {
    match (head.method.clone(), head.uri.path()) {
        (Method::GET, "/_simulator/requests") => {
            Ok(Reply::ok(&serialized(&shared.recorder.requests())?))
        }
        (Method::DELETE, "/_simulator/requests") => {
            shared.clear();
            Ok(Reply::ok(&json!([])))
        }
        (Method::GET, "/_simulator/stats") => Ok(Reply::ok(&serialized(&shared.recorder.stats())?)),
        (Method::PUT, "/_simulator/models") => {
            let entries: Vec<Value> = read(body)?;
            *shared.models.write() = entries.iter().map(listed).collect();
            Ok(Reply::ok(&openai::list(&shared.models.read())))
        }
        (Method::PUT, "/_simulator/api-keys") => {
            *shared.api_keys.write() = read(body)?;
            Ok(Reply::ok(&json!({})))
        }
        (Method::PUT, "/_simulator/health") => {
            let health: Value = read(body)?;
            let status = health["status"]
                .as_u64()
                .and_then(|code| u16::try_from(code).ok());
            let status = status.and_then(|code| StatusCode::from_u16(code).ok());
            let status = status.ok_or_else(|| bad("expected {\"status\": <an HTTP status>}"))?;
            *shared.health.write() = status;
            Ok(Reply::ok(&health))
        }
        _ => Err(unknown(head)),
    }
}

/// A name becomes an entry; an entry stays what it is.
pub(crate) fn listed(entry: &Value) -> Value {
    entry.as_str().map_or_else(|| entry.clone(), openai::entry)
}

fn read<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| bad(&error.to_string()))
}

fn serialized(value: &impl serde::Serialize) -> Result<Value, Refusal> {
    serde_json::to_value(value)
        .map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}

fn bad(message: &str) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, message)
}
