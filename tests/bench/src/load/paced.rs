//! Streams at the pace of a model that writes 50 tokens a second.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;

use super::client::Client;
use crate::fault::Fault;
use crate::wire::{self, Kind, Way};

/// Between two streams' beginnings. With the runtime's timers, exact to a millisecond, their events then spread evenly over the 20 ms.
const STAGGER: Duration = Duration::from_millis(3);

/// Open streams; the clients leave when dropped.
pub(crate) struct PacedStreams {
    events: Arc<AtomicU64>,
    tasks: JoinSet<Result<(), Fault>>,
}

impl PacedStreams {
    /// Opens so many, each past its first event.
    pub(crate) async fn open(address: SocketAddr, way: Way, streams: u32) -> Result<Self, Fault> {
        let request = wire::request(address, way, Kind::Paced);
        let events = Arc::new(AtomicU64::new(0));
        let mut tasks = JoinSet::new();
        let mut starts = tokio::time::interval(STAGGER);
        starts.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        for _ in 0..streams {
            starts.tick().await;
            let mut client = Client::connect(address).await?;
            client.open(&request).await?;
            client.until(wire::TOKEN).await?;
            let events = Arc::clone(&events);
            tasks.spawn(async move {
                loop {
                    events.fetch_add(client.events().await?, Ordering::Relaxed);
                }
            });
        }
        Ok(Self { events, tasks })
    }

    /// Lets them run for a time; says how many events came.
    pub(crate) async fn watch(&mut self, time: Duration) -> Result<u64, Fault> {
        let before = self.events.load(Ordering::Relaxed);
        tokio::time::sleep(time).await;
        // None of them ends by itself.
        match self.tasks.try_join_next() {
            None => Ok(self.events.load(Ordering::Relaxed) - before),
            Some(Ok(Err(fault))) => Err(fault),
            Some(_) => Err(Fault::WrongReply("a paced stream ended".into())),
        }
    }
}
