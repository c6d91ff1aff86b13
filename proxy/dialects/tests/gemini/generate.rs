//! `generateContent` and its stream, in their own dialect.

use dragoman_dialects::form::{Event, Failure, Finish, Role};
use dragoman_dialects::gemini::Gemini;
use dragoman_dialects::{Codec, Path, Target};
use serde_json::{Value, json};

use super::golden::{Case, context, events, pretty};

pub const PATH: Path<'static> = Path {
    model: Some("gemini-2.5-pro"),
    stream: Some(true),
};

const TARGET: Target<'static> = Target {
    model: "gemini-2.5-pro",
    stream: true,
};

#[test]
fn a_request_with_everything_is_read_and_written_again() {
    let case = Case::new("gemini", "request");
    let body = case.read("request.json");
    let mut form = Gemini.read_request(body.as_bytes(), PATH).unwrap();
    case.assert("form.txt", &format!("{form:#?}\n"));
    let written = Gemini.write_request(&form, TARGET).unwrap();
    case.assert("written.json", &pretty(&written));
    // Thoughts of earlier turns are not sent again.
    form.messages.iter_mut().for_each(|message| {
        message.parts.retain(|part| part.described() != "reasoning");
    });
    let mut again = Gemini.read_request(&written, PATH).unwrap();
    for (message, was) in again.messages.iter_mut().zip(&form.messages) {
        // A content was left out of the numbering where two were one.
        message.at.clone_from(&was.at);
    }
    assert_eq!(again, form);
}

#[test]
fn both_spellings_are_read_as_the_same() {
    let case = Case::new("gemini", "request");
    let camel: Value = serde_json::from_str(&case.read("request.json")).unwrap();
    let snake = snake(camel.clone());
    assert_ne!(camel, snake);
    let read = |body: Value| Gemini.read_request(body.to_string().as_bytes(), PATH);
    let (camel, snake) = (read(camel).unwrap(), read(snake).unwrap());
    // What only this dialect knows stays as it was spelled.
    assert_eq!(camel.messages[2..], snake.messages[2..]);
    assert_eq!(camel.sampling, snake.sampling);
    assert_eq!(camel.reasoning, snake.reasoning);
    assert_eq!(camel.format, snake.format);
    assert_eq!(camel.tools[..2], snake.tools[..2]);
    assert_eq!(camel.tool_choice, snake.tool_choice);
    assert_eq!((camel.stop, camel.logprobs), (snake.stop, snake.logprobs));
}

/// Every field's name in snake case, as SDKs' types have them.
fn snake(value: Value) -> Value {
    let name = |name: &str| -> String {
        let letters = name.chars().map(|letter| match letter {
            'A'..='Z' => format!("_{}", letter.to_ascii_lowercase()),
            letter => letter.to_string(),
        });
        letters.collect()
    };
    match value {
        Value::Object(map) => map
            .into_iter()
            .map(|(key, value)| (name(&key), snake(value)))
            .collect(),
        Value::Array(list) => list.into_iter().map(snake).collect(),
        value => value,
    }
}

#[test]
fn a_reply_is_read_and_written_again() {
    Case::new("gemini", "reply").reply(&Gemini);
}

#[test]
fn a_stream_is_read_and_written_again() {
    Case::new("gemini", "stream").stream(&Gemini);
}

#[test]
fn a_stream_that_is_written_says_what_was_read() {
    let case = Case::new("gemini", "stream");
    let said = events(&Gemini, &case.read("stream.txt"));
    let written = events(&Gemini, &case.read("written.txt"));
    // A call's signature is for the model, and the model's name is the client's.
    let plain = |lines: Vec<String>| -> Vec<String> {
        let lines = lines.into_iter().skip(1);
        let unsigned = |line: String| line.replace("Some(\"Y2FsbA==\")", "None");
        lines.map(unsigned).map(merged).collect()
    };
    assert_eq!(plain(said), plain(written));
}

/// Blank JSON between tokens is no difference.
fn merged(line: String) -> String {
    line.replace("\\\": ", "\\\":")
}

