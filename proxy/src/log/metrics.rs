//! What the log's rows come to, for Prometheus: how calls of models went, and how the log itself does.
//!
//! Sources: [OpenTelemetry's metrics of generative AI clients](https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-metrics/), their names,
//! attributes and buckets; [how Prometheus spells them](https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use dragoman_logbook::record::Record;
use dragoman_logbook::writer::Progress;
use parking_lot::Mutex;

/// The most series of one metric. Clients choose the names of models, so what comes beyond is counted together, under the name [`OTHER`].
const MOST: usize = 500;
const OTHER: &str = "other";
/// In milliseconds.
const DURATIONS: [i64; 14] = [
    10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120, 10_240, 20_480, 40_960, 81_920,
];
const TOKENS: [i64; 14] = [
    1, 4, 16, 64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216,
    67_108_864,
];
/// In milliseconds.
const FIRST: [i64; 16] = [
    1, 5, 10, 20, 40, 60, 80, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10_000,
];

/// Histograms of calls.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    calls: Mutex<All>,
    /// How often each attribute failed.
    attributes: Mutex<BTreeMap<String, u64>>,
}

#[derive(Debug, Default)]
struct All {
    duration: Family<14>,
    tokens: Family<14>,
    first: Family<16>,
}

type Family<const N: usize> = BTreeMap<Labels, Histogram<N>>;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Labels {
    namespace: String,
    route: String,
    operation: &'static str,
    provider: &'static str,
    model: String,
    /// The status of what failed, or the kind of tokens.
    more: String,
}

#[derive(Debug)]
struct Histogram<const N: usize> {
    buckets: [u64; N],
    count: u64,
    sum: i64,
}

impl<const N: usize> Histogram<N> {
    fn observe(&mut self, value: i64, bounds: &[i64; N]) {
        if let Some(bucket) = bounds.iter().position(|bound| value <= *bound) {
            self.buckets[bucket] += 1;
        }
        self.count += 1;
        self.sum = self.sum.saturating_add(value);
    }
}

fn observe<const N: usize>(family: &mut Family<N>, labels: &Labels, value: i64, bounds: &[i64; N]) {
    if let Some(histogram) = family.get_mut(labels) {
        return histogram.observe(value, bounds);
    }
    let mut labels = labels.clone();
    if family.len() >= MOST {
        OTHER.clone_into(&mut labels.model);
    }
    // Routes, providers and statuses are the platform's own, and few.
    let histogram = family.entry(labels).or_insert(Histogram {
        buckets: [0; N],
        count: 0,
        sum: 0,
    });
    histogram.observe(value, bounds);
}

impl Metrics {
    /// Counts a call of a model. What called none is counted elsewhere.
    pub(crate) fn count(&self, record: &Record) {
        let (Some(model), Some(route)) = (&record.model_sent, &record.route) else {
            return;
        };
        let status = match record.status {
            Some(status) if status >= 400 => status.to_string(),
            _ if record.error.is_some() => "incomplete".to_owned(),
            _ => String::new(),
        };
        let mut labels = Labels {
            namespace: record.namespace.clone(),
            route: route.clone(),
            operation: operation(&record.path),
            provider: provider(record.upstream_dialect.as_deref()),
            model: model.clone(),
            more: status,
        };
        let mut all = self.calls.lock();
        observe(&mut all.duration, &labels, record.duration_ms, &DURATIONS);
        labels.more.clear();
        if let Some(first) = record.ttft_ms.filter(|_| record.stream) {
            observe(&mut all.first, &labels, first, &FIRST);
        }
        let kinds = [
            ("input", record.prompt_tokens),
            ("output", record.completion_tokens),
        ];
        for (kind, tokens) in kinds {
            if let Some(tokens) = tokens {
                kind.clone_into(&mut labels.more);
                observe(&mut all.tokens, &labels, tokens, &TOKENS);
            }
        }
    }

    /// Counts that an attribute could not be worked out. Says how often that was.
    pub(crate) fn attribute_failed(&self, name: &str) -> u64 {
        let mut failed = self.attributes.lock();
        let known = failed.contains_key(name) || failed.len() < MOST;
        let name = if known { name } else { OTHER };
        let count = failed.entry(name.to_owned()).or_default();
        *count += 1;
        *count
    }

