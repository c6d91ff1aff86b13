//! Answers, as JSON; a refusal says whose fault it is and, where a retry helps, when.

use super::super::ticket::Rejection;
use super::super::wire::{Answer, LONGEST_BODY, MOST_ROWS};
use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;
use serde_json::json;

/// Why a batch is not taken. None of its rows is stored, unless the database lost its answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    // The sender's fault, or its version's.
    #[error("records, and questions for replies, are posted")]
    Method,
    #[error("a ticket of the operator's is needed as Bearer")]
    NoTicket,
    #[error("the ticket does not hold: {0}")]
    Ticket(#[from] Rejection),
    #[error("say how long the batch is: Content-Length")]
    Length,
    #[error("batches come as they are, without Content-Encoding")]
    Encoding,
    #[error("a batch is at most {LONGEST_BODY} bytes and {MOST_ROWS} rows")]
    TooLarge,
    #[error("the batch broke off, or is longer than its Content-Length")]
    Broken,
    // Nothing is wrong with the batch; it may come again.
    #[error("the batch takes too long to arrive")]
    Slow,
    #[error("the question is none for a reply")]
    Question,
    #[error("the ticket is for no such namespace")]
    Foreign,
    #[error("this pod has two batches, or two questions, under way")]
    TooMany,
    #[error("others' batches, or questions, fill the logbook")]
    Full,
    #[error("{0}")]
    Away(String),
}

impl Refusal {
    pub(super) const fn status(&self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::NoTicket | Self::Ticket(_) => StatusCode::UNAUTHORIZED,
            Self::Length => StatusCode::LENGTH_REQUIRED,
            Self::Encoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Broken | Self::Question => StatusCode::BAD_REQUEST,
            Self::Foreign => StatusCode::FORBIDDEN,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::Full | Self::Away(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    pub(super) fn response(&self) -> Response<Full<Bytes>> {
        let status = self.status();
        let error = json!({"code": status.as_u16(), "message": self.to_string()});
        let mut response = reply(status, &json!({"error": error}));
        let header = match self {
            Self::Method => Some((ALLOW, "POST")),
            Self::NoTicket | Self::Ticket(_) => Some((WWW_AUTHENTICATE, "Bearer")),
            Self::TooMany | Self::Full | Self::Away(_) => Some((RETRY_AFTER, "1")),
            _ => None,
        };
        if let Some((name, value)) = header {
            let value = HeaderValue::from_static(value);
            response.headers_mut().insert(name, value);
        }
        response
    }
}

pub(super) fn committed(answer: &Answer) -> Response<Full<Bytes>> {
    reply(StatusCode::OK, answer)
}

pub(super) fn reply(status: StatusCode, body: &impl Serialize) -> Response<Full<Bytes>> {
    let body = serde_json::to_vec(body).unwrap_or_default();
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}
