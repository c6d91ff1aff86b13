//! A server for browsers: the dashboard over requests that look like a day's, and some that never end.

use bytes::Bytes;
use dragoman_logbook::record::{Attempt, Record};
use dragoman_logbook::store::{Store, micros};
use dragoman_logbook::web::{LONGEST_BODY, Live, Running, Web};
use futures::future::{BoxFuture, FutureExt as _};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;
use tokio::net::TcpListener;

/// Serves for ever.
pub(crate) async fn serve(listener: TcpListener, web: Arc<Web>) {
    while let Ok((connection, _)) = listener.accept().await {
        let web = Arc::clone(&web);
        tokio::spawn(async move {
            let answer = service_fn(|request| answer(&web, request));
            let served = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(connection), answer);
            let _ = served.await;
        });
    }
}

async fn answer(
    web: &Web,
    request: Request<Incoming>,
) -> Result<Response<dragoman_logbook::web::Body>, Infallible> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, LONGEST_BODY).collect().await else {
        let mut reply = Response::new(Bytes::new().into());
        *reply.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
        return Ok(reply);
    };
    let request = Request::from_parts(head, body.to_bytes());
    Ok(web.serve(request, false).await)
}

/// So many requests of the last day, the newest a minute ago.
pub(crate) async fn seed(store: &Store, rows: i64) {
    let now = micros(SystemTime::now());
    let every = 86_000_000_000 / rows.max(1);
    let mut batch = Vec::new();
    for at in 0..rows {
        batch.push(record(at, now - 60_000_000 - at * every));
        if batch.len() == 1000 || at + 1 == rows {
            store.insert(&batch).await.expect("the store takes rows");
            batch.clear();
        }
    }
}

/// The id of the request that is so many before the newest.
pub(crate) fn id(at: i64) -> String {
    format!("019a2b3c-0000-7000-8000-{at:012x}")
}

