//! What the service refuses, and what it accepts.

use serde_json::json;

use super::*;

fn checked(change: &Value, strict: bool) -> Result<(), String> {
    let mut body = json!({"messages": [{"role": "user", "content": [{"text": "hi"}]}]});
    for (name, value) in change.as_object().unwrap() {
        body[name] = value.clone();
    }
    converse(body.as_object().unwrap(), strict).map_err(|refusal| refusal.message)
}

fn turns_of(turns: &[(&str, Value)]) -> Value {
    let turns = turns.iter();
    let turns = turns.map(|(role, content)| json!({"role": role, "content": content}));
    json!({"messages": turns.collect::<Vec<_>>(), "toolConfig": tool()})
}

fn tool() -> Value {
    json!({"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object"}}}}]})
}

fn used(id: &str) -> Value {
    json!([{"toolUse": {"toolUseId": id, "name": "f", "input": {}}}])
}

fn result(id: &str) -> Value {
    json!([{"toolResult": {"toolUseId": id, "content": [{"text": "r"}]}}])
}

#[test]
fn each_refusal_says_what_the_service_says() {
    let text = || json!([{"text": "a"}]);
    for (change, said) in [
        (
            json!({"messages": [{"role": "tool", "content": [{"text": "a"}]}]}),
            "1 validation error detected: Value 'tool' at 'messages.1.member.role' failed to satisfy constraint: Member must satisfy enum value set: [user, assistant, system]",
        ),
        (
            json!({"inferenceConfig": {"temperature": 1.5, "maxTokens": 0}}),
            "2 validation errors detected: Value '1.5' at 'inferenceConfig.temperature' failed to satisfy constraint: Member must have value less than or equal to 1; Value '0' at 'inferenceConfig.maxTokens' failed to satisfy constraint: Member must have value greater than or equal to 1",
        ),
        (
            json!({"messages": [{"role": "user", "content": "hi"}]}),
            "STRING_VALUE cannot be converted to List",
        ),
        (
            json!({"inferenceConfig": {"maxTokens": "5"}}),
            "STRING_VALUE cannot be converted to Integer",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "text"}]}]}),
            "The ContentBlock object at messages.0.content.0 must set one of the following keys: text, image, ",
        ),
        (
            json!({"toolConfig": {"tools": []}}),
            "1 validation error detected: Value '[]' at 'toolConfig.tools' failed to satisfy constraint: Member must have length greater than or equal to 1",
        ),
        (
            json!({"messages": []}),
            "A conversation must start with a user message.",
        ),
        (
            turns_of(&[("assistant", text())]),
            "A conversation must start with a user message.",
        ),
        (
            turns_of(&[("user", text()), ("user", text())]),
            "A conversation must alternate between user and assistant roles.",
        ),
        (
            turns_of(&[("user", json!([]))]),
            "The content field in the Message object at messages.0 is empty.",
        ),
        (
            turns_of(&[("user", json!([{"text": " \n"}]))]),
            "The text field in the ContentBlock object at messages.0.content.0 is blank.",
        ),
        (
            turns_of(&[("user", text()), ("assistant", used("1")), ("user", text())]),
            "Expected toolResult blocks at messages.2.content for the following Ids: 1",
        ),
        (
            turns_of(&[
                ("user", text()),
                ("assistant", text()),
                ("user", result("1")),
            ]),
            "The number of toolResult blocks at messages.2.content exceeds the number of toolUse blocks of previous turn.",
        ),
        (
            json!({"toolConfig": {"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": "{}"}}}]}}),
            "The format of the value at toolConfig.tools.0.toolSpec.inputSchema.json is invalid. Provide a json object for the field and try again.",
        ),
        (
            json!({"toolConfig": {"tools": [{"toolSpec": {"name": "a b", "inputSchema": {"json": {}}}}]}}),
            "1 validation error detected: Value 'a b' at 'toolConfig.tools.1.member.toolSpec.name' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_-]+",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"document": {"format": "pdf", "name": "a.pdf", "source": {"bytes": "AAEC"}}}]}]}),
            "The document file name can only contain alphanumeric characters",
        ),
        (
            turns_of(&[
                ("user", text()),
                (
                    "assistant",
                    json!([{"reasoningContent": {"reasoningText": {"text": "t", "signature": "x"}}}]),
                ),
            ]),
            "messages.1.content.0: Invalid `signature` in `thinking` block",
        ),
    ] {
        let refused = checked(&change, false).unwrap_err();
        assert!(refused.starts_with(said), "{change}: {refused}");
    }
    let mut without = turns_of(&[
        ("user", text()),
        ("assistant", used("1")),
        ("user", result("1")),
    ]);
    without.as_object_mut().unwrap().remove("toolConfig");
    assert_eq!(
        checked(&without, false).unwrap_err(),
        "The toolConfig field must be defined when using toolUse and toolResult content blocks."
    );
    let unknown = json!({"max_tokens": 5});
    assert_eq!(checked(&unknown, false), Ok(()));
    assert_eq!(
        checked(&unknown, true).unwrap_err(),
        "The member max_tokens is unknown."
    );
}

#[test]
fn what_the_service_accepts_is_accepted() {
    let change = json!({
        "system": [{"text": "s"}, {"cachePoint": {"type": "default"}}],
        "messages": [
            {"role": "user", "content": [
                {"text": "t"},
                {"image": {"format": "png", "source": {"bytes": "AAEC"}}},
                {"document": {"format": "pdf", "name": "a (1) [b]-c", "source": {"bytes": "AAEC"}}},
            ]},
            {"role": "assistant", "content": [
                {"toolUse": {"toolUseId": "a", "name": "f", "input": {"x": null}}},
                {"toolUse": {"toolUseId": "b", "name": "f", "input": {}}},
            ]},
            {"role": "user", "content": [
                {"toolResult": {"toolUseId": "b", "content": [{"json": {"y": 1}}], "status": "success"}},
                {"toolResult": {"toolUseId": "a", "content": [{"text": ""}], "status": "error"}},
                {"text": "and now?"},
            ]},
        ],
        "inferenceConfig": {"maxTokens": 5, "temperature": 0, "topP": 1.0, "stopSequences": ["x"]},
        "toolConfig": {"tools": tool()["tools"], "toolChoice": {"any": {}}},
        "additionalModelRequestFields": {"top_k": 3},
        "requestMetadata": {"a": "b"},
    });
    assert_eq!(checked(&change, true), Ok(()));
}
