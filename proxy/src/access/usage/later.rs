//! Requests whose replies say nothing of what the model uses, because it works later.
//!
//! - `background: true` of OpenAI's [Responses](https://platform.openai.com/docs/guides/background), which is answered at once, and goes on though a stream of it is left
//! - `deferred: true` of xAI's [chat completions](https://docs.x.ai/docs/guides/deferred-chat-completions)

use crate::json;

const NAMES: [&str; 2] = ["background", "deferred"];

/// Which member asks for that.
#[must_use]
pub fn later(body: &[u8]) -> Option<&'static str> {
    let members = json::scan(body, &NAMES).ok()?;
    let asks = |name: &str| {
        let value = members.get(name).and_then(|at| body.get(at));
        match value {
            None | Some(b"false" | b"null" | b"0") => false,
            // A picture's background is a text, and some servers take texts for truth.
            Some([b'"', ..]) => members.text(body, name).is_some_and(|text| {
                let text = text.trim().to_ascii_lowercase();
                ["true", "t", "yes", "y", "on", "1"].contains(&text.as_str())
            }),
            Some(_) => true,
        }
    };
    NAMES.into_iter().find(|name| asks(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_asks_for_an_answer_later_is_seen_however_it_is_written() {
        for (body, member) in [
            (r#"{"background":true}"#, Some("background")),
            (
                r#"{"background" : true , "stream":true}"#,
                Some("background"),
            ),
            (r#"{"b\u0061ckground":true}"#, Some("background")),
            (r#"{"background":1}"#, Some("background")),
            (r#"{"background":"True"}"#, Some("background")),
            (r#"{"background":"o\u006e"}"#, Some("background")),
            (r#"{"background":false,"deferred":true}"#, Some("deferred")),
            (r#"{"background":false}"#, None),
            (r#"{"background":null,"deferred":0}"#, None),
            (r#"{"background":"transparent"}"#, None),
            (r#"{"input":{"background":true}}"#, None),
            (r#"{"input":"background"}"#, None),
            ("[]", None),
        ] {
            assert_eq!(later(body.as_bytes()), member, "{body}");
        }
    }
}
