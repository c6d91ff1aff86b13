//! A request that is over, as spans: its own (`SERVER`), and one for each try of a backend (`CLIENT`).
//!
//! Sources: OpenTelemetry's conventions for [generative AI](https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/) and
//! [HTTP](https://opentelemetry.io/docs/specs/semconv/http/http-spans/).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dragoman_logbook::record::{Attempt, Record};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};

use super::Traced;
use crate::log::{operation, provider};

/// A request that is over, as far as its row does not tell it.
pub(crate) struct Finished {
    pub(crate) traced: Box<Traced>,
    pub(crate) started: SystemTime,
    pub(crate) took: Duration,
    /// How long each try of a backend took.
    pub(crate) tries: Vec<Duration>,
}

impl Finished {
    /// Its spans, the request's first.
    pub(crate) fn spans(&self, record: &Record) -> Vec<Span> {
        let own = Span {
            kind: SpanKind::Server.into(),
            parent_span_id: self.traced.parent.map(Vec::from).unwrap_or_default(),
            name: name(record, record.model_requested.as_deref()),
            attributes: of_request(record),
            status: status(record, 500),
            ..self.span(self.traced.span, Duration::ZERO, self.took)
        };
        let mut spans = vec![own];
        let last = self.traced.tries.len().saturating_sub(1);
        for (at, (id, from)) in self.traced.tries.iter().enumerate() {
            let attempt = record.attempts.get(at);
            // A client may leave while a backend is asked; and the reply of the last one lasts as long as the request.
            let answers = at == last && attempt.is_none_or(|it| it.status.is_some());
            let end = match self.tries.get(at) {
                Some(took) if !answers => *from + *took,
                _ => self.took,
            };
            spans.push(Span {
                kind: SpanKind::Client.into(),
                parent_span_id: self.traced.span.into(),
                name: name(record, record.model_sent.as_deref()),
                attributes: of_try(record, at, attempt, answers),
                status: match attempt {
                    Some(attempt) if !answers => of_attempt(attempt),
                    _ => status(record, 400),
                },
                ..self.span(*id, *from, end)
            });
        }
        spans
    }

    fn span(&self, id: [u8; 8], from: Duration, to: Duration) -> Span {
        Span {
            trace_id: self.traced.trace.into(),
            span_id: id.into(),
            start_time_unix_nano: nanos(self.started + from),
            end_time_unix_nano: nanos(self.started + to.max(from)),
            // Sampled.
            flags: 1,
            ..Span::default()
        }
    }
}

fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Whether a model is called at all.
fn is_call(record: &Record) -> bool {
    record.model_requested.is_some() || record.model_sent.is_some()
}

fn name(record: &Record, model: Option<&str>) -> String {
    match model {
        Some(model) => format!("{} {model}", operation(&record.path)),
        None if is_call(record) => operation(&record.path).to_owned(),
        None => record.method.clone(),
    }
}

fn of_request(record: &Record) -> Vec<KeyValue> {
    let path = record.path.split('?').next().unwrap_or_default();
    let mut attributes = vec![
        text("http.request.method", &record.method),
        text("url.path", path),
        text("dragoman.request_id", &record.id),
        text("dragoman.namespace", &record.namespace),
    ];
    let host = |(name, _): &&(String, String)| name == "host" || name == ":authority";
    let host = record.request_headers.iter().find(host);
    for (name, value) in [
        ("server.address", host.map(|(_, host)| host.as_str())),
        ("client.address", record.client_address.as_deref()),
        ("user.name", record.user_name.as_deref()),
        ("dragoman.route", record.route.as_deref()),
        ("gen_ai.request.model", record.model_requested.as_deref()),
    ] {
        attributes.extend(value.map(|value| text(name, value)));
    }
    attributes.extend(code(record.status));
    if is_call(record) {
        attributes.push(text("gen_ai.operation.name", operation(&record.path)));
        attributes.extend(said(record));
    }
    attributes.extend(error_type(record.status, record.error.is_some(), 500));
    attributes
}

