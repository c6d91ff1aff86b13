//! Writes a response.

use serde_json::{Map, Value, json};

use crate::codec::Context;
use crate::form::{Choice, Finish, Part, Reply, Usage, Vendor};
use crate::json::to_vec;
use crate::openai::responses::is_item;
use crate::openai::responses::request::REPEATED;

/// Makes ids of a request's id: `msg_<request>_0`, and so on in order of output.
#[derive(Debug)]
pub(crate) struct Ids {
    base: String,
}

impl Ids {
    pub(crate) fn new(context: &Context) -> Self {
        let base = context.request_id.replace('-', "");
        Self { base }
    }

    /// The response's own: the upstream's, if that is one too.
    pub(crate) fn response(&self, given: Option<&str>) -> String {
        match given {
            Some(id) if id.starts_with("resp_") => id.to_owned(),
            _ => format!("resp_{}", self.base),
        }
    }

    pub(crate) fn item(&self, kind: &str, place: usize) -> String {
        format!("{kind}_{}_{place}", self.base)
    }
}

/// How far a response is.
#[derive(Clone, Debug)]
pub(crate) enum Status {
    InProgress,
    Failed(Value),
    Ended(Option<Finish>),
}

/// A response around its output.
pub(crate) fn frame(
    id: &str,
    created: i64,
    status: &Status,
    output: Vec<Value>,
    usage: Option<&Usage>,
    (model, context): (&str, &Context),
) -> Map<String, Value> {
    let (word, incomplete) = match status {
        Status::InProgress => ("in_progress", None),
        Status::Failed(_) => ("failed", None),
        Status::Ended(Some(Finish::Length | Finish::Pause)) => {
            ("incomplete", Some("max_output_tokens"))
        }
        Status::Ended(Some(Finish::Other(word))) => ("incomplete", Some(word.as_str())),
        Status::Ended(Some(Finish::ContentFilter | Finish::Refusal)) => {
            ("incomplete", Some("content_filter"))
        }
        Status::Ended(_) => ("completed", None),
    };
    let error = match status {
        Status::Failed(error) => error.clone(),
        _ => Value::Null,
    };
    let mut out = Map::new();
    let mut put = |name: &str, value: Value| out.insert(name.to_owned(), value);
    put("id", id.into());
    put("object", "response".into());
    put("created_at", created.into());
    put("status", word.into());
    put("background", false.into());
    put("error", error);
    let incomplete = incomplete.map(|reason| json!({"reason": reason}));
    put("incomplete_details", incomplete.into());
    put("model", model.into());
    put("output", output.into());
    put("previous_response_id", Value::Null);
    put("store", false.into());
    put("usage", usage.map(figures).into());
    put(
        "user",
        context.echo.get("user").cloned().unwrap_or_default(),
    );
    for name in REPEATED {
        let said = context.echo.get(name).cloned();
        put(name, said.unwrap_or_else(|| default(name)));
    }
    out
}

/// What OpenAI's responses say of a field that the request left out.
fn default(name: &str) -> Value {
    match name {
        "metadata" => json!({}),
        "parallel_tool_calls" => true.into(),
        "reasoning" => json!({"effort": null, "summary": null}),
        "service_tier" => "default".into(),
        "text" => json!({"format": {"type": "text"}}),
        "tool_choice" => "auto".into(),
        "tools" => json!([]),
        "top_logprobs" => 0.into(),
        "temperature" | "top_p" => json!(1.0),
        "truncation" => "disabled".into(),
        _ => Value::Null,
    }
}

fn figures(usage: &Usage) -> Value {
    let mut figures = json!({
        "input_tokens": usage.input,
        "input_tokens_details": {
            "cached_tokens": usage.cached_input.unwrap_or_default(),
            "cache_write_tokens": usage.cache_write.unwrap_or_default(),
        },
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning.unwrap_or_default()},
        "total_tokens": usage.input.saturating_add(usage.output),
    });
    if usage.estimated {
        figures["estimated"] = true.into();
    }
    figures
}

/// A message item.
fn message(id: &str, status: &str, content: Vec<Value>) -> Value {
    json!({
        "id": id, "type": "message", "status": status, "role": "assistant", "content": content,
    })
}

/// A text of a message.
fn text_part(text: &str, annotations: Vec<Value>, logprobs: Vec<Value>) -> Value {
    json!({
        "type": "output_text", "text": text, "annotations": annotations, "logprobs": logprobs,
    })
}

/// A summary of reasoning.
fn summary(text: &str) -> Value {
    json!({"type": "summary_text", "text": text})
}

