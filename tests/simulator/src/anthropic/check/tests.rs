//! What is refused, and in which words.

use serde_json::{Value, json};

use super::{Kind, body};
use crate::anthropic::reply::signature;

fn changed(change: &Value) -> Value {
    let mut body = json!({
        "model": "echo", "max_tokens": 2000, "messages": [{"role": "user", "content": "hi"}],
    });
    for (name, value) in change.as_object().unwrap() {
        if value == "absent" {
            body.as_object_mut().unwrap().remove(name);
        } else {
            body[name] = value.clone();
        }
    }
    body
}

fn checked(change: &Value) -> Result<(), String> {
    let body = changed(change);
    super::body(body.as_object().unwrap(), Kind::default()).map_err(|refusal| refusal.message)
}

fn said(content: Value) -> Value {
    json!({"messages": [{"role": "user", "content": content}]})
}

/// A call, then what follows it.
fn called(after: Value) -> Value {
    let mut messages = vec![
        json!({"role": "user", "content": "hi"}),
        json!({"role": "assistant", "content": [
            {"type": "tool_use", "id": "a", "name": "f", "input": {}},
            {"type": "tool_use", "id": "b", "name": "f", "input": {}},
        ]}),
    ];
    messages.extend(after.as_array().unwrap().clone());
    json!({"messages": messages})
}

fn result(id: &str) -> Value {
    json!({"type": "tool_result", "tool_use_id": id, "content": "1"})
}

fn tool(change: &Value) -> Value {
    let mut tool = json!({"name": "f", "input_schema": {"type": "object"}});
    for (name, value) in change.as_object().unwrap() {
        tool[name] = value.clone();
    }
    json!({"tools": [tool]})
}

#[test]
fn each_refusal_says_what_the_api_says() {
    let thinking = |more: Value| {
        let mut change = json!({"thinking": {"type": "enabled", "budget_tokens": 1024}});
        for (name, value) in more.as_object().unwrap() {
            change[name] = value.clone();
        }
        change
    };
    for (change, message) in [
        (
            json!({"max_tokens": "absent"}),
            "max_tokens: Field required",
        ),
        (
            json!({"max_tokens": 0}),
            "max_tokens: Input should be greater than or equal to 1",
        ),
        (json!({"messages": "absent"}), "messages: Field required"),
        (
            json!({"messages": []}),
            "messages: at least one message is required",
        ),
        (json!({"n": 1}), "n: Extra inputs are not permitted"),
        (json!({"seed": 1}), "seed: Extra inputs are not permitted"),
        (json!({"temperature": 1.5}), "temperature: range: 0..1"),
        (
            json!({"temperature": null}),
            "temperature: Input should be a valid number",
        ),
        (
            json!({"system": null}),
            "system: Input should be a valid list",
        ),
        (
            json!({"stop_sequences": ["\n"]}),
            "stop_sequences: each stop sequence must contain non-whitespace",
        ),
        (
            json!({"metadata": {"team": "a"}}),
            "metadata.team: Extra inputs are not permitted",
        ),
        (
            json!({"messages": [{"role": "system", "content": "s"}]}),
            "messages: Unexpected role \"system\". The",
        ),
        (
            json!({"messages": [{"role": "tool", "content": "s"}]}),
            "messages.0.role: Input should be 'user' or 'assistant'",
        ),
        (
            json!({"messages": [{"role": "assistant", "content": "s"}]}),
            "messages: first message must use the \"user\" role",
        ),
        (
            json!({"messages": [{"role": "user", "content": "s", "name": "n"}]}),
            "messages.0.name: Extra inputs are not permitted",
        ),
        (
            json!({"messages": [{"role": "user", "content": "s"}, {"role": "assistant", "content": "x "}]}),
            "messages: final assistant content cannot end with trailing whitespace",
        ),
        (
            said(json!("")),
            "messages.0: all messages must have non-empty content",
        ),
        (
            said(json!([{"type": "text", "text": ""}])),
            "messages: text content blocks must be non-empty",
        ),
        (
            said(json!([{"type": "image_url", "image_url": {"url": "x"}}])),
            "messages.0.content.0: Input tag 'image_url' found using 'type' does not match",
        ),
        (
            said(json!([{"type": "text", "text": "t", "index": 0}])),
            "messages.0.content.0.text.index: Extra inputs are not permitted",
        ),
        (
            said(
                json!([{"type": "image", "source": {"type": "base64", "media_type": "image/tiff", "data": "AA=="}}]),
            ),
            "messages.0.content.0.image.source.base64.media_type: Input should be 'image/jpeg', 'image/png', 'image/gif' or 'image/webp'",
        ),
        (
            said(
                json!([{"type": "image", "source": {"type": "url", "url": "data:image/png;base64,AA=="}}]),
            ),
            "messages.0.content.0.image.source.url.url: Only HTTPS URLs are supported.",
        ),
        (
            said(json!([result("x")])),
            "messages.0.content.0: unexpected `tool_use_id` found in `tool_result` blocks: x.",
        ),
        (
            called(json!([{"role": "user", "content": [result("a")]}])),
            "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: b.",
        ),
        (
            called(
                json!([{"role": "user", "content": [result("a"), {"type": "text", "text": "t"}, result("b")]}]),
            ),
            "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: b.",
        ),
        (
            called(json!([{"role": "user", "content": [result("a"), result("b"), result("a")]}])),
            "messages.2.content.2: each tool_use must have a single result.",
        ),
        (
            called(json!([])),
            "messages.1: `tool_use` ids were found without",
        ),
        (
            tool(&json!({"name": "a.b"})),
            "tools.0.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'",
        ),
        (
            tool(&json!({"input_schema": {"properties": {}}})),
            "tools.0.custom.input_schema.type: Field required",
        ),
        (
            tool(&json!({"type": "function"})),
            "tools.0: Input tag 'function' found using 'type'",
        ),
        (
            json!({"tool_choice": {"type": "auto"}}),
            "tool_choice may only be specified while providing tools.",
        ),
        (
            thinking(json!({"thinking": {"type": "enabled", "budget_tokens": 1000}})),
            "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024",
        ),
        (
            thinking(json!({"max_tokens": 1024})),
            "`max_tokens` must be greater than `thinking.budget_tokens`.",
        ),
        (
            thinking(json!({"temperature": 0.5})),
            "`temperature` may only be set to 1",
        ),
        (thinking(json!({"top_k": 5})), "`top_k` must be unset"),
        (
            thinking(json!({"tools": tool(&json!({}))["tools"], "tool_choice": {"type": "any"}})),
            "Thinking may not be enabled when tool_choice forces tool use.",
        ),
        (
            thinking(called(
                json!([{"role": "user", "content": [result("a"), result("b")]}]),
            )),
            "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`.",
        ),
        (
            json!({"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}}),
            "output_config.format.schema: For 'object' type",
        ),
    ] {
        let refused = checked(&change).unwrap_err();
        assert!(refused.starts_with(message), "{change}: {refused}");
    }
}

#[test]
fn a_thought_that_was_altered_is_refused() {
    let turn = |thought: &str, signature: &str| {
        json!({"messages": [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": thought, "signature": signature},
                {"type": "text", "text": "b"},
            ]},
            {"role": "user", "content": "c"},
        ]})
    };
    let signature = signature("Hm.");
    assert_eq!(checked(&turn("Hm.", &signature)), Ok(()));
    assert_eq!(checked(&turn("", &signature)), Ok(()));
    for altered in [turn("Ho.", &signature), turn("Hm.", "c2lnbmVk")] {
        assert_eq!(
            checked(&altered).unwrap_err(),
            "messages.1.content.0: Invalid `signature` in `thinking` block"
        );
    }
}

