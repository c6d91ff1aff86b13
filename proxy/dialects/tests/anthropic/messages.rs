//! Anthropic's own messages: what is read is written again.

use dragoman_dialects::anthropic::Messages;
use dragoman_dialects::bedrock::converse::Converse;
use dragoman_dialects::bedrock::invoke::Invoke;
use dragoman_dialects::form::{Effort, Reasoning};
use dragoman_dialects::gemini::Gemini;
use dragoman_dialects::openai::chat::Chat;
use dragoman_dialects::openai::responses::Responses;
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

/// What is written for a model upstream, of a request with these fields.
fn written(with: Value, to: &dyn Codec, model: &str) -> Value {
    let body = asked(with);
    let form = Messages.read_request(body.to_string().as_bytes(), Path::default());
    let stream = false;
    let written = to.write_request(&form.unwrap(), Target { model, stream });
    serde_json::from_slice(&written.unwrap()).unwrap()
}

#[test]
fn an_effort_without_thinking_asks_for_none() {
    let with = |effort: &str| json!({"temperature": 0.2, "output_config": {"effort": effort}});
    for (model, said, told) in [
        ("anthropic.claude-opus-4-5-20251101-v1:0", "low", "low"),
        ("anthropic.claude-opus-4-5-20251101-v1:0", "max", "high"),
        ("us.anthropic.claude-opus-4-6-v1", "max", "max"),
        ("us.anthropic.claude-opus-4-6-v1", "xhigh", "max"),
        ("us.anthropic.claude-opus-4-7", "xhigh", "xhigh"),
        ("us.anthropic.claude-opus-4-7", "max", "max"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "high", ""),
    ] {
        let expected = if told.is_empty() {
            Value::Null
        } else {
            json!({"effort": told})
        };
        let converse = written(with(said), &Converse, model);
        let fields = &converse["additionalModelRequestFields"];
        assert_eq!(fields["output_config"], expected, "{model} {said}");
        assert_eq!(fields["thinking"], Value::Null, "{model}");
        assert_eq!(converse["inferenceConfig"]["temperature"], 0.2);
        let invoke = written(with(said), &Invoke, model);
        assert_eq!(invoke["output_config"], expected, "{model} {said}");
        assert_eq!(invoke["thinking"], Value::Null, "{model}");
    }
    // Off stays off, and a budget keeps the effort of the whole answer beside it.
    let off = json!({"thinking": {"type": "disabled"}, "output_config": {"effort": "low"}});
    let off = written(off, &Messages, "claude-opus-4-6");
    assert_eq!(off["thinking"], json!({"type": "disabled"}));
    assert_eq!(off["output_config"], json!({"effort": "low"}));
    let thinking = json!({"type": "enabled", "budget_tokens": 2000});
    let both =
        json!({"max_tokens": 4000, "thinking": thinking, "output_config": {"effort": "low"}});
    let both = written(both, &Messages, "claude-opus-4-5");
    assert_eq!(both["thinking"]["budget_tokens"], 2000);
    assert_eq!(both["output_config"], json!({"effort": "low"}));
}

#[test]
fn an_effort_without_thinking_is_told_to_openais_models_that_always_reason_alone() {
    let with = |effort: &str| json!({"output_config": {"effort": effort}});
    for (model, said, told) in [
        ("gpt-5.2", "low", json!("low")),
        ("gpt-5.2", "max", json!("xhigh")),
        ("gpt-4o", "low", Value::Null),
        ("qwen3", "low", Value::Null),
    ] {
        let chat = written(with(said), &Chat, model);
        assert_eq!(chat["reasoning_effort"], told, "{model}");
        let responses = written(with(said), &Responses, model);
        assert_eq!(responses["reasoning"]["effort"], told, "{model}");
    }
    let gemini = written(with("low"), &Gemini, "gemini-2.5-flash");
    assert_eq!(gemini["generationConfig"]["thinkingConfig"], Value::Null);
}