/// A reasoning item.
fn reasoning(id: &str, text: &str, encrypted: Option<&str>) -> Value {
    let summary = (!text.is_empty()).then(|| summary(text));
    let mut item = json!({
        "id": id, "type": "reasoning", "summary": summary.into_iter().collect::<Vec<_>>(),
    });
    if let Some(encrypted) = encrypted {
        item["encrypted_content"] = encrypted.into();
    }
    item
}

/// A function's call.
fn function_call(id: &str, status: &str, call: &str, name: &str, arguments: &str) -> Value {
    json!({
        "id": id, "type": "function_call", "status": status, "call_id": call, "name": name,
        "arguments": arguments,
    })
}

/// Writes a reply.
#[must_use]
pub fn write(reply: &Reply, context: &Context) -> Vec<u8> {
    let ids = Ids::new(context);
    let first = reply.choices.first();
    let id = ids.response(reply.id.as_deref());
    let created = reply.created.unwrap_or_else(|| context.started.as_second());
    let output = first.map_or_else(Vec::new, |choice| output(choice, context, &ids));
    let status = Status::Ended(first.and_then(|choice| choice.finish.clone()));
    let about = (reply.model_or(&context.model), context);
    let mut out = frame(&id, created, &status, output, reply.usage.as_ref(), about);
    if let Some(tier) = reply.extra.get("service_tier") {
        out.insert("service_tier".to_owned(), tier.clone());
    }
    to_vec(&out)
}

fn output(choice: &Choice, context: &Context, ids: &Ids) -> Vec<Value> {
    let mut out = Vec::new();
    let mut content = Vec::new();
    let mut open: Option<(String, Vec<Value>)> = None;
    let logprobs = choice.logprobs.as_ref();
    let mut logprobs = logprobs
        .and_then(|value| value.get("content")?.as_array().cloned())
        .unwrap_or_default();
    for part in &choice.parts {
        if let Part::Text {
            text, citations, ..
        } = part
        {
            let (joined, annotations) = open.get_or_insert_default();
            joined.push_str(text);
            let list = citations.as_ref().and_then(Value::as_array);
            annotations.extend(list.into_iter().flatten().filter_map(annotation));
            continue;
        }
        if let Some((text, annotations)) = open.take() {
            content.push(text_part(&text, annotations, std::mem::take(&mut logprobs)));
        }
        if let Part::Refusal(text) = part {
            content.push(json!({"type": "refusal", "refusal": text}));
            continue;
        }
        let item = item(
            part,
            context,
            ids,
            out.len() + usize::from(!content.is_empty()),
        );
        let Some(item) = item else { continue };
        if !content.is_empty() {
            let id = ids.item("msg", out.len());
            out.push(message(&id, "completed", std::mem::take(&mut content)));
        }
        out.push(item);
    }
    if let Some((text, annotations)) = open.take() {
        content.push(text_part(&text, annotations, logprobs));
    }
    if !content.is_empty() {
        let id = ids.item("msg", out.len());
        out.push(message(&id, "completed", content));
    }
    out
}

fn item(part: &Part, context: &Context, ids: &Ids, place: usize) -> Option<Value> {
    match part {
        Part::Reasoning {
            text, encrypted, ..
        } => {
            let text = if context.reasoning { text.as_str() } else { "" };
            let own = encrypted.as_ref().filter(|it| it.vendor == Vendor::OpenAi);
            let encrypted = own.map(|it| it.data.as_str());
            let said = !text.is_empty() || encrypted.is_some();
            said.then(|| reasoning(&ids.item("rs", place), text, encrypted))
        }
        Part::ToolCall(call) => {
            let id = ids.item("fc", place);
            let arguments = call.arguments.as_text();
            Some(function_call(
                &id,
                "completed",
                &call.id,
                &call.name,
                arguments,
            ))
        }
        Part::Other { kind, value } if is_item(kind, value) => Some(value.clone()),
        _ => None,
    }
}

/// OpenAI's citations, of which chat completions put a web page's into an object of its own.
fn annotation(value: &Value) -> Option<Value> {
    let kind = value.get("type")?.as_str()?;
    match value.get(kind) {
        Some(Value::Object(inner)) if kind == "url_citation" => {
            let mut flat = Map::from_iter([("type".to_owned(), Value::from(kind))]);
            flat.extend(inner.clone());
            Some(flat.into())
        }
        None if matches!(
            kind,
            "url_citation" | "file_citation" | "container_file_citation" | "file_path"
        ) =>
        {
            Some(value.clone())
        }
        _ => None,
    }
}
