//! Traces: spans for a collector, and trace context for backends (feature C12).

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use dragoman_system::eventually;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use prost::Message as _;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Mutex;

use super::manifests::{backend, nobody, posts, route_to, simple, simulator};
use super::proxy::{Answer, Proxy, answer, chat, streamed};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";

/// What a collector of traces got.
#[derive(Debug, Default)]
struct Taken {
    spans: Vec<Span>,
    service: String,
    keys: Vec<String>,
    /// How often it says yet that it is busy.
    busy: usize,
}

/// A collector that is busy so often at first.
async fn collector(busy: usize) -> (String, Arc<Mutex<Taken>>) {
    let taken = Arc::new(Mutex::new(Taken {
        busy,
        ..Taken::default()
    }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = Arc::clone(&taken);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let taken = Arc::clone(&serving);
            let service = service_fn(move |request| take(request, Arc::clone(&taken)));
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    (url, taken)
}

async fn take(
    request: Request<Incoming>,
    taken: Arc<Mutex<Taken>>,
) -> hyper::Result<Response<Full<Bytes>>> {
    let mut taken = taken.lock().await;
    let mut response = Response::new(Full::default());
    if taken.busy > 0 {
        taken.busy -= 1;
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        return Ok(response);
    }
    assert_eq!(request.uri().path(), "/v1/traces");
    assert_eq!(request.headers()["content-type"], "application/x-protobuf");
    let key = request.headers().get("x-key").unwrap();
    taken.keys.push(key.to_str().unwrap().to_owned());
    let body = request.into_body().collect().await?.to_bytes();
    for resource in ExportTraceServiceRequest::decode(body)
        .unwrap()
        .resource_spans
    {
        let attributes = resource.resource.unwrap().attributes;
        let service = attributes.into_iter().find(|it| it.key == "service.name");
        if let Some(Value::StringValue(name)) = service.unwrap().value.unwrap().value {
            taken.service = name;
        }
        for scope in resource.scope_spans {
            taken.spans.extend(scope.spans);
        }
    }
    Ok(response)
}

fn environment(url: &str) -> Vec<(&'static str, String)> {
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", url),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=s3cret-0123456789"),
        ("OTEL_SERVICE_NAME", "llm-gate"),
        ("OTEL_BSP_SCHEDULE_DELAY", "10"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into()
}

fn shown(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn attributes(span: &Span) -> HashMap<String, String> {
    let pairs = span.attributes.iter().map(|it| {
        let value = match it.value.clone().unwrap().value.unwrap() {
            Value::StringValue(text) => text,
            Value::IntValue(number) => number.to_string(),
            other => format!("{other:?}"),
        };
        (it.key.clone(), value)
    });
    pairs.collect()
}

/// A call that stands in a trace.
async fn call(proxy: &Proxy, body: &serde_json::Value) -> Answer {
    let request = proxy.request(Method::POST, "/v1/chat/completions");
    let request = request
        .json(body)
        .header("traceparent", format!("00-{TRACE}-{SPAN}-01"))
        .header("tracestate", "vendor=1");
    let answered = answer(request).await;
    assert_eq!(answered.status, 200, "{}", answered.text());
    answered
}

/// The spans of the request that was answered so, its own first.
async fn spans_of(taken: &Mutex<Taken>, answer: &Answer) -> Vec<Span> {
    let id = answer.header("x-dragoman-request-id").unwrap();
    eventually("its spans are there", || async {
        let all = taken.lock().await.spans.clone();
        let is_its = |span: &&Span| {
            attributes(span)
                .get("dragoman.request_id")
                .is_some_and(|it| it == id)
        };
        let own = all.iter().find(is_its).ok_or(all.len())?;
        let children = all.iter().filter(|it| it.parent_span_id == own.span_id);
        Ok::<_, usize>([own].into_iter().chain(children).cloned().collect())
    })
    .await
}

#[tokio::test]
async fn a_request_is_a_span_and_each_try_of_a_backend_is_its_child() {
    let upstream = simulator().await;
    let (url, taken) = collector(1).await;
    let manifest = backend("main", &format!("http://{}/v1", nobody()), "")
        + &backend("other", &upstream.url(), "")
        + &route_to(
            "- {name: main, backendRef: {name: main}, priority: 0}\n- {name: other, backendRef: {name: other}, priority: 1}",
            "",
        );
    let proxy = Proxy::start_in(&manifest, &environment(&url)).await;
    let answered = call(&proxy, &chat("echo", "two words")).await;
    let spans = spans_of(&taken, &answered).await;
    // A backend that cannot be reached is tried twice.
    let [own, failed, again, sent] = &spans[..] else {
        panic!("{spans:?}");
    };
    assert_eq!(
        (
            shown(&own.trace_id).as_str(),
            shown(&own.parent_span_id).as_str()
        ),
        (TRACE, SPAN)
    );
    assert_eq!(own.kind(), SpanKind::Server);
    let told = attributes(own);
    let usage = &answered.json()["usage"];
    for (name, value) in [
        ("http.request.method", "POST"),
        ("http.response.status_code", "200"),
        ("url.path", "/v1/chat/completions"),
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.provider.name", "openai"),
        ("gen_ai.request.model", "echo"),
        (
            "gen_ai.usage.input_tokens",
            &usage["prompt_tokens"].to_string(),
        ),
        (
            "gen_ai.usage.output_tokens",
            &usage["completion_tokens"].to_string(),
        ),
        ("dragoman.route", "chat"),
    ] {
        assert_eq!(
            told.get(name).map(String::as_str),
            Some(value),
            "{name}: {told:?}"
        );
    }
    assert!(!told.contains_key("error.type"), "{told:?}");
    for child in [failed, again, sent] {
        assert_eq!(
            (child.kind(), &child.trace_id),
            (SpanKind::Client, &own.trace_id)
        );
        assert!(child.start_time_unix_nano >= own.start_time_unix_nano);
        assert!(child.end_time_unix_nano <= own.end_time_unix_nano);
    }
    assert!(attributes(failed).contains_key("error.type"), "{failed:?}");
    let told = attributes(sent);
    assert_eq!(
        (
            told["server.address"].as_str(),
            told["gen_ai.request.model"].as_str()
        ),
        ("127.0.0.1", "echo")
    );
    // The backend is told of its own span.
    let got = posts(&upstream);
    let parent = format!("00-{TRACE}-{}-01", shown(&sent.span_id));
    assert_eq!(got[0].header("traceparent"), Some(parent.as_str()));
    assert_eq!(got[0].header("tracestate"), Some("vendor=1"));
    let taken = taken.lock().await;
    assert_eq!(
        (taken.service.as_str(), taken.keys[0].as_str()),
        ("llm-gate", "s3cret-0123456789")
    );
    assert!(!proxy.log().contains("s3cret"), "{}", proxy.log());
    let row = proxy
        .admin_get(&format!("/api/logs?attribute=trace_id%3D{TRACE}"))
        .await;
    assert_eq!(
        row.json()["logs"].as_array().unwrap().len(),
        1,
        "{}",
        row.text()
    );
    let metrics = proxy.admin_get("/metrics").await.text();
    assert!(
        metrics.contains("dragoman_trace_spans_total{outcome=\"exported\"} 4"),
        "{metrics}"
    );
}

#[tokio::test]
async fn what_a_client_does_not_trace_leaves_no_span_and_one_without_a_trace_begins_one() {
    let upstream = simulator().await;
    let (url, taken) = collector(0).await;
    let proxy = Proxy::start_in(&simple(&upstream), &environment(&url)).await;
    let request = proxy.request(Method::POST, "/v1/chat/completions");
    let request = request.json(&chat("echo", "untraced"));
    let untraced = answer(request.header("traceparent", format!("00-{TRACE}-{SPAN}-00"))).await;
    let traced = proxy
        .post("/v1/chat/completions", &streamed("echo", "traced"))
        .await;
    assert_eq!((untraced.status, traced.status), (200, 200));
    let spans = spans_of(&taken, &traced).await;
    assert!(
        spans[0].parent_span_id.is_empty() && spans.len() == 2,
        "{spans:?}"
    );
    let got = posts(&upstream);
    let told = got[0].header("traceparent").unwrap();
    assert!(
        told.starts_with(&format!("00-{TRACE}-")) && told.ends_with("-00"),
        "{told}"
    );
    let began = format!("00-{}-", shown(&spans[0].trace_id));
    assert!(
        got[1].header("traceparent").unwrap().starts_with(&began),
        "{began}"
    );
    assert_eq!(taken.lock().await.spans.len(), 2);
}

#[tokio::test]
async fn trace_context_is_passed_on_where_no_traces_are_made() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&simple(&upstream)).await;
    call(&proxy, &chat("echo", "as it is")).await;
    let messages = json!({"model": "echo", "max_tokens": 50, "messages": [{"role": "user", "content": "translated"}]});
    let request = proxy.request(Method::POST, "/v1/messages").json(&messages);
    let request = request.header("traceparent", format!("00-{TRACE}-{SPAN}-01"));
    assert_eq!(
        answer(request.header("tracestate", "vendor=1"))
            .await
            .status,
        200
    );
    proxy.chat("echo").await;
    let got = posts(&upstream);
    let parent = format!("00-{TRACE}-{SPAN}-01");
    for got in &got[..2] {
        assert_eq!(got.header("traceparent"), Some(parent.as_str()));
        assert_eq!(got.header("tracestate"), Some("vendor=1"));
    }
    assert_eq!(got[2].header("traceparent"), None);
    let metrics = proxy.admin_get("/metrics").await.text();
    assert!(!metrics.contains("dragoman_trace_spans"), "{metrics}");
}

#[tokio::test]
async fn a_collector_that_is_away_is_told_once_and_keeps_nobody() {
    let upstream = simulator().await;
    let environment = environment(&format!("http://{}", nobody()));
    let mut proxy = Proxy::start_in(&simple(&upstream), &environment).await;
    for _ in 0..5 {
        assert_eq!(proxy.chat("echo").await.status, 200);
    }
    proxy.logged("collector of traces does not take any").await;
    let log = proxy.log();
    assert_eq!(log.matches("collector of traces").count(), 1, "{log}");
    proxy.signal("TERM");
    assert_eq!(proxy.ended().await.code(), Some(0));
}

#[tokio::test]
async fn an_environment_that_makes_no_sense_is_refused_by_name() {
    let output = std::process::Command::new(dragoman_system::programs().join("dragoman-proxy"))
        .args([
            "run",
            "--config",
            ".",
            "--listen",
            "127.0.0.1:0",
            "--admin",
            "127.0.0.1:0",
            "--no-request-log",
        ])
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("OTEL_EXPORTER_OTLP_ENDPOINT is no URL"),
        "{said}"
    );
}