fn record(at: i64, started_at: i64) -> Record {
    // Some spread, and the same each time.
    let draw = |salt: u64, below: i64| {
        let mut mixed = (at as u64 ^ salt << 32).wrapping_add(0x9e37_79b9_7f4a_7c15);
        for factor in [0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb] {
            mixed = (mixed ^ mixed >> 30).wrapping_mul(factor);
        }
        (mixed >> 33) as i64 % below
    };
    let models = [
        "llama3-70b",
        "gpt-4o",
        "qwen3-32b",
        "mistral-small",
        "claude-sonnet",
    ];
    let users = ["alice", "bob", "build-bot", "carol", "support-assistant"];
    let routes = [
        ("team-a", "chat"),
        ("team-a", "search"),
        ("team-b", "chat"),
        ("platform", "embeddings"),
    ];
    let pick = |salt, names: &[&'static str]| {
        names[(draw(salt, 9) * draw(salt + 1, 9) / 9) as usize % names.len()]
    };
    let (namespace, route) = routes[(draw(5, 16) / 4) as usize];
    let model = pick(1, &models);
    let slow = if draw(7, 20) == 0 { 12 } else { 1 };
    let ttft = (60 + draw(8, 500)) * slow;
    let duration = ttft + (300 + draw(9, 4000)) * slow;
    let fate = draw(10, 40);
    let (status, error) = match fate {
        0 => (
            Some(502),
            Some("the upstream refused the connection; it may be starting"),
        ),
        1 => (
            Some(429),
            Some("over the limit of 100 requests a minute for user alice"),
        ),
        2 => (
            Some(200),
            Some("the upstream closed the stream before its end"),
        ),
        3 => (None, Some("the client left")),
        _ => (Some(200), None),
    };
    let answered = status == Some(200);
    let attempt = |backend: &str, status, error: Option<&str>, started_ms, duration_ms| Attempt {
        backend: format!("models/{backend}"),
        url: format!("http://{backend}.models.svc:8000/v1/chat/completions"),
        status,
        error: error.map(Into::into),
        started_ms,
        duration_ms,
    };
    let mut attempts = vec![attempt("vllm", status, error, 2, duration - 2)];
    if fate == 5 {
        attempts.insert(
            0,
            attempt("vllm-spot", Some(503), Some("503 from the upstream"), 2, 40),
        );
        attempts[1].started_ms = 45;
    }
    let body = json!({
        "model": model, "stream": true, "max_tokens": 400,
        "messages": [
            {"role": "system", "content": "You are a helpful assistant of the support team. Answer in the language of the question."},
            {"role": "user", "content": [
                {"type": "text", "text": "Why is the export of invoices <b>empty</b> since Tuesday?\n\nI tried `GET /export?from=2026-11-01`."},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgoAAAANSUhEUg=="}}
            ]},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "find_incidents", "arguments": "{\"service\":\"billing\",\"days\":7}"}}]},
            {"role": "tool", "tool_call_id": "c1", "content": "[{\"id\": 4711, \"title\": \"export job fails\"}]"}
        ],
        "tools": [{"type": "function", "function": {"name": "find_incidents", "parameters": {"type": "object"}}}]
    });
    let body = body.to_string();
    Record {
        id: id(at),
        started_at,
        completed_at: started_at + duration * 1000,
        proxy: "dragoman-system/default".into(),
        route: Some(route.into()),
        namespace: namespace.into(),
        client_address: Some(format!("10.42.{}.{}", draw(11, 8), draw(12, 250))),
        user_name: Some(pick(3, &users).into()),
        method: "POST".into(),
        path: "/v1/chat/completions".into(),
        client_dialect: Some("openai".into()),
        upstream_dialect: Some("openai".into()),
        backend: Some("models/vllm".into()),
        upstream_url: Some("http://vllm.models.svc:8000/v1/chat/completions".into()),
        model_requested: Some(model.into()),
        model_sent: Some(if model == "gpt-4o" { "llama3-70b" } else { model }.into()),
        model_reported: Some("meta-llama/Llama-3.3-70B-Instruct".into()),
        stream: true,
        status,
        error: error.map(Into::into),
        finish_reason: (answered && error.is_none()).then(|| "stop".into()),
        prompt_tokens: answered.then(|| 120 + draw(13, 3000)),
        completion_tokens: answered.then(|| 20 + draw(14, 700)),
        cached_tokens: answered.then_some(64),
        reasoning_tokens: None,
        tokens_estimated: fate == 2,
        cost: answered.then(|| 200 + draw(15, 9000)),
        attempts,
        request_bytes: body.len() as i64,
        response_bytes: 900 + draw(16, 40_000),
        ttft_ms: answered.then_some(ttft),
        duration_ms: duration,
        upstream_ms: Some(duration - 2),
        request_headers: vec![
            ("host".into(), format!("{route}.{namespace}.svc")),
            ("authorization".into(), "Bearer ***".into()),
            ("content-type".into(), "application/json".into()),
            ("user-agent".into(), "OpenAI/Python 2.8.1".into()),
        ],
        request_body: Some(body),
        response_body: answered.then(|| "data: {\"choices\":[{\"delta\":{\"content\":\"The export \"}}]}\n\ndata: [DONE]\n\n".into()),
        response_content: answered.then(|| "The export job has failed since Tuesday (incident 4711): its credential had expired.\n\n1. Renew it.\n2. Run the job again.".into()),
        tool_calls: None,
        attributes: json!({"team": namespace, "tier": draw(17, 3)}).as_object().cloned(),
        replay_as: answered.then(|| "text/event-stream".into()),
    }
}

/// Requests that write for ever, each until it is cancelled.
#[derive(Default)]
pub(crate) struct Endless {
    cancelled: Mutex<BTreeSet<String>>,
    began: Mutex<Option<i64>>,
}

impl Live for Endless {
    fn list(&self) -> BoxFuture<'_, Vec<Running>> {
        let now = micros(SystemTime::now());
        let began = *self.began.lock().unwrap().get_or_insert(now);
        let cancelled = self.cancelled.lock().unwrap();
        let running = (0..4).map(|at: i64| {
            let started_at = began - at * 3_000_000;
            let passed = (now - started_at) / 1000;
            Running {
                id: format!("run-{at}"),
                started_at,
                proxy: "dragoman-system/default".into(),
                route: Some("chat".into()),
                namespace: "team-a".into(),
                user_name: Some(
                    ["alice", "<script>alert(1)</script>", "bob", "carol"][at as usize].into(),
                ),
                backend: Some("models/vllm".into()),
                model_requested: Some("llama3-70b".into()),
                stream: true,
                ttft_ms: (passed > 900).then_some(900),
                completion_tokens: (passed - 900).max(0) * (30 + at) / 1000,
                response_bytes: passed * 6,
                ..Running::default()
            }
        });
        let running = running.filter(|one| !cancelled.contains(&one.id)).collect();
        std::future::ready(running).boxed()
    }

    fn cancel<'a>(&'a self, id: &'a str) -> BoxFuture<'a, bool> {
        let new = self.cancelled.lock().unwrap().insert(id.to_owned());
        std::future::ready(new).boxed()
    }
}
