//! The Conversation API, which clients speak to every server.

use dragoman_dialects::form::{Malformed, Request};
use dragoman_dialects::{Codec, Path, Target, Wire, conversation, ollama, openai};
use serde_json::{Value, json};

use crate::golden::context;
use crate::transcript::{events, translated};

fn read(codec: &dyn Codec, body: &Value) -> Result<Request, Malformed> {
    codec.read_request(body.to_string().as_bytes(), Path::default())
}

/// What a server is asked for a statement.
fn sent(body: &Value, to: &dyn Codec) -> Value {
    let request = read(&conversation::Conversation, body).unwrap();
    written(&request, to)
}

fn written(request: &Request, to: &dyn Codec) -> Value {
    let target = Target {
        model: &request.model,
        stream: request.stream,
    };
    serde_json::from_slice(&to.write_request(request, target).unwrap()).unwrap()
}

fn rich() -> Value {
    json!({
        "model_name": "m", "user_last_statement": "And now?", "system_prompt": "Be brief.",
        "historical_messages": [{"user": "Hi", "assistant": "Hello"}, {"user": "Wait"}],
        "temperature": 0.7, "max_new_tokens": 256, "top_k": 50, "top_p": 0.9, "typical_p": 1.0,
        "repetition_penalty": 1.2, "language": "en", "prompt_name": "simple",
    })
}

#[test]
fn the_last_statement_comes_last_and_the_history_before_it_in_order() {
    assert_eq!(
        sent(&rich(), &openai::Chat),
        json!({
            "model": "m", "stream": true, "stream_options": {"include_usage": true},
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Hi"},
                {"role": "assistant", "content": "Hello"},
                {"role": "user", "content": "Wait"},
                {"role": "user", "content": "And now?"},
            ],
            "temperature": 0.7, "top_p": 0.9, "top_k": 50, "repetition_penalty": 1.2, "max_tokens": 256,
        })
    );
}

#[test]
fn options_have_the_names_of_whoever_is_asked() {
    let asked = sent(&rich(), &ollama::Chat);
    assert_eq!(
        asked["options"],
        json!({"temperature": 0.7, "top_p": 0.9, "top_k": 50, "repeat_penalty": 1.2, "num_predict": 256})
    );
    let short = json!({"model": "m", "user_last_statement": "Hi", "stream": false});
    let asked = sent(&short, &openai::Chat);
    assert_ne!(asked["stream"], json!(true));
    assert_eq!(
        asked["messages"],
        json!([{"role": "user", "content": "Hi"}])
    );
}

#[test]
fn a_fault_names_its_field() {
    for (body, at) in [
        (json!({"user_last_statement": "x"}), "model_name"),
        (
            json!({"model_name": 7, "user_last_statement": "x"}),
            "model_name",
        ),
        (json!({"model_name": "m"}), "user_last_statement"),
        (
            json!({"model_name": "m", "user_last_statement": ""}),
            "user_last_statement",
        ),
        (
            json!({"model_name": "m", "user_last_statement": "x", "historical_messages": [{}]}),
            "historical_messages[0].user",
        ),
        (
            json!({"model_name": "m", "user_last_statement": "x", "historical_messages": [{"user": "a"}, {"role": "user", "user": "x"}]}),
            "historical_messages[1].role",
        ),
        (
            json!({"model_name": "m", "user_last_statement": "x", "historical_messages": [{"assistant": 1}]}),
            "historical_messages[0].assistant",
        ),
        (
            json!({"model_name": "m", "user_last_statement": "x", "max_new_tokens": "many"}),
            "max_new_tokens",
        ),
        (
            json!({"model_name": "m", "user_last_statement": "x", "language": 1}),
            "language",
        ),
    ] {
        let fault = read(&conversation::Conversation, &body).unwrap_err();
        assert_eq!(fault.at, at, "{body}");
    }
    let fault = read(&conversation::Chat, &json!({"model": "m"})).unwrap_err();
    assert_eq!(fault.at, "messages");
}

