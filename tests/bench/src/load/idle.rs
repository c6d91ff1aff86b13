//! Streams that are open and silent, as while a model thinks.

use std::net::SocketAddr;

use super::client::Client;
use crate::fault::Fault;
use crate::wire::{self, Kind, Way};

/// Open streams; the clients leave when dropped.
pub(crate) struct IdleStreams {
    _clients: Vec<Client>,
}

impl IdleStreams {
    /// Opens so many, each past its first event.
    pub(crate) async fn open(address: SocketAddr, streams: usize) -> Result<Self, Fault> {
        let request = wire::request(address, Way::OPENAI, Kind::Idle);
        let mut clients = Vec::with_capacity(streams);
        for _ in 0..streams {
            let mut client = Client::connect(address).await?;
            client.open(&request).await?;
            client.until(wire::TOKEN).await?;
            clients.push(client);
        }
        Ok(Self { _clients: clients })
    }
}
