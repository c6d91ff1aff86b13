//! Every measure: how it is compared, and its bound.

use super::rows::Comparison;
use crate::measure::{Round, Sample};

/// A measure, before any figure.
pub(super) struct Definition {
    /// What is measured.
    pub(super) measure: &'static str,
    /// Of its figures.
    pub(super) unit: &'static str,
    /// How it is held against the bound.
    pub(super) comparison: Comparison,
    /// The bound; none where the figure is only told.
    pub(super) bound: Option<f64>,
    /// The figure of a contender's sample.
    pub(super) figure: Figure,
    /// What the proxy's figure stands beside.
    pub(super) beside: Beside,
}

/// A figure of one contender.
pub(super) type Figure = fn(&Round, &Sample) -> Option<f64>;

/// Whose figure the proxy's stands beside.
pub(super) enum Beside {
    /// nginx's own.
    Nginx,
    /// This one of the proxy's own, without what is measured.
    Own(Figure),
}

/// Every measure, in the order of the report.
pub(super) const DEFINITIONS: [Definition; 17] = [
    Definition {
        measure: "CPU per request, 16 connections",
        unit: "µs",
        comparison: Comparison::Ratio,
        bound: Some(1.5),
        figure: |_, sample| sample.cpu_per_request_us,
        beside: Beside::Nginx,
    },
    Definition {
        measure: "CPU per request with a policy",
        unit: "µs",
        comparison: Comparison::Ratio,
        bound: Some(1.5),
        figure: |_, sample| sample.cpu_per_guarded_request_us,
        beside: Beside::Nginx,
    },
    Definition {
        measure: "CPU that a policy adds to a request",
        unit: "µs",
        comparison: Comparison::Difference,
        bound: Some(15.0),
        figure: |_, sample| sample.cpu_per_guarded_request_us,
        beside: Beside::Own(|_, sample| sample.cpu_per_request_us),
    },
    Definition {
        measure: "CPU per request at 2,000/s, its row in SQLite",
        unit: "µs",
        comparison: Comparison::Ratio,
        bound: Some(1.15),
        figure: |_, sample| Some(sample.logged.with?.all_us),
        beside: Beside::Own(|_, sample| Some(sample.logged.without?.all_us)),
    },
    Definition {
        measure: "of it on threads that serve",
        unit: "µs",
        comparison: Comparison::Ratio,
        bound: None,
        figure: |_, sample| Some(sample.logged.with?.serving_us),
        beside: Beside::Own(|_, sample| Some(sample.logged.without?.serving_us)),
    },
    Definition {
        measure: "added p50, 1 connection",
        unit: "µs",
        comparison: Comparison::Difference,
        bound: Some(10.0),
        figure: |round, sample| Some(sample.p50_us? - round.direct_p50_us?),
        beside: Beside::Nginx,
    },
    Definition {
        measure: "CPU per event, 32 streams at 20 ms",
        unit: "µs",
        comparison: Comparison::Ratio,
        bound: Some(1.3),
        figure: |_, sample| sample.cpu_per_paced_event_us,
        beside: Beside::Nginx,
    },
    Definition {
        measure: "CPU per event, 8 streams at full speed",
        unit: "µs",
        comparison: Comparison::Ratio,
        bound: None,
        figure: |_, sample| sample.cpu_per_full_event_us,
        beside: Beside::Nginx,
    },
    Definition {
        measure: "CPU per event at 20 ms, OpenAI to Anthropic",
        unit: "µs",
        comparison: Comparison::Ratio,
        bound: Some(1.35),
        figure: |_, sample| sample.translated[0].cpu_per_paced_event_us,
        beside: Beside::Nginx,
    },
    Definition {
        measure: "CPU per event at 20 ms, Anthropic to OpenAI",
        unit: "µs",
        comparison: Comparison::Ratio,
        bound: Some(1.35),
        figure: |_, sample| sample.translated[1].cpu_per_paced_event_us,
        beside: Beside::Nginx,
    },
    Definition {
        measure: "added first token of 128, OpenAI to Anthropic",
        unit: "µs",
        comparison: Comparison::Absolute,
        bound: Some(300.0),
        figure: |round, sample| first_token(round, sample, 0),
        beside: Beside::Nginx,
    },
    Definition {
        measure: "added first token of 128, Anthropic to OpenAI",
        unit: "µs",
        comparison: Comparison::Absolute,
        bound: Some(300.0),
        figure: |round, sample| first_token(round, sample, 1),
        beside: Beside::Nginx,
    },
    Definition {
        measure: "CPU per event at full speed, OpenAI to Anthropic",
        unit: "µs",
        comparison: Comparison::Difference,
        bound: Some(1.0),
        figure: |_, sample| sample.translated[0].cpu_per_full_event_us,
        beside: Beside::Own(|_, sample| sample.translated[0].cpu_per_untranslated_event_us),
    },
    Definition {
        measure: "CPU per event at full speed, Anthropic to OpenAI",
        unit: "µs",
        comparison: Comparison::Difference,
        bound: Some(1.0),
        figure: |_, sample| sample.translated[1].cpu_per_full_event_us,
        beside: Beside::Own(|_, sample| sample.translated[1].cpu_per_untranslated_event_us),
    },
    Definition {
        measure: "RSS per idle stream",
        unit: "KiB",
        comparison: Comparison::Absolute,
        bound: Some(30.0),
        figure: |_, sample| sample.kib_per_idle_stream,
        beside: Beside::Nginx,
    },
    Definition {
        measure: "RSS at rest",
        unit: "MiB",
        comparison: Comparison::Absolute,
        bound: Some(10.0),
        figure: |_, sample| sample.mib_at_rest,
        beside: Beside::Nginx,
    },
    Definition {
        measure: "of it anonymous",
        unit: "MiB",
        comparison: Comparison::Absolute,
        bound: None,
        figure: |_, sample| sample.anonymous_mib_at_rest,
        beside: Beside::Nginx,
    },
];

/// What a contender adds to the time to the first token of a translated pair's streams.
fn first_token(round: &Round, sample: &Sample, pair: usize) -> Option<f64> {
    Some(sample.translated[pair].first_token_us? - round.direct_first_token_us[pair]?)
}
