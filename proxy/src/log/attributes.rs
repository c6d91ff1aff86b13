//! What a log policy's expressions make of a request, when it is over.
//!
//! They are shown what a row may show: masked and redacted first, so that no expression makes a secret look like none.

use std::borrow::Cow;
use std::cell::OnceCell;

use dragoman_config::cel::{self, EvaluationError, Expression};
use dragoman_logbook::record::cut;
use http::HeaderName;
use serde_json::{Map, Value, json};

use super::draft::Draft;
use super::metrics::Metrics;
use super::row::masked;
use super::said::Said;
use crate::state::logging::{Logging, SHOWN};

/// The longest value, as JSON, in bytes. Of a longer text the beginning is kept.
const LONGEST: usize = 1 << 10;

/// Every attribute that there is a value of; none where there is no value. `headers` are masked already.
pub(super) fn of(
    draft: &Draft,
    said: &Said,
    headers: &[(String, String)],
    logging: &Logging,
    metrics: &Metrics,
) -> Option<Map<String, Value>> {
    if logging.attributes.is_empty() {
        return None;
    }
    let facts = Facts {
        draft,
        said,
        headers,
        logging,
        address: draft.address.map(|it| it.to_string()).unwrap_or_default(),
        request: OnceCell::new(),
        response: OnceCell::new(),
        user: OnceCell::new(),
    };
    let mut found = Map::new();
    for (name, expression) in &logging.attributes {
        match value(expression, &facts) {
            Ok(Value::Null) => {}
            Ok(value) => {
                found.insert(name.clone(), value);
            }
            Err(fault) => {
                let failures = metrics.attribute_failed(name);
                // Ever more seldom, the more often it happens.
                if failures.is_power_of_two() {
                    tracing::warn!(attribute = %name, %fault, failures, "an attribute is left out of the request log; its expression is LLMProxy.spec.logging.attributes");
                }
            }
        }
    }
    (!found.is_empty()).then_some(found)
}

fn value(expression: &Expression, facts: &Facts<'_>) -> Result<Value, EvaluationError> {
    let value = masked(expression.evaluate(facts)?, facts.logging);
    match value {
        Value::String(text) => Ok(cut(&text, LONGEST).into_owned().into()),
        Value::Array(_) | Value::Object(_) if value.to_string().len() > LONGEST => Err(
            EvaluationError(format!("it gives more than {LONGEST} bytes of JSON")),
        ),
        value => Ok(value),
    }
}

/// A request that is over, as a row may show it. What nobody asks for is not worked out.
struct Facts<'a> {
    draft: &'a Draft,
    said: &'a Said,
    headers: &'a [(String, String)],
    logging: &'a Logging,
    address: String,
    request: OnceCell<Value>,
    response: OnceCell<Value>,
    user: OnceCell<Value>,
}

