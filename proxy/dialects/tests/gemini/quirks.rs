//! What Gemini's servers, and those that speak as they do, send besides what is documented.

use dragoman_dialects::Codec;
use dragoman_dialects::form::{ErrorKind, Finish, Part};
use dragoman_dialects::gemini::Gemini;
use serde_json::json;

use super::golden::events;

#[test]
fn a_prompt_that_was_blocked_is_a_reply_that_a_filter_cut_off() {
    let body = json!({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 3, "totalTokenCount": 3}});
    let reply = Gemini.read_reply(body.to_string().as_bytes()).unwrap();
    assert_eq!(reply.choices[0].finish, Some(Finish::ContentFilter));
    assert_eq!(reply.usage.unwrap().input, 3);
    let events = events(&Gemini, &format!("data: {body}\n\n"));
    assert!(events[1].contains("reason: ContentFilter"), "{events:?}");
    assert_eq!(events.last().unwrap(), "complete: true");
}

#[test]
fn a_reply_without_candidates_is_no_reply() {
    for body in [
        "{}",
        "[]",
        r#"{"candidates":[]}"#,
        r#"{"promptFeedback":{}}"#,
    ] {
        assert!(Gemini.read_reply(body.as_bytes()).is_err(), "{body}");
    }
}

#[test]
fn a_candidate_that_thought_until_its_limit_has_no_content() {
    let body = br#"{"candidates":[{"content":{"role":"model"},"finishReason":"MAX_TOKENS"}],"usageMetadata":{"promptTokenCount":5,"thoughtsTokenCount":10,"totalTokenCount":15}}"#;
    let reply = Gemini.read_reply(body).unwrap();
    assert_eq!(reply.choices[0].finish, Some(Finish::Length));
    assert_eq!(reply.usage.unwrap().output, 10);
}

#[test]
fn calls_without_ids_get_ids_that_no_other_reply_has() {
    let body = br#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"a"}},{"functionCall":{"name":"a","args":null}}]}}],"responseId":"x1-Y"}"#;
    let reply = Gemini.read_reply(body).unwrap();
    let ids: Vec<&str> = reply.choices[0]
        .parts
        .iter()
        .filter_map(|part| match part {
            Part::ToolCall(call) => Some(call.id.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(ids, ["call_x1Y_0", "call_x1Y_1"]);
    let stream = format!("data: {}\n\n", str::from_utf8(body).unwrap());
    let events = events(&Gemini, &stream).join("\n");
    assert!(events.contains("call_x1Y_1"), "{events}");
    assert!(events.contains("json: \"{}\""), "{events}");
}

#[test]
fn a_stream_that_ends_before_its_reason_is_not_complete() {
    let stream = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"Hel\"}]}}]}\n\n";
    let events = events(&Gemini, stream);
    assert_eq!(events.last().unwrap(), "complete: false");
    assert!(!events.join("\n").contains("Done"));
}

#[test]
fn an_error_within_a_stream_ends_it() {
    let stream = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"Hel\"}]}}]}\n\n\
        data: {\"error\":{\"code\":429,\"message\":\"slow\",\"status\":\"RESOURCE_EXHAUSTED\"}}\n\n\
        data: {\"candidates\":[{\"finishReason\":\"STOP\"}]}\n\n";
    let events = events(&Gemini, stream).join("\n");
    assert!(
        events.contains("Failed(Failure { kind: RateLimit, status: 429"),
        "{events}"
    );
    assert!(!events.contains("Done"), "{events}");
}

#[test]
fn odd_values_where_texts_may_stand_are_passed_over() {
    let stream = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":null},{\"text\":\"a\",\"thought_signature\":1}]},\"finish_reason\":\"STOP\"}],\"response_id\":\"r\"}\n\ndata: [DONE]\n\n";
    let events = events(&Gemini, stream);
    assert!(events[0].contains("id: Some(\"r\")"), "{events:?}");
    assert_eq!(events.last().unwrap(), "complete: true");
}

#[test]
fn an_error_that_is_no_json_is_told_as_it_stands() {
    let failure = Gemini.read_error(404, b"Not Found");
    assert_eq!(
        (failure.kind, failure.message.as_str()),
        (ErrorKind::NotFound, "Not Found")
    );
}
