//! Why an answer ended.
//!
//! Source: [finish reasons](https://ai.google.dev/api/generate-content#FinishReason). `STOP` is said of calls too.

use crate::form::Finish;

/// What a filter of the vendor's cut off.
const FILTERED: [&str; 10] = [
    "SAFETY",
    "RECITATION",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION",
    "ESCALATION",
    "MODEL_ARMOR",
];

/// Why, by Gemini's word; `calls`: whether the answer calls tools. None if it has not ended. All that is neither a good end nor a limit nor a filter's
/// work is a failure, such as `MALFORMED_FUNCTION_CALL`, `UNEXPECTED_TOOL_CALL`, `LANGUAGE` and `OTHER`.
#[must_use]
pub fn read(word: &str, calls: bool) -> Option<Finish> {
    Some(match word {
        "" | "FINISH_REASON_UNSPECIFIED" => return None,
        "STOP" if calls => Finish::ToolCalls,
        "STOP" => Finish::Stop,
        "MAX_TOKENS" => Finish::Length,
        filtered if FILTERED.contains(&filtered) => Finish::ContentFilter,
        other => Finish::Other(other.to_owned()),
    })
}

/// Gemini's word. A refusal is `SAFETY`.
#[must_use]
pub fn word(finish: Option<&Finish>) -> &str {
    match finish {
        Some(Finish::Length | Finish::Pause) => "MAX_TOKENS",
        Some(Finish::ContentFilter | Finish::Refusal) => "SAFETY",
        Some(Finish::Other(word)) => word,
        Some(Finish::Stop | Finish::StopSequence(_) | Finish::ToolCalls) | None => "STOP",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_read_and_written_again() {
        for said in ["STOP", "MAX_TOKENS", "SAFETY", "MALFORMED_FUNCTION_CALL"] {
            assert_eq!(word(read(said, false).as_ref()), said);
        }
        assert_eq!(read("STOP", true), Some(Finish::ToolCalls));
        assert_eq!(read("RECITATION", false), Some(Finish::ContentFilter));
        assert_eq!(read("FINISH_REASON_UNSPECIFIED", false), None);
    }
}
