//! What is counted, and its text form for Prometheus.
//!
//! Each thread counts in its own shard with relaxed atomics; a scrape adds the shards up. Labels are bounded: routes, status classes and kinds of fault.

use std::fmt::Write;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the duration histogram, in seconds: LLM replies take from milliseconds to minutes.
const BUCKETS: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0,
];

const CLASSES: [&str; 6] = ["other", "1xx", "2xx", "3xx", "4xx", "5xx"];

/// Kinds of upstream faults, as [`Fault::kind`](crate::upstream::Fault::kind) names them; the last stands for any other.
const KINDS: [&str; 14] = [
    "dns",
    "denied_address",
    "connect",
    "tls",
    "connect_timeout",
    "first_byte_timeout",
    "idle_timeout",
    "request_timeout",
    "closed",
    "protocol",
    "truncated",
    "request_body",
    "saturated",
    "other",
];

#[derive(Debug, Default)]
struct Shard {
    classes: [AtomicU64; CLASSES.len()],
    buckets: [AtomicU64; BUCKETS.len()],
    micros: AtomicU64,
    faults: [AtomicU64; KINDS.len()],
}

/// One route's counters, over all threads.
#[derive(Debug)]
pub struct RouteMetrics(Box<[OnceLock<Box<Shard>>]>);

impl RouteMetrics {
    /// Counters for so many threads.
    pub fn new(threads: usize) -> Self {
        Self((0..threads.max(1)).map(|_| OnceLock::new()).collect())
    }

    fn shard(&self, thread: usize) -> Option<&Shard> {
        let shard = self.0.get(thread % self.0.len())?;
        Some(shard.get_or_init(Box::default))
    }

    /// A request is over.
    pub fn finished(&self, thread: usize, status: u16, took: Duration) {
        let Some(shard) = self.shard(thread) else {
            return;
        };
        let class = match status / 100 {
            class @ 1..=5 => usize::from(class),
            _ => 0,
        };
        shard.classes[class].fetch_add(1, Ordering::Relaxed);
        let seconds = took.as_secs_f64();
        if let Some(bucket) = BUCKETS.iter().position(|bound| seconds <= *bound) {
            shard.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        }
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        shard.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// An exchange with an upstream failed.
    pub fn upstream_failed(&self, thread: usize, kind: &str) {
        let Some(shard) = self.shard(thread) else {
            return;
        };
        let kind = KINDS
            .iter()
            .position(|known| *known == kind)
            .unwrap_or(KINDS.len() - 1);
        shard.faults[kind].fetch_add(1, Ordering::Relaxed);
    }

    fn sum(&self, read: impl Fn(&Shard) -> &AtomicU64) -> u64 {
        let shards = self.0.iter().filter_map(OnceLock::get);
        shards
            .map(|shard| read(shard).load(Ordering::Relaxed))
            .sum()
    }
}

/// Requests in flight, counted by the thread that serves them.
#[derive(Debug, Default)]
pub struct InFlight(AtomicI64);

impl InFlight {
    /// A request began.
    pub fn enter(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// It is over, its reply sent or given up.
    pub fn leave(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        usize::try_from(self.0.load(Ordering::Relaxed)).unwrap_or(0)
    }
}

/// Writes every metric in [Prometheus' text format](https://prometheus.io/docs/instrumenting/exposition_formats/).
pub fn text<'a>(
    routes: impl Iterator<Item = (&'a str, &'a str, &'a RouteMetrics)>,
    in_flight: usize,
    items: &[(&str, usize)],
    unrouted: u64,
) -> String {
    let mut text = String::new();
    let mut faults = String::new();
    let mut durations = String::new();
    text.push_str("# HELP dragoman_requests_total Requests answered, by route and status class.\n# TYPE dragoman_requests_total counter\n");
    for (namespace, route, metrics) in routes {
        let labels = format!("namespace=\"{namespace}\",route=\"{route}\"");
        let mut all = 0;
        for (class, name) in CLASSES.iter().enumerate() {
            let count = metrics.sum(|shard| &shard.classes[class]);
            all += count;
            if count > 0 {
                let _ = writeln!(
                    text,
                    "dragoman_requests_total{{{labels},status=\"{name}\"}} {count}"
                );
            }
        }
        for (kind, name) in KINDS.iter().enumerate() {
            let count = metrics.sum(|shard| &shard.faults[kind]);
            if count > 0 {
                let _ = writeln!(
                    faults,
                    "dragoman_upstream_faults_total{{{labels},kind=\"{name}\"}} {count}"
                );
            }
        }
        if all > 0 {
            histogram(&mut durations, &labels, metrics, all);
        }
    }
    let _ = writeln!(
        text,
        "dragoman_requests_total{{namespace=\"\",route=\"\",status=\"4xx\"}} {unrouted}"
    );
    text.push_str("# HELP dragoman_request_duration_seconds From the request's head to the reply's last byte.\n# TYPE dragoman_request_duration_seconds histogram\n");
    text.push_str(&durations);
    text.push_str("# HELP dragoman_upstream_faults_total Exchanges with upstreams that failed, by kind.\n# TYPE dragoman_upstream_faults_total counter\n");
    text.push_str(&faults);
    let _ = write!(
        text,
        "# HELP dragoman_requests_in_flight Requests whose reply is not complete.\n# TYPE dragoman_requests_in_flight gauge\ndragoman_requests_in_flight {in_flight}\n"
    );
    text.push_str("# HELP dragoman_config_items Items that are being run, by kind.\n# TYPE dragoman_config_items gauge\n");
    for (kind, count) in items {
        let _ = writeln!(text, "dragoman_config_items{{kind=\"{kind}\"}} {count}");
    }
    text
}

/// Writes what is said of the process as a whole: whether it is ready, and when its certificates end.
pub fn more<'a>(text: &mut String, ready: bool, ends: impl Iterator<Item = (&'a str, i64)>) {
    let ready = u8::from(ready);
    let _ = write!(
        text,
        "# HELP dragoman_ready Whether config is complete and traffic welcome.\n# TYPE dragoman_ready gauge\ndragoman_ready {ready}\n"
    );
    text.push_str("# HELP dragoman_certificate_end_timestamp_seconds When the certificate of a Secret ends that HTTPS is served with.\n# TYPE dragoman_certificate_end_timestamp_seconds gauge\n");
    for (secret, end) in ends {
        let _ = writeln!(
            text,
            "dragoman_certificate_end_timestamp_seconds{{secret=\"{secret}\"}} {end}"
        );
    }
}

