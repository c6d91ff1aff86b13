//! What cannot be answered, and why, for programs.

use super::body::Body;
use super::reply::{JSON, reply};
use crate::fault::Fault;
use http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde_json::json;
use std::time::Duration;

/// Why a request was not answered. Says what to do instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    /// One word for programs.
    pub(super) code: &'static str,
    /// The parameter that is at fault.
    pub(super) parameter: Option<String>,
    pub(super) message: String,
    /// The methods that the path does take.
    allow: Option<&'static str>,
    /// How many seconds to wait.
    retry_after: Option<u64>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            parameter: None,
            message: message.into(),
            allow: None,
            retry_after: None,
        }
    }

    /// 429: too many tokens were refused.
    pub(super) fn wait(wait: Duration) -> Self {
        let seconds = wait.as_secs().max(1);
        let message = format!(
            "too many tokens were refused; wait {seconds} seconds, or come by `kubectl port-forward`"
        );
        Self {
            retry_after: Some(seconds),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_attempts", message)
        }
    }

    /// 400 for a parameter.
    pub(super) fn parameter(name: &str, message: impl Into<String>) -> Self {
        Self {
            parameter: Some(name.to_owned()),
            ..Self::new(StatusCode::BAD_REQUEST, "bad_parameter", message)
        }
    }

    /// 404: what is not there, or not theirs to see, which are not told apart.
    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    /// 405.
    pub(super) fn method(allow: &'static str) -> Self {
        let message = format!("this path takes {allow} alone");
        Self {
            allow: Some(allow),
            ..Self::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                message,
            )
        }
    }

    pub(super) fn reply(self) -> Response<Body> {
        let mut error = json!({"code": self.code, "message": &self.message});
        if let Some(parameter) = &self.parameter {
            error["parameter"] = parameter.as_str().into();
        }
        let mut reply = reply(self.status, JSON, json!({ "error": error }).to_string());
        self.say(reply.headers_mut());
        reply
    }

    /// The headers that say the same to programs.
    pub(super) fn say(&self, headers: &mut HeaderMap) {
        match self.status {
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
            }
            StatusCode::UNAUTHORIZED => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            _ => {}
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if let Some(allow) = self.allow {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
    }
}

impl From<Fault> for Problem {
    /// What the database said is for whoever runs it, not for everybody who may look at a namespace.
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Question(message) => Self::new(StatusCode::BAD_REQUEST, "bad_request", message),
            Fault::Slow => Self::new(StatusCode::GATEWAY_TIMEOUT, "too_slow", fault.to_string()),
            Fault::Away(_) => {
                tracing::warn!(%fault, "a question to the request log was not answered");
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "database_away",
                    "the log's database is away; what is recorded meanwhile is kept, ask again in a moment",
                )
            }
            Fault::Unusable(_) | Fault::Row(_) => {
                tracing::warn!(%fault, "a question to the request log was not answered");
                Self::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "database_unusable",
                    "the log's database cannot be used; the logbook's own log says why",
                )
            }
        }
    }
}
