//! OpenAI's errors: `{"error": {"message", "type", "param", "code"}}`, and what servers that call themselves compatible send instead.
//!
//! Source: [error codes](https://platform.openai.com/docs/guides/error-codes). vLLM and SGLang send the object bare, FastAPI sends `detail`,
//! llama.cpp and Ollama send a string.

use serde_json::{Value, json};

use crate::form::{ErrorKind, Failure};

/// The longest word (a type, a code, a field's name) that is one, in bytes. Whoever shows a message bounds it, once no secret can stand at its end.
const WORD: usize = 200;

/// Reads an error's body, whatever it is.
#[must_use]
pub fn read(status: u16, body: &[u8]) -> Failure {
    match serde_json::from_slice(body) {
        Ok(value) => of_value(status, value),
        Err(_) => Failure::new(status, shown(body, status)),
    }
}

/// Reads an error's body that is JSON.
#[must_use]
pub fn of_value(status: u16, value: Value) -> Failure {
    let text = value.to_string();
    let mut object = match value {
        Value::Object(map) => map,
        Value::String(message) if !message.is_empty() => return Failure::new(status, message),
        _ => return Failure::new(status, shown(text.as_bytes(), status)),
    };
    match object.remove("error") {
        Some(Value::Object(inner)) => object = inner,
        Some(Value::String(message)) if !message.is_empty() => {
            object.entry("message").or_insert(message.into());
        }
        _ => {}
    }
    let word = |value: Option<Value>| match value {
        Some(Value::String(word)) if !word.is_empty() && word.len() <= WORD => Some(word),
        _ => None,
    };
    let message = match object.remove("message").or_else(|| object.remove("detail")) {
        Some(Value::String(message)) if !message.is_empty() => message,
        Some(other) if !other.is_null() => other.to_string(),
        _ => shown(text.as_bytes(), status),
    };
    Failure {
        type_: word(object.remove("type")),
        code: object.remove("code").filter(|code| {
            code.is_number() || code.as_str().is_some_and(|word| word.len() <= WORD)
        }),
        param: word(object.remove("param")),
        ..Failure::new(status, message)
    }
}

/// Reads an error that came within a stream, where its `code` is the only status there is.
#[must_use]
pub fn in_stream(value: Value) -> Failure {
    let mut failure = of_value(500, value);
    let code = failure.code.as_ref().and_then(|code| match code {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    });
    let of_type = match failure.type_.as_deref() {
        Some("invalid_request_error" | "BadRequestError") => 400,
        Some("authentication_error") => 401,
        Some("rate_limit_error" | "rate_limit_exceeded" | "insufficient_quota") => 429,
        Some("overloaded_error") => 503,
        _ => 500,
    };
    let status = code
        .filter(|code| (400..600).contains(code))
        .and_then(|code| u16::try_from(code).ok())
        .unwrap_or(of_type);
    failure.kind = ErrorKind::of_status(status);
    failure.status = status;
    failure
}

/// The error as OpenAI's clients read it. A type of another vendor's gives way to OpenAI's word for the kind.
#[must_use]
pub fn object(failure: &Failure) -> Value {
    let known = failure.type_.as_deref().filter(|word| {
        matches!(
            *word,
            "invalid_request_error"
                | "insufficient_quota"
                | "requests"
                | "tokens"
                | "server_error"
                | "upstream_error"
                | "proxy_error"
        )
    });
    let type_ = known.unwrap_or(match failure.kind {
        ErrorKind::InvalidRequest
        | ErrorKind::Authentication
        | ErrorKind::NotFound
        | ErrorKind::TooLarge => "invalid_request_error",
        ErrorKind::Permission => "permission_error",
        ErrorKind::RateLimit => "rate_limit_error",
        ErrorKind::Overloaded | ErrorKind::Timeout | ErrorKind::Server => "server_error",
    });
    json!({"error": {
        "message": failure.message,
        "type": type_,
        "param": failure.param,
        "code": failure.code,
    }})
}

/// Writes an error. Anthropic's 529 becomes 503, which OpenAI's clients know.
#[must_use]
pub fn write(failure: &Failure) -> (u16, Vec<u8>) {
    let status = match failure.status {
        529 => 503,
        status => status,
    };
    (status, object(failure).to_string().into_bytes())
}

fn shown(body: &[u8], status: u16) -> String {
    let text = String::from_utf8_lossy(body);
    match text.trim() {
        "" | "{}" => format!("The upstream answered {status} and did not say why."),
        text => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_of_an_error_gives_its_message() {
        for (body, message) in [
            (
                r#"{"error":{"message":"m","type":"t","param":null,"code":null}}"#,
                "m",
            ),
            (
                r#"{"object":"error","message":"m","type":"BadRequestError","code":400}"#,
                "m",
            ),
            (r#"{"error":"m"}"#, "m"),
            (r#"{"error":"Bad Request","message":"m"}"#, "m"),
            (r#"{"detail":"m"}"#, "m"),
            (r#"{"detail":[{"msg":"no"}]}"#, r#"[{"msg":"no"}]"#),
            ("\"m\"", "m"),
            (" <h1>m</h1>\n", "<h1>m</h1>"),
            ("", "The upstream answered 418 and did not say why."),
            ("{}", "The upstream answered 418 and did not say why."),
            ("[1]", "[1]"),
        ] {
            assert_eq!(read(418, body.as_bytes()).message, message, "{body}");
        }
    }

    #[test]
    fn an_error_that_is_read_is_written_again() {
        let body = r#"{"error":{"message":"m","type":"invalid_request_error","param":"n","code":"bad_n"}}"#;
        let (status, written) = write(&read(400, body.as_bytes()));
        assert_eq!(
            (status, String::from_utf8(written).unwrap()),
            (400, body.to_owned())
        );
    }

    #[test]
    fn another_vendors_type_becomes_the_kind_in_openais_words() {
        let failure = Failure {
            type_: Some("overloaded_error".into()),
            ..Failure::new(529, "busy")
        };
        let (status, body) = write(&failure);
        assert_eq!(status, 503);
        assert!(
            String::from_utf8(body)
                .unwrap()
                .contains("\"server_error\"")
        );
    }

    #[test]
    fn an_error_within_a_stream_says_its_status_in_its_code() {
        let failure = in_stream(json!({"error": {"message": "m", "code": 429}}));
        assert_eq!((failure.status, failure.kind), (429, ErrorKind::RateLimit));
        let failure = in_stream(json!({"error": {"message": "m", "code": "server_error"}}));
        assert_eq!(failure.status, 500);
    }
}