fn of_try(record: &Record, at: usize, attempt: Option<&Attempt>, answers: bool) -> Vec<KeyValue> {
    let mut attributes = vec![text("http.request.method", &record.method)];
    if at > 0 {
        attributes.push(whole("http.request.resend_count", at as i64));
    }
    if let Some(attempt) = attempt {
        attributes.push(text("url.full", &attempt.url));
        attributes.push(text("dragoman.backend", &attempt.backend));
        let url = reqwest::Url::parse(&attempt.url).ok();
        let host = url.as_ref().and_then(|url| url.host_str());
        attributes.extend(host.map(|host| text("server.address", host)));
        let port = url.as_ref().and_then(reqwest::Url::port_or_known_default);
        attributes.extend(port.map(|port| whole("server.port", port.into())));
        attributes.extend(code(attempt.status));
    }
    if is_call(record) {
        attributes.push(text("gen_ai.operation.name", operation(&record.path)));
        let model = record.model_sent.as_deref();
        attributes.extend(model.map(|model| text("gen_ai.request.model", model)));
    }
    if answers && attempt.is_some() {
        attributes.extend(said(record));
        attributes.extend(error_type(record.status, record.error.is_some(), 400));
    } else {
        let status = attempt.and_then(|it| it.status);
        attributes.extend(error_type(status, true, 400));
    }
    attributes
}

/// What the model said of itself and of its work.
fn said(record: &Record) -> Vec<KeyValue> {
    let mut said = Vec::new();
    let provider = provider(record.upstream_dialect.as_deref());
    if !provider.is_empty() {
        said.push(text("gen_ai.provider.name", provider));
    }
    let model = record.model_reported.as_deref();
    said.extend(model.map(|model| text("gen_ai.response.model", model)));
    if let Some(reason) = &record.finish_reason {
        let reasons = ArrayValue {
            values: vec![any(Value::StringValue(reason.clone()))],
        };
        let reasons = Value::ArrayValue(reasons);
        said.push(pair("gen_ai.response.finish_reasons", reasons));
    }
    for (name, tokens) in [
        ("gen_ai.usage.input_tokens", record.prompt_tokens),
        ("gen_ai.usage.output_tokens", record.completion_tokens),
    ] {
        said.extend(tokens.map(|tokens| whole(name, tokens)));
    }
    said
}

fn code(status: Option<u16>) -> Option<KeyValue> {
    status.map(|status| whole("http.response.status_code", status.into()))
}

/// By the status, where it is one of an error from `least` on.
fn error_type(status: Option<u16>, failed: bool, least: u16) -> Option<KeyValue> {
    match status {
        Some(status) if status >= 400 => {
            (status >= least).then(|| text("error.type", &status.to_string()))
        }
        _ => failed.then(|| text("error.type", "incomplete")),
    }
}

/// An error, where the status is one from `least` on, or the reply was not completed.
fn status(record: &Record, least: u16) -> Option<Status> {
    let failed = match record.status {
        Some(status) if status >= 400 => status >= least,
        _ => record.error.is_some(),
    };
    failed.then(|| error(record.error.as_deref()))
}

fn of_attempt(attempt: &Attempt) -> Option<Status> {
    let failed = attempt.status.is_none_or(|status| status >= 400);
    failed.then(|| error(attempt.error.as_deref()))
}

fn error(message: Option<&str>) -> Status {
    Status {
        message: message.unwrap_or_default().to_owned(),
        code: StatusCode::Error.into(),
    }
}

fn any(value: Value) -> AnyValue {
    AnyValue { value: Some(value) }
}

fn pair(name: &str, value: Value) -> KeyValue {
    KeyValue {
        key: name.to_owned(),
        value: Some(any(value)),
        ..KeyValue::default()
    }
}

pub(super) fn text(name: &str, value: &str) -> KeyValue {
    pair(name, Value::StringValue(value.to_owned()))
}