impl cel::Facts for Facts<'_> {
    fn request(&self) -> &Value {
        self.request.get_or_init(|| {
            let kept = &self.draft.request;
            if kept.is_cut() || kept.head().len() > SHOWN {
                return Value::Null;
            }
            let read = serde_json::from_slice(kept.head());
            read.map_or(Value::Null, |body| masked(body, self.logging))
        })
    }

    fn header(&self, name: &HeaderName) -> Option<Cow<'_, str>> {
        let lines = self.headers.iter().filter(|(it, _)| it == name.as_str());
        let lines = lines.map(|(_, value)| Cow::Borrowed(value.as_str()));
        lines.reduce(|joined, line| joined + ", " + line)
    }

    fn user(&self) -> &Value {
        self.user.get_or_init(|| {
            let user = self.draft.user.as_ref();
            user.map_or(Value::Null, |user| {
                masked(user.seen().clone(), self.logging)
            })
        })
    }

    fn user_name(&self) -> Option<&str> {
        Some(&self.draft.user.as_ref()?.name)
    }

    fn in_group(&self, group: &str) -> Option<bool> {
        let groups = &self.draft.user.as_ref()?.groups;
        Some(groups.iter().any(|one| one == group))
    }

    fn address(&self) -> &str {
        &self.address
    }

    fn route(&self) -> (&str, &str) {
        let route = self.draft.route.as_ref();
        route.map_or(("", ""), |route| (&route.namespace, &route.name))
    }

    fn model(&self) -> Option<&str> {
        self.draft.model_requested.as_deref()
    }

    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::try_from(self.draft.started).unwrap_or_default()
    }

    fn response(&self) -> &Value {
        self.response.get_or_init(|| {
            let said = json!({
                "content": self.said.content,
                "tool_calls": self.said.tool_calls,
                "finish_reason": self.said.finish,
            });
            masked(said, self.logging)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use bytes::Bytes;
    use dragoman_config::{LoggingItem, ObjectKey};
    use dragoman_crds::LogBodies;
    use http::Request;

    use super::*;
    use crate::access::caller::User;
    use crate::serve::request_id::RequestId;

    fn logging(attributes: &[(&str, &str)]) -> Logging {
        let attributes = attributes.iter();
        let attributes = attributes.map(|(name, it)| ((*name).to_owned(), (*it).to_owned()));
        Logging::new(&LoggingItem {
            attributes: Some(attributes.collect()),
            redact: vec![(r"\d{4}-\d{4}".to_owned(), "****".to_owned())],
            ..LoggingItem::usual(false)
        })
        .unwrap()
    }

    fn draft(body: &str, logging: &Logging) -> Draft {
        let request = Request::builder()
            .uri("/v1/chat/completions")
            .header("x-team", "red")
            .header("x-session-id", "s-0123456789")
            .header("x-note", "Bearer abcdefghijklmnop")
            .body(())
            .unwrap();
        let mut draft = Draft::new(RequestId::new(), Instant::now(), &request);
        let bounds = logging.bounds(LogBodies::None);
        draft.route(&ObjectKey::new("team", "chat"), LogBodies::None, bounds);
        draft
            .request
            .whole(&Bytes::copy_from_slice(body.as_bytes()));
        let claims = json!({"tier": 3}).as_object().cloned();
        draft.user = Some(Arc::new(User::new(
            "ann".into(),
            vec!["ops".into()],
            claims,
        )));
        draft
    }

    fn made(attributes: &[(&str, &str)], body: &str) -> (Value, Metrics) {
        let logging = logging(attributes);
        let draft = draft(body, &logging);
        let headers = super::super::mask::headers(&draft.headers);
        let said = Said {
            finish: Some("stop".into()),
            ..Said::default()
        };
        let metrics = Metrics::default();
        let made = of(&draft, &said, &headers, &logging, &metrics);
        (made.map_or(Value::Null, Value::Object), metrics)
    }

    #[test]
    fn each_expression_sees_the_request_its_caller_and_its_reply() {
        let (made, _) = made(
            &[
                ("team", "headers['x-team']"),
                ("tier", "user.claims.tier * 2"),
                ("ops", "'ops' in user.groups"),
                ("of", "route.namespace + '/' + user.name"),
                ("turns", "request.messages.size()"),
                ("end", "response.finish_reason"),
                ("nothing", "headers['x-other']"),
            ],
            r#"{"messages":[{"content":"a"},{"content":"b"}]}"#,
        );
        let expected = json!({"team": "red", "tier": 6, "ops": true, "of": "team/ann", "turns": 2, "end": "stop"});
        assert_eq!(made, expected);
    }

    #[test]
    fn no_expression_is_shown_what_rows_do_not_show() {
        let (made, _) = made(
            &[
                ("session", "headers['x-session-id']"),
                ("cut", "headers['x-note'].split('earer ').join('')"),
                ("card", "request.card.split('-').join('')"),
                ("key", "request.key.split('k-').join('')"),
            ],
            r#"{"card":"1234-5678","key":"\nsk-0123456789abcdef"}"#,
        );
        let expected =
            json!({"session": "[masked]", "cut": "[masked]", "card": "****", "key": "\n[masked]"});
        assert_eq!(made, expected);
    }

    #[test]
    fn what_fails_or_is_too_long_is_left_out_and_counted() {
        let (made, metrics) = made(
            &[
                ("long", "request.text"),
                ("list", "[request.text]"),
                ("wrong", "request.text > 3"),
            ],
            &json!({"text": "é".repeat(LONGEST)}).to_string(),
        );
        assert!(made["long"].as_str().unwrap().len() <= LONGEST);
        assert_eq!(made.as_object().unwrap().len(), 1);
        let text = metrics.text(&dragoman_logbook::writer::Progress::default(), 0);
        for name in ["list", "wrong"] {
            let line =
                format!("dragoman_request_log_attribute_failures_total{{attribute=\"{name}\"}} 1");
            assert!(text.contains(&line), "{text}");
        }
    }

    #[test]
    fn a_body_that_is_too_long_or_no_json_is_null() {
        let attributes = [("is_null", "request == null")];
        let long = format!("\"{}\"", "a".repeat(SHOWN));
        for body in ["<html>", &long] {
            assert_eq!(
                made(&attributes, body).0,
                json!({"is_null": true}),
                "{:.9}",
                body
            );
        }
    }
}