fn histogram(text: &mut String, labels: &str, metrics: &RouteMetrics, all: u64) {
    const NAME: &str = "dragoman_request_duration_seconds";
    let mut below = 0;
    for (bucket, bound) in BUCKETS.iter().enumerate() {
        below += metrics.sum(|shard| &shard.buckets[bucket]);
        let _ = writeln!(text, "{NAME}_bucket{{{labels},le=\"{bound}\"}} {below}");
    }
    let micros = metrics.sum(|shard| &shard.micros);
    // A scrape may fall between two counters of one request; a histogram must not shrink towards +Inf.
    let all = all.max(below);
    let _ = writeln!(text, "{NAME}_bucket{{{labels},le=\"+Inf\"}} {all}");
    let _ = writeln!(
        text,
        "{NAME}_sum{{{labels}}} {}",
        Duration::from_micros(micros).as_secs_f64()
    );
    let _ = writeln!(text, "{NAME}_count{{{labels}}} {all}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_add_up() {
        let metrics = RouteMetrics::new(2);
        metrics.finished(0, 200, Duration::from_millis(7));
        metrics.finished(1, 200, Duration::from_mins(10));
        metrics.finished(1, 503, Duration::ZERO);
        metrics.upstream_failed(1, "connect");
        metrics.upstream_failed(0, "unheard of");
        let text = text(
            [("a", "chat", &metrics)].into_iter(),
            4,
            &[("LLMRoute", 1)],
            2,
        );
        for line in [
            "dragoman_requests_total{namespace=\"a\",route=\"chat\",status=\"2xx\"} 2",
            "dragoman_requests_total{namespace=\"a\",route=\"chat\",status=\"5xx\"} 1",
            "dragoman_request_duration_seconds_bucket{namespace=\"a\",route=\"chat\",le=\"0.005\"} 1",
            "dragoman_request_duration_seconds_bucket{namespace=\"a\",route=\"chat\",le=\"0.01\"} 2",
            "dragoman_request_duration_seconds_bucket{namespace=\"a\",route=\"chat\",le=\"+Inf\"} 3",
            "dragoman_upstream_faults_total{namespace=\"a\",route=\"chat\",kind=\"connect\"} 1",
            "dragoman_upstream_faults_total{namespace=\"a\",route=\"chat\",kind=\"other\"} 1",
            "dragoman_requests_in_flight 4",
            "dragoman_config_items{kind=\"LLMRoute\"} 1",
        ] {
            assert!(text.lines().any(|each| each == line), "{line}\n{text}");
        }
    }
}