#[test]
fn what_the_api_accepts_is_accepted() {
    let cache = json!({"type": "ephemeral", "ttl": "1h"});
    let change = json!({
        "system": [{"type": "text", "text": "s", "cache_control": cache}],
        "temperature": 1, "top_p": 0.95, "stop_sequences": ["END"], "stream": true,
        "metadata": {"user_id": "u"}, "service_tier": "auto",
        "thinking": {"type": "enabled", "budget_tokens": 1024, "display": "omitted"},
        "output_config": {"effort": "high", "format": {"type": "json_schema", "schema": {
            "type": "object", "additionalProperties": false, "properties": {"a": {"type": "string"}},
        }}},
        "tools": [
            {"name": "f", "description": "d", "input_schema": {"type": "object"}, "cache_control": cache},
            {"type": "web_search_20250305", "name": "web_search", "max_uses": 1},
        ],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": true},
        "messages": [
            {"role": "user", "content": "one"},
            {"role": "user", "content": [
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}},
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "d"}},
                {"type": "text", "text": "two", "cache_control": cache},
            ]},
            {"role": "assistant", "content": [
                {"type": "redacted_thinking", "data": "AA=="},
                {"type": "text", "text": "calling"},
                {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "a", "is_error": true, "content": [{"type": "text", "text": "r"}]},
                {"type": "text", "text": "three"},
            ]},
        ],
    });
    assert_eq!(checked(&change), Ok(()));
}

#[test]
fn a_count_of_tokens_knows_fewer_fields_and_a_beta_knows_more() {
    let whole = changed(&json!({"context_management": {}}));
    let fields = whole.as_object().unwrap();
    let of = |count, beta| Kind {
        count,
        beta,
        newest: false,
    };
    assert!(body(fields, of(false, false)).is_err());
    assert!(body(fields, of(false, true)).is_ok());
    assert!(body(fields, of(true, true)).is_err());
    let fewer = json!({"model": "echo", "messages": whole["messages"]});
    assert!(body(fewer.as_object().unwrap(), of(true, false)).is_ok());
}

#[test]
fn each_version_takes_what_it_took() {
    let document = json!({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "d"}});
    for (change, message) in [
        (
            json!({"temperature": 1}),
            "temperature: Extra inputs are not permitted",
        ),
        (json!({"top_k": 1}), "top_k: Extra inputs are not permitted"),
        (
            json!({"messages": [
                {"role": "user", "content": "a"}, {"role": "assistant", "content": [document]},
            ]}),
            "messages.1.content.0: `document`",
        ),
    ] {
        let changed = changed(&change);
        let fields = changed.as_object().unwrap();
        let newest = Kind {
            newest: true,
            ..Kind::default()
        };
        assert!(
            body(fields, newest)
                .unwrap_err()
                .message
                .starts_with(message)
        );
        assert_eq!(body(fields, Kind::default()), Ok(()), "{change}");
    }
}
