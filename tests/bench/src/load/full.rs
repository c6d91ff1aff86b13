//! Streams at full speed: the reader is never waited for, so the contender is.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::client::Client;
use super::sum;
use crate::fault::Fault;
use crate::wire::{self, Kind};

/// Streams that run at the same time.
const STREAMS: usize = 8;

/// Reads streams for a time; says how many events came.
pub(crate) async fn run(address: SocketAddr, time: Duration) -> Result<u64, Fault> {
    let until = Instant::now() + time;
    let tasks = (0..STREAMS)
        .map(|_| tokio::spawn(one(address, until)))
        .collect();
    sum(tasks).await
}

async fn one(address: SocketAddr, until: Instant) -> Result<u64, Fault> {
    let request = wire::request(address, Kind::Full);
    let payload = (wire::event().len() * wire::FULL_EVENTS) as u64;
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
