//! What real servers send that OpenAI does not document.

use dragoman_dialects::form::{Event, Finish, Part};
use dragoman_dialects::openai::{Chat, Responses};
use dragoman_dialects::{Codec, Frame};
use serde_json::{Value, json};

use super::golden::{context, events, read_stream};

fn lines(stream: &[&str]) -> Vec<String> {
    let stream: String = stream
        .iter()
        .map(|data| format!("data: {data}\n\n"))
        .collect();
    events(&Chat, &stream)
}

#[test]
fn deepseek_reasons_before_it_speaks_and_says_usage_beside_the_last_content() {
    let is = lines(&[
        r#"{"id":"d1","object":"chat.completion.chunk","created":1760000000,"model":"deepseek-reasoner","system_fingerprint":"fp","choices":[{"index":0,"delta":{"role":"assistant","content":null,"reasoning_content":""},"logprobs":null,"finish_reason":null}]}"#,
        r#"{"id":"d1","object":"chat.completion.chunk","created":1760000000,"model":"deepseek-reasoner","choices":[{"index":0,"delta":{"content":null,"reasoning_content":"Hm"},"logprobs":null,"finish_reason":null}]}"#,
        r#"{"id":"d1","object":"chat.completion.chunk","created":1760000000,"model":"deepseek-reasoner","choices":[{"index":0,"delta":{"content":"Yes","reasoning_content":null},"logprobs":null,"finish_reason":null}]}"#,
        r#"{"id":"d1","object":"chat.completion.chunk","created":1760000000,"model":"deepseek-reasoner","choices":[{"index":0,"delta":{"content":"","reasoning_content":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":2},"prompt_cache_hit_tokens":0,"prompt_cache_miss_tokens":9}}"#,
        "[DONE]",
    ]);
    assert_eq!(
        is,
        [
            r#"Start { id: Some("d1"), model: Some("deepseek-reasoner"), created: Some(1760000000), usage: None }"#,
            r#"Reasoning { choice: 0, text: "Hm" }"#,
            r#"Text { choice: 0, text: "Yes", logprobs: None }"#,
            "Finish { choice: 0, reason: Stop }",
            "Usage(Usage { input: 9, output: 4, cached_input: Some(0), cache_write: None, reasoning: Some(2), estimated: false, durations: None })",
            "Done",
            "complete: true",
        ]
    );
}

#[test]
fn vllm_says_the_role_and_the_usage_in_every_chunk_and_ends_with_a_stop_string() {
    let is = lines(&[
        r#"{"id":"v1","object":"chat.completion.chunk","created":1,"model":"qwen3","choices":[{"index":0,"delta":{"role":"assistant","content":"","reasoning_content":null},"logprobs":null,"finish_reason":null}],"usage":{"prompt_tokens":3,"total_tokens":3,"completion_tokens":0}}"#,
        r#"{"id":"v1","object":"chat.completion.chunk","created":1,"model":"qwen3","choices":[{"index":0,"delta":{"role":"assistant","reasoning":"Hm"},"logprobs":null,"finish_reason":null}],"usage":{"prompt_tokens":3,"total_tokens":4,"completion_tokens":1}}"#,
        r#"{"id":"v1","object":"chat.completion.chunk","created":1,"model":"qwen3","choices":[{"index":0,"delta":{"role":"assistant","content":"a"},"logprobs":null,"finish_reason":"stop","stop_reason":"END"}],"usage":{"prompt_tokens":3,"total_tokens":5,"completion_tokens":2}}"#,
        r#"{"id":"v1","object":"chat.completion.chunk","created":1,"model":"qwen3","choices":[],"usage":{"prompt_tokens":3,"total_tokens":5,"completion_tokens":2}}"#,
        "[DONE]",
    ]);
    assert_eq!(
        is[1..],
        [
            r#"Reasoning { choice: 0, text: "Hm" }"#,
            r#"Text { choice: 0, text: "a", logprobs: None }"#,
            r#"Finish { choice: 0, reason: StopSequence(Some("END")) }"#,
            "Usage(Usage { input: 3, output: 2, cached_input: None, cache_write: None, reasoning: None, estimated: false, durations: None })",
            "Done",
            "complete: true",
        ]
    );
}

