//! How much is taken at once, whatever the number of proxies: bytes, and batches of one pod.

use super::super::ticket::Claims;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

/// Bytes of batches that are held at once, in KiB; more than the longest batch.
const HELD: u32 = 64 << 10;
/// Batches of one pod at once: one that a pod gave up waiting for may still be under way when it comes again.
const TURNS: usize = 2;
/// How long a batch waits for room.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Room {
    held: Semaphore,
    pods: Mutex<HashMap<String, usize>>,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            held: Semaphore::new(HELD as usize),
            pods: Mutex::default(),
        }
    }
}

/// One of a pod's batches.
pub(super) struct Turn<'a> {
    room: &'a Room,
    pod: String,
}

impl Room {
    /// A pod's turn, unless it has as many as it may.
    pub(super) fn turn(&self, claims: &Claims) -> Option<Turn<'_>> {
        let pod = format!("{}/{}", claims.sub, claims.pod);
        let mut pods = self.pods.lock();
        let turns = pods.entry(pod.clone()).or_default();
        if *turns >= TURNS {
            return None;
        }
        *turns += 1;
        Some(Turn { room: self, pod })
    }

    /// Room for so many bytes, in order of arrival; none if it takes too long.
    pub(super) async fn hold(&self, bytes: usize) -> Option<SemaphorePermit<'_>> {
        let size = u32::try_from(bytes / 1024 + 1).unwrap_or(HELD).min(HELD);
        timeout(PATIENCE, self.held.acquire_many(size))
            .await
            .ok()?
            .ok()
    }

    /// Batches that wait or are under way.
    pub(super) fn waiting(&self) -> usize {
        self.pods.lock().values().sum()
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut pods = self.room.pods.lock();
        if let Some(turns) = pods.get_mut(&self.pod) {
            *turns -= 1;
            if *turns == 0 {
                pods.remove(&self.pod);
            }
        }
    }
}
