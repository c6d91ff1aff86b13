//! OpenAI's endpoints that take a body.

use bytes::Bytes;
use http::{Method, StatusCode, header, request::Parts};
use serde_json::{Map, Value, json};

use crate::{
    answer::{Asked, Choice, Usage},
    call::Call,
    check,
    dialect::Dialect,
    faults, openai,
    openai::{Head, Tail},
    refusal::Refusal,
    reply::Reply,
    service::{Failed, unknown},
    shared::Shared,
    wire::Content,
};

/// Answers a POST below `/v1/`.
pub(crate) async fn post(
    shared: &Shared,
    head: &Parts,
    path: &str,
    body: Bytes,
    id: u64,
) -> Result<Reply, Failed> {
    const PATHS: [&str; 9] = [
        "chat/completions",
        "completions",
        "responses",
        "embeddings",
        "images/generations",
        "audio/speech",
        "audio/transcriptions",
        "moderations",
        "rerank",
    ];
    if !PATHS.contains(&path) {
        return Err(unknown(head).into());
    }
    if head.method != Method::POST {
        let message = format!("Not allowed to {} on {}", head.method, head.uri.path());
        return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, message).into());
    }
    let content_type = head
        .headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let (fields, form) = if path == "audio/transcriptions" {
        let form = openai::form(content_type.unwrap_or_default(), &body)?;
        let text = |(name, value): &(String, Bytes)| {
            (
                name.clone(),
                Value::from(String::from_utf8_lossy(value).as_ref()),
            )
        };
        (
            form.iter()
                .filter(|(name, _)| name != "file")
                .map(text)
                .collect(),
            form,
        )
    } else if content_type.is_some_and(|kind| !kind.to_ascii_lowercase().contains("json")) {
        // OpenAI reads such a body as empty.
        (Map::new(), vec![])
    } else {
        (check::object(&body)?, vec![])
    };
    let model = match path {
        // Here OpenAI chooses a model if none is named.
        "moderations" | "images/generations" if !fields.contains_key("model") => "default",
        _ => check::model(&fields)?,
    };
    let behaviour = shared.behaviour(model)?;
    let call = Call::new(shared, head, id, model, &behaviour);
    // A body that the API refuses is refused even where a fault was asked for: no fault hides it.
    let strict = behaviour.answer.strict;
    match path {
        "chat/completions" => {
            check::chat(&fields, strict)?;
            if behaviour.answer.remembers {
                check::remembered(&fields)?;
            }
        }
        "completions" => check::completions(&fields, strict)?,
        "embeddings" => check::embeddings(&fields, strict)?,
        "responses" => check::responses(&fields, strict)?,
        _ => {}
    }
    let mut reply = match faults::strike(&behaviour, head, id).await? {
        Some(reply) => reply,
        None => match path {
            "chat/completions" => call.chat(&fields),
            "completions" => call.completions(&fields),
            "responses" => call.responses(&fields),
            "embeddings" => call.json(&openai::embeddings(model, &fields)),
            "images/generations" => call.json(&openai::images(&fields)?),
            "moderations" => call.json(&openai::moderation(id, model, &fields)?),
            "rerank" => call.json(&openai::rerank(id, model, &fields)?),
            "audio/speech" => call.bytes("audio/mpeg", openai::speech(&fields)?),
            _ => call.json(&openai::transcription(&form)?),
        },
    };
    faults::headers(Dialect::OpenAi, &behaviour.fault, &mut reply);
    Ok(reply)
}

