//! Errors: the gateway's `{"error": {"code", "message"}}`, and OpenAI's from the model behind it.
//!
//! Source: [error codes](https://learn.microsoft.com/en-us/azure/ai-foundry/openai/how-to/quota#error-codes)
//! and the answers of the service itself.

use http::StatusCode;
use serde_json::{Value, json};

use crate::openai;

/// The headers that Azure adds to each reply.
pub(crate) const LIMITS: [(&str, &str); 5] = [
    ("apim-request-id", "00000000-0000-0000-0000-000000000000"),
    ("azureml-model-session", "simulator"),
    ("x-ms-region", "Simulated Region"),
    ("x-ratelimit-remaining-requests", "59"),
    ("x-ratelimit-remaining-tokens", "59000"),
];

/// The code of a prompt that the content filter stops.
pub(super) const FILTERED: &str = "content_filter";

/// The JSON of an error. Keys, paths and quotas are the gateway's concern, and its codes are those
/// of HTTP where it has no word of its own.
pub(crate) fn error(
    status: StatusCode,
    message: &str,
    param: Option<&str>,
    code: Option<&str>,
) -> Value {
    match (status.as_u16(), code) {
        (_, Some(word @ ("DeploymentNotFound" | "BadRequest"))) => {
            json!({"error": {"code": word, "message": message}})
        }
        (number @ (401 | 403 | 404 | 429), _) => {
            json!({"error": {"code": number.to_string(), "message": message}})
        }
        (number, Some(FILTERED)) => json!({"error": {
            "message": message,
            "type": null,
            "param": param,
            "code": FILTERED,
            "status": number,
            "innererror": {
                "code": "ResponsibleAIPolicyViolation",
                "content_filter_result": openai::filter_results(true),
            },
        }}),
        _ => openai::error(status, message, param, code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gateway_and_the_model_each_have_their_shape() {
        let error =
            |status: u16, code| error(StatusCode::from_u16(status).unwrap(), "m", Some("p"), code);
        assert_eq!(
            error(429, Some("rate_limit_exceeded")),
            json!({"error": {"code": "429", "message": "m"}})
        );
        assert_eq!(
            error(404, Some("DeploymentNotFound"))["error"]["code"],
            "DeploymentNotFound"
        );
        assert_eq!(
            error(400, Some("invalid_type"))["error"],
            json!({"message": "m", "type": "invalid_request_error", "param": "p", "code": "invalid_type"})
        );
    }
}
