//! The load: HTTP/1.1 over kept connections, in as little CPU as it takes.

mod client;
mod first;
mod full;
mod idle;
mod latency;
mod paced;
mod plain;
mod probe;

pub(crate) use first::run as median_first_token;
pub(crate) use full::run as full_speed;
pub(crate) use idle::IdleStreams;
pub(crate) use latency::run as median_latency;
pub(crate) use paced::PacedStreams;
pub(crate) use plain::{at_a_rate as requests_at_a_rate, run as plain_requests};
pub(crate) use probe::run as probe;

use tokio::task::JoinHandle;

use crate::fault::Fault;

/// The sum of what these tasks counted.
async fn sum(tasks: Vec<JoinHandle<Result<u64, Fault>>>) -> Result<u64, Fault> {
    let mut total = 0;
    for task in tasks {
        total += task
            .await
            .map_err(|e| Fault::machine("finish the load", e.into()))??;
    }
    Ok(total)
}