impl Call<'_> {
    /// Answers a checked chat body.
    pub(crate) fn chat(&self, fields: &Map<String, Value>) -> Reply {
        let asked = Asked::chat(fields);
        let answer = &self.behaviour.answer;
        let choice = Choice::of(answer, &asked);
        let usage = choice.usage(asked.prompt, asked.n);
        let head = self.head("chatcmpl");
        if asked.stream {
            let tail = self.tail(&asked, usage);
            self.stream(
                openai::chat_stream(&head, &choice, asked.n, answer.chunk, &tail),
                openai::stream_form(),
            )
        } else {
            let usage = (!answer.no_usage).then_some(usage);
            self.text(openai::chat_plain(&head, &choice, asked.n, usage))
        }
    }

    /// Answers a checked completions body.
    pub(crate) fn completions(&self, fields: &Map<String, Value>) -> Reply {
        let prompts = Asked::completions(fields);
        let answer = &self.behaviour.answer;
        let mut choices = vec![];
        let mut usage = Usage {
            prompt: 0,
            completion: 0,
            reasoning: 0,
        };
        for asked in &prompts {
            let mut choice = Choice::of(answer, asked);
            let used = choice.usage(asked.prompt, asked.n);
            usage.prompt += used.prompt;
            usage.completion += used.completion;
            if fields.get("echo") == Some(&Value::Bool(true)) {
                choice
                    .text
                    .get_or_insert_default()
                    .insert_str(0, &asked.text);
            }
            choices.extend(vec![choice; asked.n]);
        }
        let head = self.head("cmpl");
        match prompts.first() {
            Some(asked) if asked.stream => {
                let tail = self.tail(asked, usage);
                self.stream(
                    openai::completions_stream(&head, &choices, answer.chunk, &tail),
                    openai::stream_form(),
                )
            }
            _ => {
                let usage = (!answer.no_usage).then_some(usage);
                self.text(openai::completions_plain(&head, &choices, usage))
            }
        }
    }

    /// Answers a checked body of the Responses API.
    pub(crate) fn responses(&self, fields: &Map<String, Value>) -> Reply {
        let asked = openai::response_asked(fields);
        let answer = &self.behaviour.answer;
        let choice = Choice::of(answer, &asked);
        let response = openai::Response {
            id: self.id,
            model: self.model,
            fields,
            choice: &choice,
            usage: (!answer.no_usage).then(|| choice.usage(asked.prompt, 1)),
            extras: answer.extras,
        };
        if asked.stream {
            let done = !self.behaviour.wire.no_done;
            let events = openai::response_events(&response, answer.chunk, done);
            return self.stream(events.into_iter(), openai::response_form());
        }
        let whole = response.whole().to_string();
        self.text(if answer.extras {
            openai::with_extras(&whole)
        } else {
            whole
        })
    }

    fn head(&self, prefix: &str) -> Head {
        Head {
            id: format!("{prefix}-sim-{}", self.id),
            model: self.model.to_owned(),
            fingerprint: self.name.to_owned(),
            extras: self.behaviour.answer.extras,
            filtered: self.filtered,
        }
    }

    fn tail(&self, asked: &Asked, usage: Usage) -> Tail {
        let wanted = asked.include_usage && !self.behaviour.answer.no_usage;
        Tail {
            usage: wanted.then_some(usage),
            done: !self.behaviour.wire.no_done,
        }
    }
}

/// Answers any method below `/v1/files`: there are none, and each that is asked for exists.
pub(crate) fn files(head: &Parts, path: &str, id: u64) -> Reply {
    let file = |id: &str| {
        json!({
            "id": id,
            "object": "file",
            "bytes": 4,
            "created_at": openai::CREATED,
            "filename": "simulated.txt",
            "purpose": "batch",
            "status": "processed",
        })
    };
    match path.strip_prefix("files/").filter(|rest| !rest.is_empty()) {
        Some(rest) if rest.ends_with("/content") => Reply::new(
            StatusCode::OK,
            "application/octet-stream",
            Content::Whole(Bytes::from_static(&[0, 159, 146, 150])),
        ),
        Some(name) if head.method == Method::DELETE => {
            Reply::ok(&json!({"id": name, "object": "file", "deleted": true}))
        }
        Some(name) => Reply::ok(&file(name)),
        None if head.method == Method::GET => Reply::ok(&openai::list(&[])),
        None => Reply::ok(&file(&format!("file-sim-{id}"))),
    }
}