#[test]
fn pieces_of_a_stream_that_a_client_sends_back_are_one_message() {
    let body = json!({"contents": [
        {"role": "user", "parts": [{"text": "Hi"}]},
        {"role": "model", "parts": [{"text": "I ", "thought": true}]},
        {"role": "model", "parts": [{"text": "see.", "thought": true}]},
        {"role": "model", "parts": [{"text": "", "thought": true, "thoughtSignature": "Y2xhdWRl-_8"}]},
        {"role": "model", "parts": [{"text": "Hel"}]},
        {"role": "model", "parts": [{"text": "lo"}]},
        {"role": "model", "parts": [{"text": ""}]},
        {"role": "user", "parts": [{"text": "And now?"}]},
    ]});
    let form = Gemini.read_request(body.to_string().as_bytes(), PATH);
    let form = form.unwrap();
    let roles: Vec<Role> = form.messages.iter().map(|message| message.role).collect();
    assert_eq!(roles, [Role::User, Role::Assistant, Role::User]);
    let said = format!("{:?}", form.messages[1].parts);
    assert!(
        said.contains(r#"text: "I see.", signature: Some("+/8=")"#),
        "{said}"
    );
    assert!(said.contains(r#"text: "Hello""#), "{said}");
}

#[test]
fn a_request_that_the_vendor_would_refuse_is_refused_at_its_place() {
    let user = json!([{"parts": [{"text": "hi"}]}]);
    for (body, fault) in [
        (json!({}), "contents: At least one content is required."),
        (
            json!({"contents": [{"role": "system", "parts": []}]}),
            "contents[0].role: The role must be user or model, not \"system\".",
        ),
        (
            json!({"contents": [{"parts": [{}]}]}),
            "contents[0].parts[0]: A part must have a field that says what it holds.",
        ),
        (
            json!({"contents": [{"parts": [{"function_response": {"name": "look", "response": {}}}]}]}),
            "contents[0].parts[0].functionResponse.name: No call of this function before this part waits for a result.",
        ),
        (
            json!({"contents": [{"role": "model", "parts": [{"functionCall": {"name": "f", "args": 1}}]}]}),
            "contents[0].parts[0].functionCall.args: The field must be an object.",
        ),
        (
            json!({"contents": user, "toolConfig": {"functionCallingConfig": {"mode": "MUST"}}}),
            "toolConfig.functionCallingConfig.mode: The mode must be AUTO, ANY, NONE or VALIDATED, not \"MUST\".",
        ),
        (
            json!({"contents": user, "generation_config": {"thinking_config": {"thinking_budget": -2}}}),
            "generationConfig.thinkingConfig.thinkingBudget: The budget must be a number of tokens, 0 for none or -1 for as many as the model likes.",
        ),
    ] {
        let read = Gemini.read_request(body.to_string().as_bytes(), PATH);
        assert_eq!(read.unwrap_err().to_string(), fault, "{body}");
    }
    let fault = Gemini.read_request(b"{}", Path::default()).unwrap_err();
    assert_eq!(fault.at, "model");
}

#[test]
fn a_stream_that_failed_ends_with_an_error_that_sdks_know_by_its_start() {
    let mut out = Vec::new();
    let mut writer = Gemini.stream_writer(&context());
    let failure = Failure::new(503, "gone");
    writer.write(Event::Failed(failure), &|| context().started, &mut out);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "data: {\"error\":{\"code\":503,\"message\":\"gone\",\"status\":\"UNAVAILABLE\"}}\n\n"
    );
}

#[test]
fn arguments_are_sent_on_one_line_and_broken_ones_are_sent_as_a_text() {
    for (pieces, args) in [
        (&["{\n  \"at\":", " \"cat\"\n}"][..], r#"{"at":"cat"}"#),
        (&[], "{}"),
        (&["{\"at\": }"], r#"{"unparsed_arguments":"{\"at\": }"}"#),
    ] {
        let mut out = Vec::new();
        let mut writer = Gemini.stream_writer(&context());
        let start = Event::ToolStart {
            choice: 0,
            call: 0,
            id: "call_a".into(),
            name: "look".into(),
            signature: None,
        };
        let pieces = pieces.iter().map(|piece| Event::ToolArguments {
            choice: 0,
            call: 0,
            json: (*piece).into(),
        });
        let finish = Event::Finish {
            choice: 0,
            reason: Finish::ToolCalls,
        };
        for event in std::iter::once(start).chain(pieces).chain([finish]) {
            writer.write(event, &|| context().started, &mut out);
        }
        let sent = String::from_utf8(out).unwrap();
        assert!(sent.contains(&format!("\"args\":{args}}}}}]")), "{sent}");
        assert_eq!(sent.matches("data: ").count(), 1);
    }
}