    /// In [Prometheus' text format](https://prometheus.io/docs/instrumenting/exposition_formats/).
    pub(crate) fn text(&self, progress: &Progress, dropped: u64) -> String {
        let all = self.calls.lock();
        let mut text = String::new();
        let duration = Described {
            name: "gen_ai_client_operation_duration_seconds",
            help: "Calls of models, from the request's head to the reply's last byte. error_type: the status, or incomplete.",
            more: "error_type",
            thousandths: true,
        };
        duration.write(&mut text, &all.duration, &DURATIONS);
        let tokens = Described {
            name: "gen_ai_client_token_usage",
            help: "Tokens that calls of models read (input) and wrote (output).",
            more: "gen_ai_token_type",
            thousandths: false,
        };
        tokens.write(&mut text, &all.tokens, &TOKENS);
        let first = Described {
            name: "gen_ai_server_time_to_first_token_seconds",
            help: "Streamed calls of models, from the request's head to the reply's first byte.",
            more: "",
            thousandths: true,
        };
        first.write(&mut text, &all.first, &FIRST);
        drop(all);
        own(&mut text, progress, dropped);
        self.failed_attributes(&mut text);
        text
    }
}

impl Metrics {
    fn failed_attributes(&self, text: &mut String) {
        const NAME: &str = "dragoman_request_log_attribute_failures_total";
        let _ = writeln!(
            text,
            "# HELP {NAME} Attributes left out of rows, since their expressions failed.\n# TYPE {NAME} counter"
        );
        for (name, count) in &*self.attributes.lock() {
            let _ = writeln!(text, "{NAME}{{attribute=\"{}\"}} {count}", escaped(name));
        }
    }
}

/// By OpenTelemetry's names of operations.
pub(crate) fn operation(path: &str) -> &'static str {
    let path = path.split('?').next().unwrap_or_default();
    let last = path.rsplit(['/', ':']).next().unwrap_or_default();
    let last = last.to_ascii_lowercase();
    if last.contains("embed") {
        "embeddings"
    } else if last.ends_with("generatecontent") {
        "generate_content"
    } else if last == "completions" && !path.ends_with("chat/completions") || last == "generate" {
        "text_completion"
    } else {
        "chat"
    }
}

/// By [OpenTelemetry's names of providers](https://opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai/#gen-ai-provider-name); those that
/// have none there are named as the dialect.
pub(crate) fn provider(dialect: Option<&str>) -> &'static str {
    match dialect {
        Some("OpenAI") => "openai",
        Some("AzureOpenAI") => "azure.ai.openai",
        Some("Anthropic") => "anthropic",
        Some("Bedrock") => "aws.bedrock",
        Some("Gemini") => "gcp.gemini",
        Some("Ollama") => "ollama",
        Some("TGI") => "tgi",
        Some("Custom") => "custom",
        _ => "",
    }
}

struct Described {
    name: &'static str,
    help: &'static str,
    /// The label that differs.
    more: &'static str,
    thousandths: bool,
}

