//! What lies with a vendor under our key, and no request may reach through its body: other teams put it there.
//!
//! - Bedrock reads [S3](https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_S3Location.html) with the identity that signs, and
//!   a [prompt's ARN](https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-management.html) in place of a model is a prompt that somebody keeps.
//! - Gemini has [caches](https://ai.google.dev/api/caching) and [files](https://ai.google.dev/api/files) of each key.
//!
//! A backend without a credential of ours has nothing of ours, and one whose `relay` lists the call's own path says that it may be so.

use dragoman_crds::Dialect;
use http::StatusCode;
use serde_json::Value;

use super::dispatch::Asked;
use super::error::{Refusal, bounded};
use crate::state::backend::Backend;

/// The deepest that a body is looked into; what is nested deeper says nothing to these vendors.
const DEPTH: usize = 64;

/// Judges what goes to a backend that knows the model as `model`.
///
/// # Errors
/// 400, where it leads to what lies there under our key.
pub(crate) fn judge(
    asked: &Asked,
    backend: &Backend,
    model: &str,
    body: &[u8],
) -> Result<(), Refusal> {
    let vendor = matches!(backend.dialect, Dialect::Bedrock | Dialect::Gemini);
    if !vendor || !backend.has_own_credential() || backend.lists(&asked.method, &asked.path) {
        return Ok(());
    }
    let Some(what) = found(backend.dialect, model, body) else {
        return Ok(());
    };
    let message = format!(
        "{what:?} leads to what others of this key may own; LLMRoute {} allows it only at a backend without a credential of its own, or one whose spec.relay (LLMBackend) lists {} {}. Send the content itself.",
        asked.route().key,
        asked.method,
        bounded(&asked.path, 256),
    );
    Err(Refusal {
        param: Some(what.into()),
        ..Refusal::client(StatusCode::BAD_REQUEST, "kept_content", message)
    })
}

fn found(dialect: Dialect, model: &str, body: &[u8]) -> Option<&'static str> {
    if dialect == Dialect::Bedrock && model.starts_with("arn:") && model.contains(":prompt/") {
        return Some("model");
    }
    // What cannot be read is refused by the vendor.
    let body: Value = serde_json::from_slice(body).ok()?;
    within(dialect, &body, DEPTH)
}

fn within(dialect: Dialect, value: &Value, depth: usize) -> Option<&'static str> {
    let depth = depth.checked_sub(1)?;
    match value {
        Value::Object(members) => members.iter().find_map(|(name, value)| {
            named(dialect, name, value).or_else(|| within(dialect, value, depth))
        }),
        Value::Array(items) => items.iter().find_map(|item| within(dialect, item, depth)),
        _ => None,
    }
}

fn named(dialect: Dialect, name: &str, value: &Value) -> Option<&'static str> {
    match (dialect, name) {
        (_, _) if value.is_null() => None,
        (Dialect::Bedrock, "s3Location") => Some("s3Location"),
        (Dialect::Gemini, "cachedContent" | "cached_content") => Some("cachedContent"),
        (Dialect::Gemini, "fileUri" | "file_uri") => {
            let uri = value.as_str()?;
            // Anybody's URL is anybody's; what Google keeps for a key is named by it.
            let own = uri.starts_with("files/")
                || uri.starts_with("gs:")
                || (uri.contains("googleapis.com") && uri.contains("files/"));
            own.then_some("fileUri")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_under_our_key_is_found_wherever_it_stands_and_words_are_not() {
        let bedrock = |body: &str| found(Dialect::Bedrock, "m", body.as_bytes());
        let gemini = |body: &str| found(Dialect::Gemini, "m", body.as_bytes());
        let s3 = r#"{"messages":[{"content":[{"image":{"source":{"\u00733Location":{"uri":"s3://a/b"}}}}]}]}"#;
        assert_eq!(bedrock(s3), Some("s3Location"));
        assert_eq!(
            bedrock(r#"{"messages":[{"content":[{"text":"\"s3Location\": {}"}]}]}"#),
            None
        );
        assert_eq!(
            gemini(r#"{"cachedContent":"cachedContents/x"}"#),
            Some("cachedContent")
        );
        assert_eq!(gemini(r#"{"cached_content":null}"#), None);
        let file = |uri: &str| {
            format!(r#"{{"contents":[{{"parts":[{{"fileData":{{"fileUri":"{uri}"}}}}]}}]}}"#)
        };
        let own = "https://generativelanguage.googleapis.com/v1beta/files/abc";
        assert_eq!(gemini(&file(own)), Some("fileUri"));
        assert_eq!(gemini(&file("https://www.youtube.com/watch?v=a")), None);
        let prompt = "arn:aws:bedrock:us-east-1:1:prompt/ABC:1";
        assert_eq!(found(Dialect::Bedrock, prompt, b"{}"), Some("model"));
        let profile = "arn:aws:bedrock:us-east-1:1:inference-profile/x";
        assert_eq!(found(Dialect::Bedrock, profile, b"{}"), None);
    }
}
