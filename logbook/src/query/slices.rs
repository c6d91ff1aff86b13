//! Figures of many rows, read by slices of time, so that neither side holds them all, and two are read and added up at once.

use super::Filter;
use super::filter::Read;
use super::search::Search;
use super::sql::Sql;
use super::tally::{Tally, since};
use crate::fault::Fault;
use crate::store::{Cell, Store};
use parking_lot::Mutex;
use std::time::Instant;

/// The most rows that are read at once: some ten megabytes. Where a slice has more, its older part is read later.
const ROWS: usize = 100_000;
/// Of more that started within one microsecond, no more are counted.
const MOST_AT_ONE_MOMENT: usize = 1_000_000;
/// How many slices a time is cut into at first.
const SLICES: i64 = 16;

/// A part of the time, and what is read of it.
type Slice = (i64, i64, Read);

/// What is still to be read, and until when there is time for it.
struct Left {
    slices: Mutex<Vec<Slice>>,
    deadline: Instant,
}

impl Store {
    /// Adds up what a filter lets through. For a text, that is what there is time to look through, newest first; then it is said since when that is.
    pub(super) async fn tally(
        &self,
        filter: &Filter,
        step: i64,
    ) -> Result<(Tally, Option<i64>), Fault> {
        // Faults of the filter as it was asked.
        filter.write(&mut Sql::new(self.is_postgres(), ""))?;
        let mut tally = Tally::default();
        let Some((from, until)) = self.extent(filter).await? else {
            return Ok((tally, None));
        };
        if filter.text.is_some() {
            let mut search = Search::new(filter, None);
            while let Some(piece) = self.next_piece(&mut search).await? {
                let (figures, _) = self.figures(&piece, Read::Keys, ROWS).await?;
                tally.add(&figures, self.is_postgres(), step)?;
            }
            return Ok((tally, search.stopped()));
        }
        let reads: &[_] = if filter.attributes.is_empty() || !self.is_postgres() {
            &[Read::Figures]
        } else {
            &[Read::Figures, Read::LongAttributes]
        };
        let width = until.saturating_sub(from) / SLICES + 1;
        let mut slices = Vec::new();
        let mut at = from;
        while at < until {
            let end = at.saturating_add(width).min(until);
            slices.extend(reads.iter().map(|read| (at, end, *read)));
            at = end;
        }
        let left = Left {
            slices: Mutex::new(slices),
            deadline: Instant::now() + self.patience(),
        };
        // Whoever looks leaves a connection to others.
        let work = || self.work(filter, step, &left);
        let (one, other) = futures::try_join!(work(), work())?;
        tally.merge(one);
        tally.merge(other);
        Ok((tally, None))
    }

    /// Reads slices until none is left.
    async fn work(&self, filter: &Filter, step: i64, left: &Left) -> Result<Tally, Fault> {
        let postgres = self.is_postgres();
        let mut tally = Tally::default();
        loop {
            let next = left.slices.lock().pop();
            let Some((from, until, read)) = next else {
                return Ok(tally);
            };
            if Instant::now() > left.deadline {
                return Err(Fault::Slow);
            }
            let slice = |from, until| Filter {
                from: Some(from),
                until: Some(until),
                ..filter.clone()
            };
            let (mut figures, first) = self.figures(&slice(from, until), read, ROWS).await?;
            let rest = first.map(|first| {
                // Of the first moment there may be more.
                let rest = first + 1;
                left.slices.lock().push((from, rest.min(until - 1), read));
                rest
            });
            if rest == Some(until) {
                // So many at one moment go together.
                let moment = slice(until - 1, until);
                (figures, _) = self.figures(&moment, read, MOST_AT_ONE_MOMENT).await?;
            }
            // Beside whatever else this thread does, which may be to read the next.
            let added = tokio::task::spawn_blocking(move || {
                if let Some(rest) = rest.filter(|rest| *rest < until) {
                    figures = since(&figures, postgres, rest)?;
                }
                tally.add(&figures, postgres, step)?;
                Ok::<_, Fault>(tally)
            });
            let added = added.await;
            tally = added.map_err(|fault| Fault::Unusable(fault.to_string()))??;
        }
    }

    /// The figures of a slice, at most so many, newest first; when the first of them started, if there may be more.
    async fn figures(
        &self,
        slice: &Filter,
        read: Read,
        most: usize,
    ) -> Result<(String, Option<i64>), Fault> {
        let mut sql = Sql::new(self.is_postgres(), "");
        let (together, first) = if sql.postgres {
            ("string_agg", sql.micros("min(started_at)"))
        } else {
            ("group_concat", "min(started_at)".to_owned())
        };
        sql.push(&format!(
            "SELECT {together}(figures, ''), count(*), {first} FROM (SELECT figures, started_at FROM requests WHERE "
        ));
        slice.write_for(read, &mut sql)?;
        sql.push(&format!(" ORDER BY started_at DESC LIMIT {most}) AS slice"));
        let rows = self.ask(sql.text, sql.values).await?;
        let mut cells = rows.into_iter().next().unwrap_or_default().into_iter();
        let figures = cells.next().and_then(Cell::text).unwrap_or_default();
        let count = cells.next().and_then(|count| count.int());
        let full =
            count.is_some_and(|count| usize::try_from(count).is_ok_and(|count| count >= most));
        let first = cells.next().and_then(|first| first.int());
        Ok((figures, first.filter(|_| full)))
    }

    /// The time that a filter asks for, or in which something started; nothing where nothing did.
    async fn extent(&self, filter: &Filter) -> Result<Option<(i64, i64)>, Fault> {
        if let (Some(from), Some(until)) = (filter.from, filter.until) {
            return Ok(Some((from, until)));
        }
        let sql = Sql::new(self.is_postgres(), "");
        let (first, last) = (sql.micros("min(started_at)"), sql.micros("max(started_at)"));
        // Each by itself, so that each is the end of an index.
        let question =
            format!("SELECT (SELECT {first} FROM requests), (SELECT {last} FROM requests)");
        let rows = self.ask(question, Vec::new()).await?;
        let mut ends = rows.iter().flatten().map(Cell::int);
        let (first, last) = (ends.next().flatten(), ends.next().flatten());
        Ok(first.zip(last).map(|(first, last)| {
            (
                filter.from.unwrap_or(first),
                filter.until.unwrap_or(last + 1),
            )
        }))
    }
}