impl Described {
    fn write<const N: usize>(&self, text: &mut String, family: &Family<N>, bounds: &[i64; N]) {
        // Writing to a String cannot fail.
        let Self { name, help, .. } = self;
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} histogram");
        for (labels, histogram) in family {
            let labels = self.labels(labels);
            let mut below = 0;
            for (count, bound) in histogram.buckets.iter().zip(bounds) {
                below += count;
                let bound = self.shown(*bound);
                let _ = writeln!(text, "{name}_bucket{{{labels},le=\"{bound}\"}} {below}");
            }
            let (sum, count) = (self.shown(histogram.sum), histogram.count);
            let _ = writeln!(text, "{name}_bucket{{{labels},le=\"+Inf\"}} {count}");
            let _ = writeln!(text, "{name}_sum{{{labels}}} {sum}");
            let _ = writeln!(text, "{name}_count{{{labels}}} {count}");
        }
    }

    fn labels(&self, labels: &Labels) -> String {
        let mut shown = format!(
            "namespace=\"{}\",route=\"{}\",gen_ai_operation_name=\"{}\",gen_ai_provider_name=\"{}\",gen_ai_request_model=\"{}\"",
            labels.namespace,
            labels.route,
            labels.operation,
            labels.provider,
            escaped(&labels.model)
        );
        if !self.more.is_empty() && !labels.more.is_empty() {
            let _ = write!(shown, ",{}=\"{}\"", self.more, labels.more);
        }
        shown
    }

    fn shown(&self, value: i64) -> String {
        if !self.thousandths {
            return value.to_string();
        }
        let text = format!("{}.{:03}", value / 1000, value % 1000);
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

/// A label's value, as the text format has it.
fn escaped(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for char in value.chars() {
        match char {
            '\\' => escaped.push_str("\\\\"),
            '"' => escaped.push_str("\\\""),
            '\n' => escaped.push_str("\\n"),
            char => escaped.push(char),
        }
    }
    escaped
}

/// How the log does.
fn own(text: &mut String, progress: &Progress, dropped: u64) {
    let rows = [
        ("committed", progress.committed),
        ("known", progress.known),
        ("refused", progress.refused),
        ("dropped", progress.dropped + dropped),
        ("spooled", progress.spooled),
    ];
    text.push_str("# HELP dragoman_request_log_rows_total Rows of the request log: committed, known there already, refused for good, dropped for want of room, or spooled on their way.\n# TYPE dragoman_request_log_rows_total counter\n");
    for (outcome, count) in rows {
        let _ = writeln!(
            text,
            "dragoman_request_log_rows_total{{outcome=\"{outcome}\"}} {count}"
        );
    }
    let queued = progress.queued_bytes as u64;
    let gauges = [
        ("queue_bytes", "Bytes of rows in memory.", queued),
        (
            "spool_bytes",
            "Bytes of rows on disk that wait.",
            progress.spool_bytes,
        ),
        (
            "lag_seconds",
            "How long the oldest row waits.",
            progress.lag.as_secs(),
        ),
        (
            "away",
            "Whether the database, or the way to it, failed last.",
            u64::from(progress.away),
        ),
    ];
    for (name, help, value) in gauges {
        let _ = writeln!(
            text,
            "# HELP dragoman_request_log_{name} {help}\n# TYPE dragoman_request_log_{name} gauge\ndragoman_request_log_{name} {value}"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(model: &str) -> Record {
        Record {
            namespace: "team".into(),
            route: Some("chat".into()),
            upstream_dialect: Some("OpenAI".into()),
            model_sent: Some(model.into()),
            status: Some(200),
            duration_ms: 70,
            stream: true,
            ttft_ms: Some(7),
            prompt_tokens: Some(100),
            completion_tokens: Some(3),
            ..Record::default()
        }
    }

    #[test]
    fn calls_are_counted_by_their_names() {
        let metrics = Metrics::default();
        metrics.count(&call("a\"b"));
        metrics.count(&Record {
            error: Some("left".into()),
            ..call("a\"b")
        });
        metrics.count(&Record::default());
        let text = metrics.text(&Progress::default(), 3);
        let labels = r#"namespace="team",route="chat",gen_ai_operation_name="chat",gen_ai_provider_name="openai",gen_ai_request_model="a\"b""#;
        for line in [
            format!("gen_ai_client_operation_duration_seconds_bucket{{{labels},le=\"0.04\"}} 0"),
            format!("gen_ai_client_operation_duration_seconds_bucket{{{labels},le=\"0.08\"}} 1"),
            format!(
                "gen_ai_client_operation_duration_seconds_count{{{labels},error_type=\"incomplete\"}} 1"
            ),
            format!("gen_ai_client_token_usage_sum{{{labels},gen_ai_token_type=\"input\"}} 200"),
            format!("gen_ai_server_time_to_first_token_seconds_sum{{{labels}}} 0.014"),
            "dragoman_request_log_rows_total{outcome=\"dropped\"} 3".to_owned(),
        ] {
            assert!(text.lines().any(|each| each == line), "{line}\n{text}");
        }
    }

    #[test]
    fn operations_are_told_by_their_paths() {
        for (path, operation) in [
            ("/v1/chat/completions?a=b", "chat"),
            ("/v1/completions", "text_completion"),
            ("/v1/embeddings", "embeddings"),
            ("/api/embed", "embeddings"),
            (
                "/v1beta/models/a:streamGenerateContent?alt=sse",
                "generate_content",
            ),
            ("/v1/messages", "chat"),
        ] {
            assert_eq!(super::operation(path), operation, "{path}");
        }
    }

    #[test]
    fn names_that_clients_make_up_fill_nothing() {
        let metrics = Metrics::default();
        for number in 0..10 * MOST {
            metrics.count(&call(&format!("model-{number}")));
        }
        let all = metrics.calls.lock();
        assert!(all.duration.len() <= MOST + 1 && all.tokens.len() <= MOST + 2);
        let counted: u64 = all.duration.values().map(|each| each.count).sum();
        assert_eq!(counted, 10 * MOST as u64);
    }
}
