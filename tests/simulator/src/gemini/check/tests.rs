//! What the service refuses, and what it accepts.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::json;

use super::*;
use crate::gemini::{proto, reply::SIGNED};

fn checked(change: &Value) -> Result<(), String> {
    let mut body = json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]});
    for (name, value) in change.as_object().unwrap() {
        body[name] = value.clone();
    }
    let fields = proto::read(&proto::GENERATE, &body).unwrap();
    generate(&fields).map_err(|refusal| refusal.message)
}

fn function(parameters: Value) -> Value {
    json!({"tools": [{"functionDeclarations": [{"name": "f", "parameters": parameters}]}]})
}

fn turns(turns: &[(&str, Value)]) -> Value {
    let turns = turns.iter();
    let turns = turns.map(|(role, parts)| json!({"role": role, "parts": parts}));
    json!({"contents": turns.collect::<Vec<_>>()})
}

#[test]
fn each_refusal_says_what_the_service_says() {
    let call = || json!([{"functionCall": {"name": "f"}}]);
    let response = || json!([{"functionResponse": {"name": "f", "response": {}}}]);
    let text = || json!([{"text": "a"}]);
    for (change, said) in [
        (
            json!({"contents": []}),
            "* GenerateContentRequest.contents: contents is not specified\n",
        ),
        (
            turns(&[("user", json!([]))]),
            "* GenerateContentRequest.contents[0].parts: contents.parts must not be empty.\n",
        ),
        (
            turns(&[("user", json!([{"thought": true}]))]),
            "* GenerateContentRequest.contents[0].parts[0].data: required oneof field 'data' must have one initialized field\n",
        ),
        (
            turns(&[("assistant", text())]),
            "Please use a valid role: user, model.",
        ),
        (
            turns(&[("user", text()), ("model", text()), ("user", response())]),
            "Please ensure that function response turn comes immediately after a function call turn.",
        ),
        (
            turns(&[("user", text()), ("model", call()), ("user", text())]),
            "Please ensure that the number of function response parts is equal",
        ),
        (
            turns(&[("model", call()), ("user", response())]),
            "Please ensure that function call turn comes immediately after a user turn",
        ),
        (
            turns(&[
                ("model", json!([{"text": "a", "thoughtSignature": "AAAA"}])),
                ("user", text()),
            ]),
            "Corrupted thought signature.",
        ),
        (
            function(json!({"type": "object", "properties": {}})),
            "* GenerateContentRequest.tools[0].function_declarations[0].parameters.properties: should be non-empty for OBJECT type\n",
        ),
        (
            function(json!({"type": "object", "properties": {"a": {"type": "array"}}})),
            "* GenerateContentRequest.tools[0].function_declarations[0].parameters.properties[a].items: missing field.\n",
        ),
        (
            function(
                json!({"type": "OBJECT", "properties": {"a": {"type": "INTEGER", "enum": ["1"]}}}),
            ),
            "* GenerateContentRequest.tools[0].function_declarations[0].parameters.properties[a].enum: only allowed for STRING type\n",
        ),
        (
            function(
                json!({"type": "OBJECT", "required": ["b"], "properties": {"a": {"type": "STRING", "format": "uri"}}}),
            ),
            "* GenerateContentRequest.tools[0].function_declarations[0].parameters.required[0]: property is not defined\n* GenerateContentRequest.tools[0].function_declarations[0].parameters.properties[a].format: only 'enum' and 'date-time' are supported for STRING type\n",
        ),
        (
            json!({"tools": [{"functionDeclarations": [{"name": "a b"}]}]}),
            "* GenerateContentRequest.tools[0].function_declarations[0].name: Invalid function name.",
        ),
        (
            json!({"toolConfig": {"functionCallingConfig": {"mode": "AUTO", "allowedFunctionNames": ["f"]}}}),
            "* GenerateContentRequest.tool_config.function_calling_config.allowed_function_names: allowed",
        ),
        (
            json!({"generationConfig": {"temperature": 2.1}}),
            "* GenerateContentRequest.generation_config.temperature: temperature must be in the range [0.0, 2.0].\n",
        ),
        (
            json!({"generationConfig": {"maxOutputTokens": 0}}),
            "* GenerateContentRequest.generation_config.max_output_tokens: max_output_tokens must be positive.\n",
        ),
        (
            json!({"generationConfig": {"stopSequences": ["1", "2", "3", "4", "5", "6"]}}),
            "* GenerateContentRequest.generation_config.stop_sequences: the number",
        ),
        (
            json!({"generationConfig": {"responseSchema": {"type": "STRING"}}}),
            "* GenerateContentRequest.generation_config.response_schema: only allowed when",
        ),
        (
            json!({"generationConfig": {"thinkingConfig": {"thinkingBudget": 1, "thinkingLevel": "LOW"}}}),
            "You can only set only one of thinking budget and thinking level.",
        ),
    ] {
        let refused = checked(&change).unwrap_err();
        assert!(refused.starts_with(said), "{change}: {refused}");
    }
}

#[test]
fn what_the_service_accepts_is_accepted() {
    let signature = BASE64_STANDARD.encode([SIGNED, "x"].concat());
    let change = json!({
        "systemInstruction": {"parts": {"text": "s"}},
        "contents": [
            {"parts": [{"text": "t"}, {"inlineData": {"mimeType": "image/png", "data": "AAEC"}}]},
            {"role": "model", "parts": [
                {"text": "hm", "thought": true},
                {"functionCall": {"name": "f", "args": {"a": null}}, "thoughtSignature": signature},
                {"functionCall": {"name": "f", "args": {}, "id": "2"}},
            ]},
            {"role": "user", "parts": [
                {"functionResponse": {"name": "f", "response": {"result": 1}}},
                {"functionResponse": {"name": "f", "response": {"result": 2}, "id": "2"}},
            ]},
        ],
        "tools": [{"functionDeclarations": [
            {"name": "f", "parameters": {"type": "object", "required": ["a"], "properties": {
                "a": {"anyOf": [{"type": "string"}, {"type": "integer", "format": "int64"}], "nullable": true},
            }}},
            {"name": "g"},
            {"name": "h", "parametersJsonSchema": {"type": "object", "additionalProperties": false}},
        ]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["g"]}},
        "generationConfig": {
            "temperature": 2, "topP": 1, "topK": 1, "seed": 0, "maxOutputTokens": 5, "candidateCount": 2,
            "responseMimeType": "application/json", "responseJsonSchema": {"type": "object"},
            "thinkingConfig": {"includeThoughts": true, "thinkingBudget": -1},
        },
        "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}],
    });
    assert_eq!(checked(&change), Ok(()));
}
