//! The latency of one request at a time on one connection.

use std::net::SocketAddr;
use std::time::Instant;

use super::client::Client;
use crate::fault::Fault;
use crate::wire::{self, Kind, Way};

/// Requests whose latency is not taken, while caches and pools fill.
const WARM_UP: usize = 100;

/// Sends so many requests, one after the other; the median of their latencies in microseconds.
pub(crate) async fn run(address: SocketAddr, requests: usize) -> Result<f64, Fault> {
    let request = wire::request(address, Way::OPENAI, Kind::Plain);
    let mut client = Client::connect(address).await?;
    let mut latencies = Vec::with_capacity(requests);
    for _ in 0..WARM_UP {
        client.exchange(&request).await?;
    }
    for _ in 0..requests.max(1) {
        let began = Instant::now();
        client.exchange(&request).await?;
        latencies.push(began.elapsed());
    }
    latencies.sort_unstable();
    Ok(latencies[latencies.len() / 2].as_secs_f64() * 1e6)
}
