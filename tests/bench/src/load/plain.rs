//! Plain requests in a closed loop: each connection sends the next one when it has the reply.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::client::Client;
use super::sum;
use crate::fault::Fault;
use crate::wire::{self, Kind, Way};

/// Connections that are busy at the same time.
const CONNECTIONS: usize = 16;

/// Sends requests for a time; says how many were answered.
pub(crate) async fn run(address: SocketAddr, way: Way, time: Duration) -> Result<u64, Fault> {
    let until = Instant::now() + time;
    let tasks = (0..CONNECTIONS)
        .map(|_| tokio::spawn(one(address, way, until)))
        .collect();
    sum(tasks).await
}

/// Sends so many requests a second for a time, as far as replies come in time; says how many were answered.
pub(crate) async fn at_a_rate(
    address: SocketAddr,
    way: Way,
    rate: u32,
    time: Duration,
) -> Result<u64, Fault> {
    let until = Instant::now() + time;
    let every = Duration::from_secs(1) * CONNECTIONS as u32 / rate;
    let tasks = (0..CONNECTIONS as u32)
        .map(|number| {
            let first = every * number / CONNECTIONS as u32;
            tokio::spawn(one_at_a_rate(address, way, (first, every), until))
        })
        .collect();
    sum(tasks).await
}

async fn one_at_a_rate(
    address: SocketAddr,
    way: Way,
    (first, every): (Duration, Duration),
    until: Instant,
) -> Result<u64, Fault> {
    let request = wire::request(address, way, Kind::Plain);
    let mut client = Client::connect(address).await?;
    let mut answered = 0;
    let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + first, every);
    while Instant::now() < until {
        ticks.tick().await;
        client.exchange(&request).await?;
        answered += 1;
    }
    Ok(answered)
}

async fn one(address: SocketAddr, way: Way, until: Instant) -> Result<u64, Fault> {
    let request = wire::request(address, way, Kind::Plain);
    let mut client = Client::connect(address).await?;
    let mut answered = 0;
    while Instant::now() < until {
        client.exchange(&request).await?;
        answered += 1;
    }
    Ok(answered)
}
