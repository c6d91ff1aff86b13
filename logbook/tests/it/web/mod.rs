//! The APIs and the dashboard, asked as a server asks them.

mod answers;
mod export;
mod hostile;
mod openapi;
mod pages;
mod signing_in;
mod viewers;

use crate::fixture::{Fixture, at};
use bytes::Bytes;
use dragoman_logbook::record::{Attempt, Record};
use dragoman_logbook::web::{Entrance, Live, NoneLive, Running, Viewer, Web};
use futures::future::{BoxFuture, FutureExt as _};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// A whole reply.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) async fn of(reply: http::Response<dragoman_logbook::web::Body>) -> Self {
        let (head, body) = reply.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Self {
            status: head.status,
            headers: head.headers,
            text: String::from_utf8(body.into()).unwrap(),
        }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// What a refusal says: the status, the parameter that is at fault, and why.
    pub(crate) fn refusal(&self) -> (u16, Value, String) {
        let error = &self.json()["error"];
        let message = error["message"].as_str().unwrap().to_owned();
        (self.status.as_u16(), error["parameter"].clone(), message)
    }
}

pub(crate) fn request(method: &str, path: &str) -> Request<Bytes> {
    Request::builder()
        .method(method)
        .uri(path)
        .body(Bytes::new())
        .unwrap()
}

/// Asks as somebody who may see everything.
pub(crate) async fn ask(web: &Web, method: &str, path: &str) -> Reply {
    Reply::of(web.serve(request(method, path), false).await).await
}

pub(crate) async fn get(web: &Web, path: &str) -> Reply {
    ask(web, "GET", path).await
}

pub(crate) async fn get_as(web: &Web, viewer: &Viewer, path: &str) -> Reply {
    Reply::of(web.answer(request("GET", path), viewer).await).await
}

/// What only this machine reaches.
pub(crate) fn open(fixture: &Fixture) -> Web {
    Web::new(fixture.store.clone(), Arc::new(NoneLive), Entrance::open())
}

pub(crate) fn namespaces(names: &[&str]) -> Viewer {
    Viewer::Namespaces(names.iter().map(|name| (*name).to_owned()).collect())
}

/// The ids of a page, in order.
pub(crate) fn ids(page: &Value) -> Vec<String> {
    let logs = page["logs"].as_array().unwrap();
    logs.iter()
        .map(|log| log["id"].as_str().unwrap().to_owned())
        .collect()
}

/// What runs, for as long as it is not cancelled.
#[derive(Default)]
pub(crate) struct Runs(pub(crate) Mutex<Vec<Running>>);

impl Live for Runs {
    fn list(&self) -> BoxFuture<'_, Vec<Running>> {
        std::future::ready(self.0.lock().unwrap().clone()).boxed()
    }

    fn cancel<'a>(&'a self, id: &'a str) -> BoxFuture<'a, bool> {
        let mut running = self.0.lock().unwrap();
        let before = running.len();
        running.retain(|one| one.id != id);
        std::future::ready(running.len() < before).boxed()
    }
}

/// A request with something in every column.
pub(crate) fn full(seconds: i64) -> Record {
    Record {
        upstream_dialect: Some("ollama".into()),
        backend: Some("team/ollama".into()),
        upstream_url: Some("http://ollama:11434/api/chat".into()),
        model_reported: Some("llama:8b".into()),
        stream: true,
        error: Some("the upstream closed the stream".into()),
        finish_reason: Some("length".into()),
        cached_tokens: Some(3),
        reasoning_tokens: Some(1),
        attempts: vec![Attempt {
            backend: "team/vllm".into(),
            url: "http://vllm/v1".into(),
            status: Some(503),
            error: Some("busy".into()),
            started_ms: 1,
            duration_ms: 2,
        }],
        upstream_ms: Some(240),
        request_headers: vec![("accept".into(), "*/*".into())],
        response_body: Some("data: x\n\n".into()),
        tool_calls: Some(json!([{"name": "f", "arguments": {"x": 1}}])),
        attributes: json!({"team": "red"}).as_object().cloned(),
        replay_as: Some("text/event-stream".into()),
        ..at(seconds)
    }
}
