//! What goes over the wire: records as lines of JSON ([NDJSON](https://github.com/ndjson/ndjson-spec)) one way, one JSON object the other.

use crate::record::{LONGEST_NAME, cut};
use serde::{Deserialize, Serialize};

/// Where batches are posted.
pub const RECORDS_PATH: &str = "/v1/records";
/// Where replies that are on record are asked for: a [`Wanted`](crate::replay::Wanted) one way, a [`Found`](crate::replay::Found) the other, both JSON.
pub const REPLIES_PATH: &str = "/v1/replies";
/// The longest question for a reply, in bytes.
pub(super) const LONGEST_QUESTION: usize = 16 << 10;
/// The media type of a batch.
pub const CONTENT_TYPE: &str = "application/x-ndjson";
/// The longest batch that is taken, in bytes.
pub const LONGEST_BODY: usize = 32 << 20;
/// The longest record as JSON, in bytes.
pub const LONGEST_ROW: usize = 16 << 20;
/// The most records of a batch that is taken.
pub const MOST_ROWS: usize = 5000;

/// What became of a batch; the database has committed it.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Answer {
    /// Rows that are new.
    pub(super) stored: u64,
    /// Rows that were there already.
    pub(super) known: u64,
    /// Rows that can never be stored.
    pub(super) refused: Vec<Refused>,
}

/// A row that can never be stored.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Refused {
    /// Its id, at most as long as a name, or `line N` where it has none.
    pub(super) id: String,
    /// Why; holds no value of the row.
    pub(super) why: String,
}

impl Refused {
    pub(super) fn new(id: &str, why: &str) -> Self {
        Self {
            id: cut(id, LONGEST_NAME).into_owned(),
            why: why.into(),
        }
    }
}
