//! Whether a client asked to be shown the model's thinking.
//!
//! Source: [extended thinking](https://platform.claude.com/docs/en/build-with-claude/extended-thinking).

use crate::json::scan;
use crate::think::parts::object;

/// Whether a request for messages asks for thinking that is not to be left out of the reply.
///
/// ```
/// use dragoman_proxy::think::wants_thinking;
/// assert!(wants_thinking(br#"{"thinking":{"type":"adaptive"}}"#));
/// assert!(!wants_thinking(br#"{"thinking":{"type":"disabled"}}"#));
/// assert!(!wants_thinking(b"{}"));
/// ```
#[must_use]
pub fn wants_thinking(body: &[u8]) -> bool {
    let asked = || {
        let json = std::str::from_utf8(body).ok()?;
        let at = scan(body, &["thinking"]).ok()?.some(json, "thinking")?;
        let thinking = object(json, &at, &["type", "display"])?;
        let kind = thinking.text(body, "type")?;
        let omitted = thinking.text(body, "display").as_deref() == Some("omitted");
        Some(kind != "disabled" && !omitted)
    };
    asked().unwrap_or(false)
}