#[test]
fn sglang_leaves_names_and_ids_out_of_later_pieces_and_says_stop_after_calls() {
    let is = lines(&[
        r#"{"id":"s1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":null,"reasoning_content":null,"tool_calls":[{"id":"call_x","index":0,"type":"function","function":{"name":"look","arguments":""}}]},"logprobs":null,"finish_reason":null,"matched_stop":null}]}"#,
        r#"{"id":"s1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":null,"content":null,"tool_calls":[{"id":null,"index":0,"type":"function","function":{"name":null,"arguments":"{\"a\":1}"}}]},"finish_reason":null}]}"#,
        r#"{"id":"s1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop","matched_stop":151645}]}"#,
        "[DONE]",
    ]);
    assert_eq!(
        is[1..],
        [
            r#"ToolStart { choice: 0, call: 0, id: "call_x", name: "look", signature: None }"#,
            r#"ToolArguments { choice: 0, call: 0, json: "{\"a\":1}" }"#,
            "Finish { choice: 0, reason: ToolCalls }",
            "Done",
            "complete: true",
        ]
    );
}

#[test]
fn llama_cpp_repeats_ids_and_lm_studio_sends_whole_calls_without_indices() {
    let is = lines(&[
        r#"{"choices":[{"finish_reason":null,"index":0,"delta":{"role":"assistant","content":null}}],"created":1,"id":"l-1","model":"m","object":"chat.completion.chunk"}"#,
        r#"{"choices":[{"finish_reason":null,"index":0,"delta":{"tool_calls":[{"id":"a","type":"function","function":{"name":"look","arguments":"{\"x\":"}}]}}],"id":"l-1"}"#,
        r#"{"choices":[{"finish_reason":null,"index":0,"delta":{"tool_calls":[{"id":"a","function":{"name":"look","arguments":"1}"}}]}}],"id":"l-1"}"#,
        r#"{"choices":[{"finish_reason":null,"index":0,"delta":{"tool_calls":[{"id":"b","type":"function","function":{"name":"look","arguments":{"x":2}}}]}}],"id":"l-1"}"#,
        r#"{"choices":[{"finish_reason":"","index":0,"delta":{"tool_calls":[{"type":"function","function":{"name":"rest"}}]}}],"id":"l-1"}"#,
        r#"{"choices":[{"finish_reason":"tool_calls","index":0,"delta":{}}],"id":"l-1"}"#,
    ]);
    assert_eq!(
        is[1..],
        [
            r#"ToolStart { choice: 0, call: 0, id: "a", name: "look", signature: None }"#,
            r#"ToolArguments { choice: 0, call: 0, json: "{\"x\":" }"#,
            r#"ToolArguments { choice: 0, call: 0, json: "1}" }"#,
            r#"ToolStart { choice: 0, call: 1, id: "b", name: "look", signature: None }"#,
            r#"ToolArguments { choice: 0, call: 1, json: "{\"x\":2}" }"#,
            r#"ToolStart { choice: 0, call: 2, id: "call_l1_2", name: "rest", signature: None }"#,
            "Finish { choice: 0, reason: ToolCalls }",
            "Done",
            "complete: true",
        ]
    );
}

#[test]
fn a_call_without_a_name_is_none_and_does_not_count() {
    let is = lines(&[
        r#"{"id":"a","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"x","type":"function","function":{"arguments":"{}"}}]}}]}"#,
        r#"{"id":"a","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"y","type":"function","function":{"name":"f","arguments":"{}"}}]}}]}"#,
        r#"{"id":"a","choices":[{"index":1,"delta":{"tool_calls":[{"index":0,"id":"z","type":"function","function":{"arguments":"{}"}}]}}]}"#,
        "[DONE]",
    ]);
    assert_eq!(
        is[1..],
        [
            r#"ToolStart { choice: 0, call: 0, id: "y", name: "f", signature: None }"#,
            r#"ToolArguments { choice: 0, call: 0, json: "{}" }"#,
            "Finish { choice: 0, reason: ToolCalls }",
            "Finish { choice: 1, reason: Stop }",
            "Done",
            "complete: true",
        ]
    );
}

