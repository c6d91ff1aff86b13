//! Traces: a span for each request and for each try of a backend, sent to a collector in OpenTelemetry's protocol.
//!
//! Off unless the environment names a collector. Then the data path makes ids and tells backends of them; spans are made of rows, on the log's thread.
//!
//! - [`settings`]: what the environment says; [`sampler`]: which requests are traced
//! - [`context`]: the `traceparent` that comes and those that go
//! - [`spans`]: a row made spans; [`export`]: their way to the collector

mod context;
mod export;
mod sampler;
pub mod settings;
mod spans;

pub(crate) use context::Traced;
pub(crate) use export::{Exporting, Tracer};
pub(crate) use sampler::Sampler;
pub(crate) use spans::Finished;
