//! What is taken in a round.

use serde::Serialize;

/// What one round took of one contender; absent is what was not asked for.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Sample {
    /// CPU time per plain request, in microseconds.
    pub(crate) cpu_per_request_us: Option<f64>,
    /// The same past a policy, in microseconds; of nginx, which judges nothing, once more without.
    pub(crate) cpu_per_guarded_request_us: Option<f64>,
    /// Of plain requests at a rate, with a log of them and without.
    pub(crate) logged: Logged,
    /// Plain requests per second; bounded by the load's core as much as by the contender's.
    pub(crate) requests_per_second: Option<f64>,
    /// Median latency at one connection, in microseconds.
    pub(crate) p50_us: Option<f64>,
    /// CPU time per event of paced streams, in microseconds.
    pub(crate) cpu_per_paced_event_us: Option<f64>,
    /// CPU time per event of streams at full speed, in microseconds.
    pub(crate) cpu_per_full_event_us: Option<f64>,
    /// Of each pair of [`Way::TRANSLATED`](crate::wire::Way::TRANSLATED).
    pub(crate) translated: [Translated; 2],
    /// Resident memory per idle stream, in KiB.
    pub(crate) kib_per_idle_stream: Option<f64>,
    /// Resident memory after the start and one probe, in MiB.
    pub(crate) mib_at_rest: Option<f64>,
    /// What of it is anonymous, in MiB.
    pub(crate) anonymous_mib_at_rest: Option<f64>,
}

/// Of a pair of APIs; of nginx, which translates nothing, with the upstream's bytes passed on.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Translated {
    /// CPU time per event of paced streams, in microseconds.
    pub(crate) cpu_per_paced_event_us: Option<f64>,
    /// CPU time per event of streams at full speed, in microseconds.
    pub(crate) cpu_per_full_event_us: Option<f64>,
    /// The same of a client of the upstream's API, right before.
    pub(crate) cpu_per_untranslated_event_us: Option<f64>,
    /// Median time to a stream's first token while other streams run, in microseconds.
    pub(crate) first_token_us: Option<f64>,
}

/// Of requests whose rows go into a log.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Logged {
    /// The same requests without a log.
    pub(crate) without: Option<CpuPerRequest>,
    /// With what the rows take after the last reply.
    pub(crate) with: Option<CpuPerRequest>,
}

/// CPU time per request, in microseconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct CpuPerRequest {
    /// Of all threads.
    pub(crate) all_us: f64,
    /// Of those that serve.
    pub(crate) serving_us: f64,
}

/// The figures of one round.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Round {
    /// Median latency at one connection without any contender between, in microseconds.
    pub(crate) direct_p50_us: Option<f64>,
    /// Median time to a stream's first token without any contender between, for each of the translated pairs' upstreams.
    pub(crate) direct_first_token_us: [Option<f64>; 2],
    /// nginx's figures.
    pub(crate) nginx: Sample,
    /// The proxy's figures.
    pub(crate) dragoman: Option<Sample>,
}
