//! Anthropic's own messages: what is read is written again.

use dragoman_dialects::anthropic::Messages;
use dragoman_dialects::form::{Effort, Reasoning};
use dragoman_dialects::{Codec, Path, Target};
use serde_json::{Value, json};

use super::golden::Case;

#[test]
fn a_request_with_everything_is_read_and_written_again() {
    Case::new("messages", "request").request(&Messages);
}

#[test]
fn a_reply_is_read_and_written_again() {
    Case::new("messages", "reply").reply(&Messages);
}

#[test]
fn a_stream_is_read_and_written_again() {
    Case::new("messages", "stream").stream(&Messages);
}

fn asked(with: Value) -> Value {
    let mut body =
        json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]});
    body.as_object_mut()
        .unwrap()
        .extend(with.as_object().unwrap().clone());
    body
}

fn fault(with: Value) -> String {
    let body = asked(with).to_string();
    Messages
        .read_request(body.as_bytes(), Path::default())
        .unwrap_err()
        .to_string()
}

#[test]
fn a_request_that_the_vendor_would_refuse_is_refused_at_its_place() {
    for (with, start) in [
        (json!({"max_tokens": null}), "max_tokens: "),
        (json!({"model": ""}), "model: "),
        (json!({"messages": []}), "messages: "),
        (
            json!({"messages": [{"role": "bot", "content": "x"}]}),
            "messages[0].role: ",
        ),
        (
            json!({"messages": [{"role": "user"}]}),
            "messages[0].content: ",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"text": "x"}]}]}),
            "messages[0].content[0].type: ",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "tool_use", "id": "a", "name": "b", "input": {}}]}]}),
            "messages[0]: ",
        ),
        (
            json!({"messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "b", "input": "{}"}]}]}),
            "messages[0].content[0].input: ",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "ftp"}}]}]}),
            "messages[0].content[0].source.type: ",
        ),
        (
            json!({"tool_choice": {"type": "some"}}),
            "tool_choice.type: ",
        ),
        (
            json!({"thinking": {"type": "enabled"}}),
            "thinking.budget_tokens: ",
        ),
        (json!({"thinking": {}}), "thinking.type: "),
        (
            json!({"output_config": {"effort": "huge"}}),
            "output_config.effort: ",
        ),
        (
            json!({"output_config": {"format": {"type": "xml"}}}),
            "output_config.format.type: ",
        ),
        (
            json!({"system": [{"type": "image", "source": {"type": "url", "url": "x"}}]}),
            "system: ",
        ),
    ] {
        let fault = fault(with.clone());
        assert!(fault.starts_with(start), "{with}: {fault}");
    }
}

#[test]
fn adaptive_thinking_is_an_effort_in_other_words_and_comes_back() {
    let body =
        asked(json!({"thinking": {"type": "adaptive"}, "output_config": {"effort": "medium"}}));
    let form = Messages
        .read_request(body.to_string().as_bytes(), Path::default())
        .unwrap();
    let reasoning = Reasoning {
        enabled: Some(true),
        effort: Some(Effort::Medium),
        ..Reasoning::default()
    };
    assert_eq!(form.reasoning, Some(reasoning));
    for (model, thinking) in [
        ("claude-opus-4-6", json!({"type": "adaptive"})),
        (
            "claude-opus-4-7",
            json!({"type": "adaptive", "display": "summarized"}),
        ),
    ] {
        let written = Messages
            .write_request(
                &form,
                Target {
                    model,
                    stream: false,
                },
            )
            .unwrap();
        let written: Value = serde_json::from_slice(&written).unwrap();
        assert_eq!(written["thinking"], thinking);
        assert_eq!(written["output_config"], json!({"effort": "medium"}));
    }
}

#[test]
fn a_system_message_among_the_others_is_read_in_its_place_and_written_before_them() {
    let body = asked(json!({"messages": [
        {"role": "user", "content": "hi"},
        {"role": "system", "content": "Now be rude."},
        {"role": "user", "content": " "},
        {"role": "user", "content": "go"},
    ]}));
    let form = Messages
        .read_request(body.to_string().as_bytes(), Path::default())
        .unwrap();
    assert_eq!(form.messages[1].at, "messages[1]");
    let written = Messages
        .write_request(
            &form,
            Target {
                model: "m",
                stream: false,
            },
        )
        .unwrap();
    let written: Value = serde_json::from_slice(&written).unwrap();
    assert_eq!(written["system"], "Now be rude.");
    assert_eq!(
        written["messages"],
        json!([{"role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "text", "text": "go"}]}])
    );
}
