//! The report: medians, what they are compared with, and whether the bounds are met.

mod definitions;
mod rows;
mod spread;
mod table;

use std::io;

use serde::Serialize;

use crate::measure::Round;
use crate::options::Output;
use rows::Row;

/// All figures, with the verdicts.
#[derive(Serialize)]
pub(crate) struct Report<'a> {
    rows: Vec<Row>,
    rounds: &'a [Round],
}

impl<'a> Report<'a> {
    /// Compares what the rounds took.
    pub(crate) fn new(rounds: &'a [Round]) -> Self {
        Self {
            rows: rows::all(rounds),
            rounds,
        }
    }

    /// Whether every bound that was measured is met.
    pub(crate) fn met(&self) -> bool {
        self.rows.iter().all(|row| row.met != Some(false))
    }

    /// Prints it.
    ///
    /// # Errors
    /// When `to` cannot be written.
    pub(crate) fn write(&self, output: Output, to: &mut impl io::Write) -> io::Result<()> {
        match output {
            Output::Text => to.write_all(table::text(&self.rows, self.rounds.len()).as_bytes()),
            Output::Json => {
                serde_json::to_writer_pretty(&mut *to, self)?;
                writeln!(to)
            }
        }
    }
}
