//! What the operator counts, in Prometheus' text format.

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// Counters, gauges and histograms of one operator.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Proxies connected to this replica.
    pub streams: Gauge,
    /// Transactions sent after a first sync.
    pub pushes: Counter,
    /// From a change as the watch showed it to its transaction.
    pub push_seconds: Histogram,
    /// Proxies that were not let in.
    pub refused: Counter,
    /// Status writes.
    pub status_writes: Counter,
    /// Writes of objects that resources own.
    pub object_writes: Counter,
    /// Writes that the API server refused or did not answer.
    pub write_faults: Counter,
    /// Whether this replica leads.
    pub leading: Gauge,
}

impl Metrics {
    /// Metrics that all read zero.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("dragoman_operator");
        let streams = Gauge::default();
        registry.register(
            "streams",
            "Proxies connected to this replica",
            streams.clone(),
        );
        let pushes = Counter::default();
        registry.register(
            "pushes",
            "Transactions sent after a first sync",
            pushes.clone(),
        );
        let push_seconds = Histogram::new(exponential_buckets(0.000_25, 2.0, 14));
        let help = "From a change as the watch showed it to its transaction";
        registry.register_with_unit("push", help, Unit::Seconds, push_seconds.clone());
        let refused = Counter::default();
        registry.register(
            "refused_streams",
            "Proxies that were not let in",
            refused.clone(),
        );
        let status_writes = Counter::default();
        registry.register("status_writes", "Status writes", status_writes.clone());
        let object_writes = Counter::default();
        registry.register(
            "object_writes",
            "Writes of objects that resources own",
            object_writes.clone(),
        );
        let write_faults = Counter::default();
        let help = "Writes that the API server refused or did not answer";
        registry.register("write_faults", help, write_faults.clone());
        let leading = Gauge::default();
        registry.register("leading", "Whether this replica leads", leading.clone());
        Self {
            registry,
            streams,
            pushes,
            push_seconds,
            refused,
            status_writes,
            object_writes,
            write_faults,
            leading,
        }
    }

    /// All of them as text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
