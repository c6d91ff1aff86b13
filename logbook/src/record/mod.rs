//! One request, as the log keeps it.

mod size;
mod text;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub(crate) use text::json;
pub use text::{body, cut, without_nul};

/// The longest name that the log keeps, in bytes: of a user, a model, a route. What is longer is cut by [`cut`], because these are indexed.
pub const LONGEST_NAME: usize = 400;
/// The longest other single line, in bytes: a path, a URL, an error.
pub const LONGEST_LINE: usize = 8 * 1024;

/// One request, from its first byte to its last. A row of the table `requests`, in the order of its columns.
///
/// Times are microseconds since the epoch. Secrets are masked by whoever fills it. Ships as one line of JSON; fields that are absent
/// read as nothing, and fields that are not known yet are passed over, so that proxies and logbooks of neighbouring versions understand each other.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    /// The request's id, as in `x-dragoman-request-id`: a UUID of version 7.
    pub id: String,
    /// When its head was read.
    pub started_at: i64,
    /// When the last byte of the reply was sent, or the client had left.
    pub completed_at: i64,
    /// The LLMProxy that served it, `namespace/name`.
    pub proxy: String,
    /// The route's name; none where no route was found.
    pub route: Option<String>,
    /// The route's namespace; that of the LLMProxy where no route was found. Decides who may see the row.
    pub namespace: String,
    /// The client's IP address, after trusted hops.
    pub client_address: Option<String>,
    /// Who called, by the route's policy.
    pub user_name: Option<String>,
    /// The HTTP method.
    pub method: String,
    /// Path and query, keys within it masked.
    pub path: String,
    /// The dialect that the client spoke.
    pub client_dialect: Option<String>,
    /// The dialect of the backend that answered, or was tried last.
    pub upstream_dialect: Option<String>,
    /// That backend, `namespace/name`.
    pub backend: Option<String>,
    /// The URL that was called there, masked.
    pub upstream_url: Option<String>,
    /// The model as the client named it.
    pub model_requested: Option<String>,
    /// The model that the backend was asked for.
    pub model_sent: Option<String>,
    /// The model that the backend says it ran.
    pub model_reported: Option<String>,
    /// Whether a streamed reply was asked for.
    pub stream: bool,
    /// The status that the client got; none where it left before one was sent.
    pub status: Option<u16>,
    /// What went wrong, if anything did: a denial, an upstream's failure, a stream that broke, a client that left.
    pub error: Option<String>,
    /// Why the model stopped, in the client's dialect.
    pub finish_reason: Option<String>,
    /// Tokens read, cached ones included.
    pub prompt_tokens: Option<i64>,
    /// Tokens written, reasoning included.
    pub completion_tokens: Option<i64>,
    /// Tokens read from a cache.
    pub cached_tokens: Option<i64>,
    /// Tokens spent on reasoning.
    pub reasoning_tokens: Option<i64>,
    /// Whether the token counts are our estimate, because the upstream gave none.
    pub tokens_estimated: bool,
    /// What it cost, in millionths of the unit that `catalog` prices are in. A decimal in the database.
    pub cost: Option<i64>,
    /// Each call of a backend, in order.
    pub attempts: Vec<Attempt>,
    /// Bytes of the request's body as the client sent it.
    pub request_bytes: i64,
    /// Bytes of the reply's body as the client got it.
    pub response_bytes: i64,
    /// Milliseconds until the first byte of content was sent to the client.
    pub ttft_ms: Option<i64>,
    /// Milliseconds from start to end.
    pub duration_ms: i64,
    /// Milliseconds of these spent with backends.
    pub upstream_ms: Option<i64>,
    /// The request's headers in order, values masked where they may be secret.
    pub request_headers: Vec<(String, String)>,
    /// The request's body by the route's log policy, made text by [`body`].
    pub request_body: Option<String>,
    /// The reply's body by that policy, made text by [`body`].
    pub response_body: Option<String>,
    /// The text of the reply as it was delivered, streams put together.
    pub response_content: Option<String>,
    /// The reply's tool calls.
    pub tool_calls: Option<Value>,
    /// What the log policy's expressions gave.
    pub attributes: Option<Map<String, Value>>,
    /// The reply's content type, where its route replays and its body is on record to the byte as the client got it. What has none is replayed to nobody.
    pub replay_as: Option<String>,
}

/// One call of a backend.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Attempt {
    /// The backend, `namespace/name`.
    pub backend: String,
    /// The URL that was called, masked.
    pub url: String,
    /// What it answered; none where it did not.
    pub status: Option<u16>,
    /// What went wrong.
    pub error: Option<String>,
    /// Milliseconds after the request's start.
    pub started_ms: i64,
    /// How long it took, in milliseconds.
    pub duration_ms: i64,
}

impl Record {
    /// Whether this request counts as an error: something went wrong, or the client got a status from 400.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.error.is_some() || self.status.is_some_and(|status| status >= 400)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_a_newer_proxy_is_read_and_one_of_an_older_too() {
        let newer = r#"{"id":"a","started_at":1,"mood":"sunny"}"#;
        let record: Record = serde_json::from_str(newer).unwrap();
        assert_eq!(
            (record.id.as_str(), record.started_at, record.status),
            ("a", 1, None)
        );
    }

    #[test]
    fn a_stream_that_broke_has_failed_though_its_status_was_200() {
        let broken = Record {
            status: Some(200),
            error: Some("reset".into()),
            ..Record::default()
        };
        assert!(broken.failed());
        assert!(
            Record {
                status: Some(429),
                ..Record::default()
            }
            .failed()
        );
        assert!(
            !Record {
                status: Some(200),
                ..Record::default()
            }
            .failed()
        );
    }
}
