//! Records that travel together.

use crate::record::Record;
use std::time::Instant;

/// The bytes at which a batch is not added to.
pub(super) const FULL: usize = 8 << 20;

/// Some records, the bytes that they take of the queue, and since when the first waits.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) records: Vec<Record>,
    pub(super) bytes: usize,
    pub(super) since: Option<Instant>,
}

impl Batch {
    pub(super) fn push(&mut self, record: Record) {
        self.since.get_or_insert_with(Instant::now);
        self.bytes += record.size();
        self.records.push(record);
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    pub(super) const fn is_full(&self, most: usize) -> bool {
        self.records.len() >= most || self.bytes >= FULL
    }
}