#[test]
fn the_end_of_no_answer_is_not_the_end_of_one() {
    assert_eq!(lines(&["[DONE]"]), ["complete: false"]);
    let is = lines(&[r#"{"id":"a","choices":[]}"#, "[DONE]"]);
    assert_eq!(is.last().unwrap(), "complete: false");
}

#[test]
fn a_response_that_nothing_announces_starts_with_its_first_piece() {
    let piece = r#"data: {"type":"response.output_text.delta","output_index":0,"delta":"Hi"}"#;
    let end = r#"data: {"type":"response.completed","response":{"id":"r"}}"#;
    assert_eq!(
        events(&Responses, &format!("{piece}\n\n{end}\n\n")),
        [
            "Start { id: None, model: None, created: None, usage: None }",
            r#"Text { choice: 0, text: "Hi", logprobs: None }"#,
            "Finish { choice: 0, reason: Stop }",
            "Done",
            "complete: true",
        ]
    );
}

#[test]
fn calls_that_share_an_index_are_told_apart_by_their_ids() {
    let is = lines(&[
        r#"{"id":"g","choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"look","arguments":"{}"}},{"index":0,"id":"b","function":{"name":"look","arguments":"{}"}}]},"index":0,"finish_reason":"tool_calls"}]}"#,
        "[DONE]",
    ]);
    assert!(is[1].contains(r#"call: 0, id: "a""#), "{is:?}");
    assert!(is[3].contains(r#"call: 1, id: "b""#), "{is:?}");
}

#[test]
fn arguments_that_come_before_the_name_are_kept() {
    let is = lines(&[
        r#"{"id":"q","choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"","arguments":"{"}}]},"index":0}]}"#,
        r#"{"id":"q","choices":[{"delta":{"tool_calls":[{"index":0,"id":"","function":{"name":"look","arguments":"}"}}]},"index":0}]}"#,
    ]);
    assert_eq!(
        is[1..],
        [
            r#"ToolStart { choice: 0, call: 0, id: "a", name: "look", signature: None }"#,
            r#"ToolArguments { choice: 0, call: 0, json: "{" }"#,
            r#"ToolArguments { choice: 0, call: 0, json: "}" }"#,
            "complete: false",
        ]
    );
}

#[test]
fn mistral_thinks_in_parts() {
    let is = lines(&[
        r#"{"id":"m","model":"magistral","choices":[{"index":0,"delta":{"role":"assistant","content":[{"type":"thinking","thinking":[{"type":"text","text":"Hm"}]}]},"finish_reason":null}]}"#,
        r#"{"id":"m","model":"magistral","choices":[{"index":0,"delta":{"content":[{"type":"text","text":"Yes"}]},"finish_reason":"model_length"}]}"#,
        "[DONE]",
    ]);
    assert_eq!(
        is[1..4],
        [
            r#"Reasoning { choice: 0, text: "Hm" }"#,
            r#"Text { choice: 0, text: "Yes", logprobs: None }"#,
            "Finish { choice: 0, reason: Length }",
        ]
    );
}

#[test]
fn a_reason_said_twice_ends_a_choice_once_and_null_in_quotes_ends_none() {
    let is = lines(&[
        r#"{"id":"o","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"null"}]}"#,
        r#"{"id":"o","choices":[{"index":0,"delta":{"content":""},"finish_reason":"stop","native_finish_reason":"stop"}]}"#,
        r#"{"id":"o","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2,"cost":0.1}}"#,
        "[DONE]",
    ]);
    assert_eq!(
        is.iter().filter(|line| line.starts_with("Finish")).count(),
        1
    );
    assert!(is[3].starts_with("Usage"), "{is:?}");
}

#[test]
fn a_stream_without_an_end_is_complete_only_if_its_choices_are() {
    let open = r#"{"id":"o","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}"#;
    let closed = r#"{"id":"o","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
    assert_eq!(lines(&[open]).last().unwrap(), "complete: false");
    assert_eq!(lines(&[open, closed])[3..], ["Done", "complete: true"]);
    assert_eq!(lines(&[]), ["complete: false"]);
    assert_eq!(
        lines(&[open, "[DONE]"])[2..],
        [
            "Finish { choice: 0, reason: Stop }",
            "Done",
            "complete: true"
        ]
    );
}

#[test]
fn an_error_within_a_stream_fails_it_and_nothing_follows() {
    let open = r#"{"id":"o","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}"#;
    for error in [
        r#"{"error":{"message":"busy","type":"server_error","code":503}}"#,
        r#"{"error":{"message":"busy","code":503},"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}"#,
        r#"{"object":"error","message":"busy","type":"x","code":503}"#,
    ] {
        let is = lines(&[open, error, "[DONE]"]);
        assert!(
            is[2].starts_with("Failed(Failure { kind: Overloaded, status: 503, message: \"busy\""),
            "{is:?}"
        );
        assert_eq!(is[3..], ["complete: true"]);
    }
    let is = lines(&[r#"{"error":"out of memory"}"#]);
    assert!(is[0].contains("message: \"out of memory\""), "{is:?}");
    let is = lines(&[open, "<html>"]);
    assert!(
        is[2].starts_with("The stream holds what is no chunk"),
        "{is:?}"
    );
}

#[test]
fn a_reply_of_any_server_is_read() {
    let body = br#"{"id":"","model":"m","choices":[{"message":{"role":"assistant","content":"","reasoning":"Hm",
        "tool_calls":[{"type":"function","function":{"name":"look","arguments":{"a":1}}},{"id":null,"function":{"name":"rest","arguments":null}}]},
        "finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":null}}"#;
    let reply = Chat.read_reply(body).unwrap();
    let choice = &reply.choices[0];
    assert_eq!(choice.finish, Some(Finish::ToolCalls));
    assert!(matches!(&choice.parts[0], Part::Reasoning { text, .. } if text == "Hm"));
    let ids: Vec<_> = choice.parts[1..]
        .iter()
        .map(|part| match part {
            Part::ToolCall(call) => (call.id.as_str(), call.arguments.as_text()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(ids, [("call_0", r#"{"a":1}"#), ("call_1", "{}")]);
    assert_eq!(reply.usage.unwrap().input, 1);
    let fault = Chat.read_reply(br#"{"error":{"message":"no","code":500}}"#);
    assert_eq!(
        fault.unwrap_err().message,
        "The upstream answered 200 with an error: no"
    );
}

#[test]
fn calls_of_custom_tools_are_gathered_and_told_among_the_others() {
    let stream = [
        r#"{"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-5","choices":[{"index":0,"delta":{"role":"assistant","tool_calls":[{"index":0,"id":"call_a","type":"custom","custom":{"name":"run","input":""}}]},"finish_reason":null}]}"#,
        r#"{"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-5","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"custom":{"input":"print("}}]},"finish_reason":null}]}"#,
        r#"{"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-5","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"call_b","type":"function","function":{"name":"look","arguments":"{}"}}]},"finish_reason":null}]}"#,
        r#"{"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-5","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"custom":{"input":"\"é\")"}}]},"finish_reason":null}]}"#,
        r#"{"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-5","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#,
        "[DONE]",
    ];
    let is = lines(&stream);
    let custom = r#"Part { choice: 0, part: Other { kind: "custom", value: Object {"id": String("call_a"), "type": String("custom"), "custom": Object {"name": String("run"), "input": String("print(\"é\")")}} } }"#;
    assert_eq!(
        is[1..],
        [
            r#"ToolStart { choice: 0, call: 0, id: "call_b", name: "look", signature: None }"#,
            r#"ToolArguments { choice: 0, call: 0, json: "{}" }"#,
            custom,
            "Finish { choice: 0, reason: ToolCalls }",
            "Done",
            "complete: true",
        ]
    );
    // As a client reads it.
    let stream = stream.map(|data| format!("data: {data}\n\n")).concat();
    let (mut writer, mut written) = (Chat.stream_writer(&context()), Vec::new());
    let complete = read_stream(&Chat, &stream, &mut |event| {
        if let Event::Part { part, .. } = &event {
            assert!(writer.has_place_for(part));
        }
        writer.write(event, &|| context().started, &mut written);
    });
    assert_eq!(complete, Ok(true));
    let written = String::from_utf8(written).unwrap();
    let calls: Vec<Value> = written
        .lines()
        .filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok())
        .filter_map(|chunk: Value| chunk.pointer("/choices/0/delta/tool_calls/0").cloned())
        .collect();
    let custom = json!({"name": "run", "input": "print(\"é\")"});
    assert_eq!(calls[0]["index"], 0);
    assert_eq!(
        calls.last(),
        Some(&json!({"index": 1, "id": "call_a", "type": "custom", "custom": custom}))
    );
}

#[test]
fn the_input_of_a_custom_tool_is_kept_within_bounds() {
    let piece = format!(
        r#"{{"choices":[{{"index":0,"delta":{{"tool_calls":[{{"index":0,"custom":{{"name":"run","input":"{}"}}}}]}}}}]}}"#,
        "x".repeat(1 << 20)
    );
    let mut reader = Chat.stream_reader();
    let frame = Frame {
        data: piece.as_bytes(),
        ..Frame::default()
    };
    let mut read = || reader.read(frame, &mut |_| {});
    for _ in 0..3 {
        assert_eq!(read(), Ok(()));
    }
    let garbage = read().unwrap_err();
    assert!(garbage.message.contains("4 MiB"), "{garbage}");
}
