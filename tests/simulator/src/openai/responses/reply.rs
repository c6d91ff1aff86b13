//! A whole response, and the items of its output.

use serde_json::{Map, Value, json};

use crate::{
    answer::{Call, Choice, Usage},
    openai::CREATED,
};

/// What a request does not say, as the API echoes it.
const ECHOED: [(&str, &str); 15] = [
    ("background", "false"),
    ("instructions", "null"),
    ("max_output_tokens", "null"),
    ("max_tool_calls", "null"),
    ("metadata", "{}"),
    ("parallel_tool_calls", "true"),
    ("previous_response_id", "null"),
    ("service_tier", "\"default\""),
    ("store", "true"),
    ("temperature", "1.0"),
    ("tool_choice", "\"auto\""),
    ("tools", "[]"),
    ("top_logprobs", "0"),
    ("top_p", "1.0"),
    ("truncation", "\"disabled\""),
];

/// A response that is being made.
pub(crate) struct Response<'a> {
    /// The request's number.
    pub(crate) id: u64,
    /// As it was asked for.
    pub(crate) model: &'a str,
    pub(crate) fields: &'a Map<String, Value>,
    pub(crate) choice: &'a Choice,
    pub(crate) usage: Option<Usage>,
    pub(crate) extras: bool,
}

impl Response<'_> {
    /// All of it.
    pub(crate) fn whole(&self) -> Value {
        let (status, why) = match self.choice.finish {
            "length" => ("incomplete", Some("max_output_tokens")),
            "content_filter" => ("incomplete", Some("content_filter")),
            _ => ("completed", None),
        };
        let usage = self.usage.map_or(Value::Null, figures);
        let mut whole = self.shell(status, &self.output(), &usage);
        if let Some(why) = why {
            whole["incomplete_details"] = json!({"reason": why});
        }
        whole
    }

    /// The object around an output.
    pub(super) fn shell(&self, status: &str, output: &[Value], usage: &Value) -> Value {
        let mut shell = json!({
            "id": format!("resp_sim_{}", self.id),
            "object": "response",
            "created_at": CREATED,
            "status": status,
            "error": null,
            "incomplete_details": null,
            "model": self.model,
            "output": output,
            "usage": usage,
            "reasoning": self.part("reasoning", &json!({"effort": null, "summary": null})),
            "text": self.part("text", &json!({"format": {"type": "text"}, "verbosity": "medium"})),
        });
        for (name, otherwise) in ECHOED {
            let said = self.fields.get(name).filter(|value| !value.is_null());
            let said = said
                .cloned()
                .or_else(|| serde_json::from_str(otherwise).ok());
            shell[name] = said.unwrap_or_default();
        }
        shell
    }

    fn part(&self, name: &str, otherwise: &Value) -> Value {
        let mut part = otherwise.clone();
        if let Some(Value::Object(said)) = self.fields.get(name) {
            for (name, value) in said {
                part[name] = value.clone();
            }
        }
        part
    }

    /// The items, whole.
    pub(super) fn output(&self) -> Vec<Value> {
        let mut output = vec![];
        if let Some(thought) = self.choice.reasoning {
            output.push(self.reasoning(self.summarized().then_some(thought)));
        }
        if let Some(text) = &self.choice.text {
            output.push(self.message("completed", &[text_part(text)]));
        }
        let calls = self.choice.calls.iter().enumerate();
        output.extend(calls.map(|(at, call)| self.call(at, call, "completed", &call.arguments)));
        output
    }

    /// Whether thoughts are told, which they are only if asked for.
    pub(super) fn summarized(&self) -> bool {
        let reasoning = self.fields.get("reasoning");
        reasoning.is_some_and(|reasoning| reasoning["summary"].is_string())
    }

    pub(super) fn reasoning(&self, thought: Option<&str>) -> Value {
        let summary: Vec<_> = thought
            .map(|text| json!({"type": "summary_text", "text": text}))
            .into_iter()
            .collect();
        let mut item = json!({"id": self.item("rs", 0), "type": "reasoning", "summary": summary});
        let include = self.fields.get("include").and_then(Value::as_array);
        let encrypted = Value::from("reasoning.encrypted_content");
        if include.is_some_and(|names| names.contains(&encrypted)) {
            item["encrypted_content"] = "Z0FBQUFB".into();
        }
        item
    }

    pub(super) fn message(&self, status: &str, content: &[Value]) -> Value {
        json!({
            "id": self.item("msg", 0),
            "type": "message",
            "status": status,
            "role": "assistant",
            "content": content,
        })
    }

    pub(super) fn call(&self, at: usize, call: &Call, status: &str, arguments: &str) -> Value {
        json!({
            "id": self.item("fc", at),
            "type": "function_call",
            "status": status,
            "call_id": self.item("call", at),
            "name": call.name,
            "arguments": arguments,
        })
    }

    fn item(&self, prefix: &str, at: usize) -> String {
        format!("{prefix}_sim_{}_{at}", self.id)
    }
}

/// A part of a message.
pub(super) fn text_part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}

fn figures(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.prompt,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": usage.completion,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.prompt + usage.completion,
    })
}