fn whole(name: &str, value: i64) -> KeyValue {
    pair(name, Value::IntValue(value))
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;
    use crate::trace::Sampler;

    fn value(span: &Span, name: &str) -> Option<String> {
        let found = span.attributes.iter().find(|it| it.key == name)?;
        match found.value.clone()?.value? {
            Value::StringValue(text) => Some(text),
            Value::IntValue(number) => Some(number.to_string()),
            _ => Some(String::new()),
        }
    }

    fn spans(record: &Record, tries: usize) -> Vec<Span> {
        let mut traced = Traced::begin(&HeaderMap::new(), &Sampler::default());
        for at in 0..tries {
            traced.try_next(&mut HeaderMap::new(), Duration::from_millis(10 * at as u64));
        }
        let finished = Finished {
            traced,
            started: UNIX_EPOCH + Duration::from_secs(1),
            took: Duration::from_millis(100),
            tries: vec![Duration::from_millis(5); record.attempts.len()],
        };
        finished.spans(record)
    }

    fn attempt(status: Option<u16>) -> Attempt {
        Attempt {
            url: "http://llm:8000/v1/chat/completions".into(),
            status,
            error: status.is_none().then(|| "cannot connect".into()),
            ..Attempt::default()
        }
    }

    fn record(attempts: Vec<Attempt>) -> Record {
        Record {
            method: "POST".into(),
            path: "/v1/chat/completions?key=[masked]".into(),
            status: Some(200),
            model_requested: Some("gpt-4o".into()),
            model_sent: Some("llama3".into()),
            upstream_dialect: Some("OpenAI".into()),
            prompt_tokens: Some(7),
            attempts,
            ..Record::default()
        }
    }

    #[test]
    fn each_try_is_a_child_and_the_last_one_lasts_as_long_as_the_reply() {
        let spans = spans(&record(vec![attempt(None), attempt(Some(200))]), 2);
        let [own, first, last] = &spans[..] else {
            panic!("{spans:?}");
        };
        assert_eq!(
            (own.name.as_str(), last.name.as_str()),
            ("chat gpt-4o", "chat llama3")
        );
        for child in [first, last] {
            assert_eq!(
                (&child.parent_span_id, &child.trace_id),
                (&own.span_id, &own.trace_id)
            );
        }
        let took = |span: &Span| (span.end_time_unix_nano - span.start_time_unix_nano) / 1_000_000;
        assert_eq!([took(own), took(first), took(last)], [100, 5, 90]);
        assert_eq!(value(first, "error.type").as_deref(), Some("incomplete"));
        assert_eq!(value(first, "gen_ai.usage.input_tokens"), None);
        for (name, expected) in [
            ("server.address", "llm"),
            ("server.port", "8000"),
            ("http.request.resend_count", "1"),
            ("gen_ai.request.model", "llama3"),
            ("gen_ai.provider.name", "openai"),
            ("gen_ai.usage.input_tokens", "7"),
        ] {
            assert_eq!(value(last, name).as_deref(), Some(expected), "{name}");
        }
        assert_eq!(
            value(own, "url.path").as_deref(),
            Some("/v1/chat/completions")
        );
        assert!(own.status.is_none() && first.status.is_some() && last.status.is_none());
    }

    #[test]
    fn a_client_that_leaves_while_a_backend_is_asked_leaves_its_span_too() {
        let mut record = record(Vec::new());
        (record.status, record.error) = (None, Some("the client left".into()));
        let spans = spans(&record, 1);
        assert_eq!(spans.len(), 2);
        assert_eq!(
            value(&spans[1], "error.type").as_deref(),
            Some("incomplete")
        );
    }

    #[test]
    fn what_a_client_did_wrong_is_no_error_of_ours() {
        let mut record = record(Vec::new());
        (record.status, record.error) = (Some(401), Some("no key".into()));
        let spans = spans(&record, 0);
        assert_eq!(
            (&spans[0].status, value(&spans[0], "error.type")),
            (&None, None)
        );
    }
}