#[test]
fn what_the_form_knows_is_written_as_it_was_read() {
    let request = read(&conversation::Conversation, &rich()).unwrap();
    let again = written(&request, &conversation::Conversation);
    assert_eq!(
        read(&conversation::Conversation, &again).unwrap(),
        Request {
            messages: {
                // Two users' turns in a row are two turns of the history.
                let mut messages = request.messages.clone();
                messages[3].at = "historical_messages[1].user".into();
                messages
            },
            ..request
        }
    );
}

#[test]
fn chat_is_openais_with_a_prompt_before_it_and_options_beside_it() {
    let body = json!({
        "model_name": "m", "system_prompt": "Be brief.", "language": "pl", "keep_alive": "30m",
        "messages": [{"role": "user", "content": "Hi"}], "temperature": 0.1,
        "options": {"num_ctx": 16384, "temperature": 0.9, "max_new_tokens": 5, "stop": ["x"], "seed": 3},
    });
    let request = read(&conversation::Chat, &body).unwrap();
    assert_eq!(
        written(&request, &ollama::Chat),
        json!({
            "model": "m", "stream": true, "keep_alive": "30m",
            "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
            "options": {"num_ctx": 16384, "temperature": 0.1, "num_predict": 5, "stop": ["x"], "seed": 3},
        })
    );
    let asked = written(&request, &openai::Chat);
    assert_eq!(asked["temperature"], json!(0.1));
    assert_eq!(asked["max_tokens"], json!(5));
    assert_eq!(
        asked.get("options"),
        None,
        "how a server runs a model is its own affair"
    );
}

const STREAM: &str = r#"{"model":"m","created_at":"2025-03-04T05:06:07Z","message":{"role":"assistant","content":"He"},"done":false}
{"model":"m","created_at":"2025-03-04T05:06:07Z","message":{"role":"assistant","content":"llo"},"done":false}
{"model":"m","created_at":"2025-03-04T05:06:08Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop"}
"#;

#[test]
fn a_stream_is_a_line_a_piece_and_ends_with_how_long_it_took() {
    let to = &conversation::Conversation;
    let stream = translated(&ollama::Chat, STREAM, to, &context());
    let lines: Vec<&str> = stream.lines().collect();
    assert_eq!(
        lines[..2],
        [
            r#"{"response":"He","done":false}"#,
            r#"{"response":"llo","done":false}"#
        ]
    );
    let last: Value = serde_json::from_str(lines[2]).unwrap();
    assert_eq!(
        (&last["response"], &last["done"]),
        (&json!(""), &json!(true))
    );
    assert!(last["generation_time"].as_f64().unwrap() > 0.5);
    assert_eq!(lines.len(), 3);
    let read = events(to, &stream);
    assert!(read.ends_with("Done\ncomplete: true\n"), "{read}");
    let cut = events(to, lines[0]);
    assert!(cut.ends_with("complete: false\n"), "{cut}");
    let broken = r#"{"error":"timeout","details":"It took too long."}"#;
    assert!(events(to, broken).starts_with("Failed"));
}

#[test]
fn a_whole_reply_is_its_text_and_how_long_it_took() {
    let codec = &conversation::Conversation;
    let reply = br#"{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}]}"#;
    let reply = openai::Chat.read_reply(reply).unwrap();
    let whole = codec.write_reply(&reply, &context());
    let timed = conversation::timed(whole.clone(), 1.5);
    let timed: Value = serde_json::from_slice(&timed).unwrap();
    assert_eq!(timed, json!({"response": "Hello", "generation_time": 1.5}));
    let again = codec.read_reply(&whole).unwrap();
    assert_eq!(again.choices[0].parts, reply.choices[0].parts);
    assert!(codec.read_reply(b"{}").is_err());
}

#[test]
fn both_forms_are_in_the_table() {
    let error = |wire: Wire| {
        let failure = dragoman_dialects::form::Failure::new(404, "no such model");
        let (status, body) = wire.codec().write_error(&failure, "id");
        (status, serde_json::from_slice::<Value>(&body).unwrap())
    };
    let (status, body) = error(Wire::Conversation);
    assert_eq!(status, 404);
    assert_eq!(
        body,
        json!({"error": "not_found", "details": "no such model"})
    );
    let (_, body) = error(Wire::ConversationChat);
    assert_eq!(body["error"]["message"], "no such model");
}
