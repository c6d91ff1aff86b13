//! The time to the first token of a stream, one stream at a time on one connection.

use std::net::SocketAddr;
use std::time::Instant;

use super::client::Client;
use crate::fault::Fault;
use crate::wire::{self, Kind, Way};

/// Streams that are not timed, while caches and pools fill.
const WARM_UP: usize = 20;

/// Asks for so many streams, one after the other; the median of the times until their first token came, in microseconds.
pub(crate) async fn run(address: SocketAddr, way: Way, streams: usize) -> Result<f64, Fault> {
    let request = wire::request(address, way, Kind::Single);
    let mut client = Client::connect(address).await?;
    let mut times = Vec::with_capacity(streams);
    for number in 0..WARM_UP + streams.max(1) {
        let began = Instant::now();
        client.open(&request).await?;
        client.until(wire::TOKEN).await?;
        let time = began.elapsed();
        client.collect().await?;
        if number >= WARM_UP {
            times.push(time);
        }
    }
    times.sort_unstable();
    Ok(times[times.len() / 2].as_secs_f64() * 1e6)
}
