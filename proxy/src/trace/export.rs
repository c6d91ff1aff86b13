//! Spans on their way to a collector, in batches.
//!
//! Source: [OTLP over HTTP](https://opentelemetry.io/docs/specs/otlp/#otlphttp). What a collector does not take in time is dropped and counted: requests never wait for it.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use reqwest::{Client, StatusCode};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use super::Sampler;
use super::settings::Settings;
use super::spans::text;

/// Requests whose spans wait at most, as OpenTelemetry's own exporters have it.
const WAITING: usize = 2048;
/// As many spans make a batch at least.
const BATCH: usize = 512;
/// How long is waited before a batch is sent again, doubled each time, and at most.
const AGAIN: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(32);

/// Takes spans. One for a process.
#[derive(Debug)]
pub(crate) struct Tracer {
    sampler: Sampler,
    sender: mpsc::Sender<Vec<Span>>,
    counts: Counts,
}

#[derive(Debug, Default, Clone)]
struct Counts {
    exported: Arc<AtomicU64>,
    dropped: Arc<AtomicU64>,
}

/// The work of sending them.
pub(crate) struct Exporting {
    settings: Box<Settings>,
    spans: mpsc::Receiver<Vec<Span>>,
    counts: Counts,
}

impl Tracer {
    pub(crate) fn new(settings: Box<Settings>) -> (Self, Exporting) {
        let (sender, spans) = mpsc::channel(WAITING);
        let counts = Counts::default();
        let tracer = Self {
            sampler: settings.sampler,
            sender,
            counts: counts.clone(),
        };
        let exporting = Exporting {
            settings,
            spans,
            counts,
        };
        (tracer, exporting)
    }

    pub(crate) fn sampler(&self) -> &Sampler {
        &self.sampler
    }

    /// Takes the spans of a request, if there is room.
    pub(crate) fn take(&self, spans: Vec<Span>) {
        let count = spans.len() as u64;
        if self.sender.try_send(spans).is_err() {
            self.counts.dropped.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// In Prometheus' text format.
    pub(crate) fn metrics_text(&self) -> String {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        format!(
            "# HELP dragoman_trace_spans_total Spans that the collector took, or that were dropped since it did not in time.\n# TYPE dragoman_trace_spans_total counter\ndragoman_trace_spans_total{{outcome=\"exported\"}} {}\ndragoman_trace_spans_total{{outcome=\"dropped\"}} {}\n",
            read(&self.counts.exported),
            read(&self.counts.dropped)
        )
    }
}

/// Why a batch was not taken.
enum Untaken {
    /// It may be, later.
    Later(String),
    /// It never will be.
    Never(String),
}

impl Exporting {
    /// Sends what is taken, until nobody offers any more, or it is over: then what waits is sent at once, and never again.
    pub(crate) async fn run(mut self, mut over: watch::Receiver<bool>) {
        let client = Client::builder()
            .timeout(self.settings.timeout)
            .no_proxy()
            .build();
        let client = match client {
            Ok(client) => client,
            Err(fault) => {
                tracing::error!(%fault, "no traces: there is no client for them");
                return;
            }
        };
        let mut away = false;
        while let Some(batch) = self.next(&mut over).await {
            let count = batch.len() as u64;
            let body = self.request(batch).encode_to_vec();
            let taken = self.send(&client, body, &mut over, &mut away).await;
            let counted = if taken {
                &self.counts.exported
            } else {
                &self.counts.dropped
            };
            counted.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// The next batch.
    async fn next(&mut self, over: &mut watch::Receiver<bool>) -> Option<Vec<Span>> {
        let mut batch = self.spans.recv().await?;
        let gather = async {
            while batch.len() < BATCH
                && let Some(more) = self.spans.recv().await
            {
                batch.extend(more);
            }
        };
        tokio::select! {
            _ = timeout(self.settings.delay, gather) => {}
            _ = over.wait_for(|over| *over) => {
                while let Ok(more) = self.spans.try_recv() {
                    batch.extend(more);
                }
            }
        }
        Some(batch)
    }

    /// Sends a batch until it is taken, or never will be. `away`: whether that was told.
    async fn send(
        &self,
        client: &Client,
        body: Vec<u8>,
        over: &mut watch::Receiver<bool>,
        away: &mut bool,
    ) -> bool {
        let mut wait = AGAIN;
        loop {
            let fault = match self.post(client, body.clone()).await {
                Ok(()) => {
                    if mem::take(away) {
                        tracing::info!("the collector of traces takes them again");
                    }
                    return true;
                }
                Err(Untaken::Never(fault)) => {
                    tracing::warn!(fault, "the collector of traces refuses some");
                    return false;
                }
                Err(Untaken::Later(fault)) => fault,
            };
            if !mem::replace(away, true) {
                tracing::warn!(
                    fault,
                    "the collector of traces does not take any; requests go on without it"
                );
            }
            if *over.borrow() {
                return false;
            }
            tokio::select! {
                () = sleep(wait) => wait = (wait * 2).min(LONGEST),
                _ = over.wait_for(|over| *over) => {}
            }
        }
    }

    async fn post(&self, client: &Client, body: Vec<u8>) -> Result<(), Untaken> {
        let request = client
            .post(self.settings.endpoint.clone())
            .headers(self.settings.headers.clone())
            .header("content-type", "application/x-protobuf")
            .body(body);
        let reply = request.send().await;
        // The URL may hold a key.
        let reply = reply.map_err(|fault| {
            let fault = fault.without_url();
            let cause = std::error::Error::source(&fault);
            Untaken::Later(cause.map_or_else(|| fault.to_string(), |it| format!("{fault}: {it}")))
        })?;
        let status = reply.status();
        match status {
            _ if status.is_success() => Ok(()),
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => Err(Untaken::Later(format!("it answers {status}"))),
            _ => Err(Untaken::Never(format!("it answers {status}"))),
        }
    }

    fn request(&self, spans: Vec<Span>) -> ExportTraceServiceRequest {
        let resource = self.settings.resource.iter();
        let resource = resource.map(|(name, value)| text(name, value)).collect();
        ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(Resource {
                    attributes: resource,
                    ..Resource::default()
                }),
                scope_spans: vec![ScopeSpans {
                    scope: Some(InstrumentationScope {
                        name: "dragoman".to_owned(),
                        version: env!("CARGO_PKG_VERSION").to_owned(),
                        ..InstrumentationScope::default()
                    }),
                    spans,
                    schema_url: String::new(),
                }],
                schema_url: String::new(),
            }],
        }
    }
}
