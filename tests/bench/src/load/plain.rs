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
