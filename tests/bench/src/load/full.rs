//! Streams at full speed: the reader is never waited for, so the contender is.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::client::Client;
use super::sum;
use crate::fault::Fault;
use crate::wire::{self, Kind, Way};

/// Streams that run at the same time.
const STREAMS: usize = 8;
/// What an event has at least, in bytes, whichever API it is in and whoever wrote it.
const SHORTEST: usize = 100;

/// Reads streams for a time; says how many events came.
pub(crate) async fn run(address: SocketAddr, way: Way, time: Duration) -> Result<u64, Fault> {
    let until = Instant::now() + time;
    let tasks = (0..STREAMS)
        .map(|_| tokio::spawn(one(address, way, until)))
        .collect();
    sum(tasks).await
}

async fn one(address: SocketAddr, way: Way, until: Instant) -> Result<u64, Fault> {
    let request = wire::request(address, way, Kind::Full);
    let payload = (SHORTEST * wire::FULL_EVENTS) as u64;
    let mut client = Client::connect(address).await?;
    let mut events = 0;
    while Instant::now() < until {
        let head = client.open(&request).await?;
        let bytes = client.drain(head).await?;
        if bytes < payload {
            return Err(Fault::WrongReply(format!(
                "a stream of {bytes} bytes was cut short"
            )));
        }
        events += wire::FULL_EVENTS as u64;
    }
    Ok(events)
}
