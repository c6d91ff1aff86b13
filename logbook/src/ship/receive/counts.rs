//! What a receiver did, for metrics.

use super::super::wire::Answer;
use http::StatusCode;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What a receiver did since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Batches that were committed.
    pub batches: u64,
    /// Bytes of batches that arrived.
    pub bytes: u64,
    /// Rows that were new.
    pub stored: u64,
    /// Rows that had been stored before.
    pub known: u64,
    /// Rows that can never be stored.
    pub refused: u64,
    /// Requests whose ticket did not hold.
    pub unauthorized: u64,
    /// Requests that were told to come again: the database is away, or there is no room.
    pub unavailable: u64,
    /// Requests refused for another reason.
    pub invalid: u64,
    /// Questions for replies that were answered.
    pub replies: u64,
    /// Batches that wait for room or are under way.
    pub in_flight: u64,
}

#[derive(Debug, Default)]
pub(super) struct Shared {
    batches: AtomicU64,
    bytes: AtomicU64,
    stored: AtomicU64,
    known: AtomicU64,
    refused: AtomicU64,
    unauthorized: AtomicU64,
    unavailable: AtomicU64,
    invalid: AtomicU64,
    replies: AtomicU64,
}

impl Shared {
    pub(super) fn replied(&self) {
        self.replies.fetch_add(1, Relaxed);
    }

    pub(super) fn received(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Relaxed);
    }

    pub(super) fn committed(&self, answer: &Answer) {
        self.batches.fetch_add(1, Relaxed);
        self.stored.fetch_add(answer.stored, Relaxed);
        self.known.fetch_add(answer.known, Relaxed);
        self.refused.fetch_add(answer.refused.len() as u64, Relaxed);
    }

    pub(super) fn turned_away(&self, status: StatusCode) {
        let counter = match status {
            StatusCode::UNAUTHORIZED => &self.unauthorized,
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => &self.unavailable,
            _ => &self.invalid,
        };
        counter.fetch_add(1, Relaxed);
    }

    pub(super) fn read(&self, in_flight: usize) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Relaxed);
        Counts {
            batches: read(&self.batches),
            bytes: read(&self.bytes),
            stored: read(&self.stored),
            known: read(&self.known),
            refused: read(&self.refused),
            unauthorized: read(&self.unauthorized),
            unavailable: read(&self.unavailable),
            invalid: read(&self.invalid),
            replies: read(&self.replies),
            in_flight: in_flight as u64,
        }
    }
}
