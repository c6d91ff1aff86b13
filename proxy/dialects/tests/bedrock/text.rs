//! Claude 2's text completions.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dragoman_dialects::anthropic::Messages;
use dragoman_dialects::bedrock::Text;
use dragoman_dialects::form::{Event, Field, Finish, Reply};
use dragoman_dialects::openai::Chat;
use dragoman_dialects::{Codec, Path, Target};
use serde_json::{Value, json};

use super::golden::context;
use super::transcript::{bytes, events, path, translated};

const TARGET: Target<'static> = Target {
    model: "anthropic.claude-v2",
    stream: false,
};

#[test]
fn a_request_is_read_and_written_again() {
    let body = json!({
        "prompt": "Be brief.\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: Go\n\nAssistant: I",
        "max_tokens_to_sample": 300,
        "temperature": 0.5,
        "top_k": 10,
        "stop_sequences": ["\n\nHuman:", "END"],
    });
    let form = Text
        .read_request(body.to_string().as_bytes(), path())
        .unwrap();
    assert_eq!(form.messages.len(), 5);
    let written = Text.write_request(&form, TARGET).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&written).unwrap(), body);
    for (body, at) in [
        (json!({"max_tokens_to_sample": 3}), "prompt"),
        (json!({"prompt": "Hi", "max_tokens_to_sample": 3}), "prompt"),
        (
            json!({"prompt": "\n\nHuman: Hi\n\nAssistant:"}),
            "max_tokens_to_sample",
        ),
    ] {
        let fault = Text
            .read_request(body.to_string().as_bytes(), path())
            .unwrap_err();
        assert_eq!(fault.at, at);
    }
}

#[test]
fn openais_conversation_is_one_prompt_and_what_is_no_text_is_refused() {
    let written = |with: Value| {
        let mut body = json!({"model": "m", "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hi"},
            {"role": "user", "content": "there"},
        ]});
        body.as_object_mut()
            .unwrap()
            .extend(with.as_object().unwrap().clone());
        let form = Chat
            .read_request(body.to_string().as_bytes(), Path::default())
            .unwrap();
        Text.write_request(&form, TARGET)
    };
    let is: Value = serde_json::from_slice(&written(json!({})).unwrap()).unwrap();
    assert_eq!(
        is,
        json!({"prompt": "Be brief.\n\nHuman: Hi\nthere\n\nAssistant:", "max_tokens_to_sample": 4096})
    );
    for (with, field) in [
        (
            json!({"tools": [{"type": "function", "function": {"name": "a"}}]}),
            Field::Tools(None),
        ),
        (json!({"reasoning_effort": "low"}), Field::Reasoning),
        (
            json!({"response_format": {"type": "json_object"}}),
            Field::Format,
        ),
        (
            json!({"messages": [{"role": "assistant", "content": "Hi"}]}),
            Field::At("messages".into()),
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://a.b/c.png"}}]}]}),
            Field::At("messages[0]".into()),
        ),
    ] {
        assert_eq!(written(with).unwrap_err().field, field);
    }
}

#[test]
fn texts_of_one_speaker_are_a_line_each_but_the_models_own() {
    let block = |text: &str| json!({"type": "text", "text": text});
    let body = json!({
        "model": "m", "max_tokens": 9, "system": [block("Be brief."), block("Be kind.")],
        "messages": [
            {"role": "user", "content": [block("Hi"), block("there")]},
            {"role": "assistant", "content": [block("Hel"), block("lo")]},
            {"role": "user", "content": "Go"},
        ],
    });
    let form = Messages
        .read_request(body.to_string().as_bytes(), Path::default())
        .unwrap();
    let written: Value =
        serde_json::from_slice(&Text.write_request(&form, TARGET).unwrap()).unwrap();
    assert_eq!(
        written["prompt"],
        "Be brief.\nBe kind.\n\nHuman: Hi\nthere\n\nAssistant: Hello\n\nHuman: Go\n\nAssistant:"
    );
}

#[test]
fn a_reply_loses_the_space_that_it_begins_with_and_its_plain_end() {
    let reply = |stop: Value| {
        let body = json!({"type": "completion", "completion": " Hello", "stop_reason": "stop_sequence", "stop": stop});
        Text.read_reply(body.to_string().as_bytes()).unwrap()
    };
    let finish = |reply: &Reply| reply.choices[0].finish.clone();
    assert_eq!(finish(&reply(json!("\n\nHuman:"))), Some(Finish::Stop));
    assert_eq!(
        finish(&reply(json!("END"))),
        Some(Finish::StopSequence(Some("END".into())))
    );
    let written = Text.write_reply(&reply(json!("\n\nHuman:")), &context());
    assert_eq!(
        serde_json::from_slice::<Value>(&written).unwrap(),
        json!({"type": "completion", "completion": "Hello", "stop_reason": "stop_sequence", "stop": "\n\nHuman:"})
    );
}

#[test]
fn what_follows_the_end_of_an_answer_is_no_part_of_it() {
    let chunks: String = [
        r#"{"type":"completion","completion":" Hel","stop_reason":"max_tokens","stop":null}"#,
        r#"{"type":"completion","completion":" late","stop_reason":null,"stop":null}"#,
    ]
    .iter()
    .map(|chunk| format!("chunk\n{{\"bytes\":\"{}\"}}\n\n", STANDARD.encode(chunk)))
    .collect();
    let said = events(&Text, &bytes(&chunks));
    assert!(said.contains("Hel") && !said.contains("late"), "{said}");
}

#[test]
fn a_stream_is_read_and_written_again() {
    let chunks: String = [
        r#"{"type":"completion","completion":" ","stop_reason":null,"stop":null}"#,
        r#"{"type":"completion","completion":" Hel","stop_reason":null,"stop":null}"#,
        r#"{"type":"completion","completion":" lo","stop_reason":null,"stop":null}"#,
        r#"{"type":"completion","completion":"","stop_reason":"max_tokens","stop":null,"amazon-bedrock-invocationMetrics":{"inputTokenCount":7,"outputTokenCount":9}}"#,
    ]
    .iter()
    .map(|chunk| format!("chunk\n{{\"bytes\":\"{}\"}}\n\n", STANDARD.encode(chunk)))
    .collect();
    let stream = bytes(&chunks);
    let said = events(&Text, &stream);
    let lines: Vec<&str> = said.lines().skip(1).collect();
    assert_eq!(
        lines[..3],
        [
            r#"Text { choice: 0, text: "Hel", logprobs: None }"#,
            r#"Text { choice: 0, text: " lo", logprobs: None }"#,
            "Finish { choice: 0, reason: Length }",
        ]
    );
    assert!(lines[3].starts_with("Usage(Usage { input: 7, output: 9,"));
    assert_eq!(lines[4..], ["Done", "complete: true"]);
    let written = translated(&Text, &context(), |emit: &mut dyn FnMut(Event<'_>)| {
        super::transcript::read(Text.stream_reader(), &stream, emit).unwrap();
    });
    assert_eq!(events(&Text, &written), said);
}
