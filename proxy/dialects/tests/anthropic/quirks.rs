//! What servers send that call themselves compatible, and streams that break.

use dragoman_dialects::anthropic::Messages;

use super::golden::events;

fn data(lines: &[&str]) -> Vec<String> {
    let stream: String = lines
        .iter()
        .map(|line| format!("data: {line}\n\n"))
        .collect();
    events(&Messages, &stream)
}

#[test]
fn a_stream_without_names_ids_and_a_terminator_is_still_complete() {
    let events = data(&[
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"","name":"look","input":{"at":"cat"}}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"at\":\"cat\"}"}}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"input_tokens":7,"output_tokens":5}}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"input_tokens":0,"output_tokens":6}}"#,
    ]);
    assert_eq!(
        events,
        [
            r#"Start { id: None, model: None, created: None, usage: None }"#,
            r#"ToolStart { choice: 0, call: 0, id: "call_0", name: "look", signature: None }"#,
            r#"ToolArguments { choice: 0, call: 0, json: "{\"at\":\"cat\"}" }"#,
            r#"Finish { choice: 0, reason: ToolCalls }"#,
            r#"Usage(Usage { input: 7, output: 6, cached_input: None, cache_write: None, reasoning: None, estimated: false, durations: None })"#,
            r#"Done"#,
            r#"complete: true"#,
        ]
    );
}

#[test]
fn a_stream_that_ends_early_is_not_complete() {
    let events = data(&[
        r#"{"type":"message_start","message":{"id":"m","usage":{"input_tokens":7,"output_tokens":1}}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hel"}}"#,
    ]);
    assert_eq!(events.last().unwrap(), "complete: false");
    assert!(!events.contains(&"Done".to_owned()));
}

#[test]
fn what_follows_the_end_of_an_answer_is_no_part_of_it() {
    let events = data(&[
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"a","name":"f","input":{}}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Hel"}}"#,
        r#"{"type":"message_stop"}"#,
    ]);
    assert_eq!(
        events[1..],
        [
            "Finish { choice: 0, reason: Stop }",
            "Done",
            "complete: true"
        ]
    );
}

#[test]
fn an_error_in_a_stream_ends_it_and_says_its_status() {
    let events = data(&[
        r#"{"type":"message_start","message":{"id":"m"}}"#,
        r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
        r#"{"type":"message_stop"}"#,
    ]);
    assert_eq!(
        events[1],
        r#"Failed(Failure { kind: Overloaded, status: 529, message: "Overloaded", type_: Some("overloaded_error"), code: None, param: None })"#
    );
    assert_eq!(events.len(), 3);
}

#[test]
fn a_frame_that_is_no_event_is_quoted() {
    let events = data(&[r#"{"object":"chat.completion.chunk"}"#]);
    assert_eq!(
        events,
        [r#"An event has no type. It sent: {\"object\":\"chat.completion.chunk\"}"#]
    );
}

#[test]
fn an_event_of_an_unknown_type_may_have_any_shape() {
    let events = data(&[
        r#"{"type":"of_tomorrow","delta":"x","usage":[],"index":-1}"#,
        r#"{"type":"message_start","message":{"id":"m"}}"#,
        r#"{"error":{"message":"gone","type":"api_error"}}"#,
    ]);
    assert!(events[0].starts_with("Start"), "{events:?}");
    assert!(events[1].starts_with("Failed"), "{events:?}");
}
