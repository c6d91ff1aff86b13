//! Looking for a text: newest first, a piece at a time, for as long as somebody waits for an answer.
//!
//! No index finds a text within bodies, so that all of them are read. What is found by the end of the time is the answer, and it says how far it came.

use super::Filter;
use super::sql::Sql;
use crate::fault::Fault;
use crate::store::Store;
use std::time::{Duration, Instant};

/// How long is looked, but for the piece that is begun by then.
const TIME: Duration = Duration::from_millis(400);
/// Rows of the first piece, which is looked through in any case, and of the largest.
const FIRST: i64 = 200;
const LARGEST: i64 = 50_000;

/// How far a search came.
#[derive(Debug)]
pub(super) struct Search {
    filter: Filter,
    began: Instant,
    /// When the piece before was begun.
    piece: Option<Instant>,
    rows: i64,
    done: bool,
    stopped: Option<i64>,
}

impl Search {
    /// A search for what a filter lets through, up to a time.
    pub(super) fn new(filter: &Filter, last: Option<i64>) -> Self {
        let last = last.map(|last| last.saturating_add(1));
        Self {
            filter: Filter {
                until: filter.until.into_iter().chain(last).min(),
                ..filter.clone()
            },
            began: Instant::now(),
            piece: None,
            rows: FIRST,
            done: false,
            stopped: None,
        }
    }

    /// The time since which all was looked through, where that is not the whole time that was asked for.
    pub(super) const fn stopped(&self) -> Option<i64> {
        self.stopped
    }

    /// How many rows the next piece has: as many as take about an eighth of the time.
    fn adapt(&mut self) {
        if let Some(piece) = self.piece.replace(Instant::now()) {
            let took = piece.elapsed();
            if took < TIME / 16 {
                self.rows = LARGEST.min(self.rows * 4);
            } else if took > TIME / 4 {
                self.rows = FIRST.max(self.rows / 4);
            }
        }
    }
}

impl Store {
    /// The next piece to look through; nothing at the end of the time that was asked for, and when the time for it is over.
    pub(super) async fn next_piece(&self, search: &mut Search) -> Result<Option<Filter>, Fault> {
        if search.done {
            return Ok(None);
        }
        if search.piece.is_some() && search.began.elapsed() > TIME {
            search.stopped = search.filter.until;
            return Ok(None);
        }
        search.adapt();
        let mut sql = Sql::new(self.is_postgres(), "");
        let at = sql.micros("started_at");
        sql.push(&format!("SELECT {at} FROM requests WHERE "));
        let others = Filter {
            text: None,
            ..search.filter.clone()
        };
        others.write(&mut sql)?;
        sql.push(&format!(
            " ORDER BY started_at DESC LIMIT 1 OFFSET {}",
            search.rows
        ));
        let rows = self.ask(sql.text, sql.values).await?;
        let beyond = rows.first().and_then(|row| row.first()?.int());
        let mut piece = search.filter.clone();
        match beyond {
            None => search.done = true,
            Some(beyond) => {
                // So many at one moment go together.
                let all = search.filter.until.is_some_and(|until| until <= beyond + 1);
                let from = if all { beyond } else { beyond + 1 };
                piece.from = Some(from);
                search.filter.until = Some(from);
            }
        }
        Ok(Some(piece))
    }
}
