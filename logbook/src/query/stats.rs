//! What charts show: figures over time, and by model, route or user.
//!
//! All of it is read from one index, without touching rows, and added up by this program: neither database groups a million rows in a second. Percentiles come
//! from counts of durations that are rounded down to five binary digits, by whole numbers alone: they are up to three per cent low, and the same from both.

use super::Filter;
use crate::fault::Fault;
use crate::store::Store;
use std::time::Duration;

/// The most points of one series.
const MOST_POINTS: i64 = 2000;
/// The longest top list.
const LONGEST_LIST: u32 = 100;

/// What some requests come to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// How many there were.
    pub requests: i64,
    /// How many of them count as errors.
    pub errors: i64,
    /// Tokens read.
    pub prompt_tokens: i64,
    /// Tokens written.
    pub completion_tokens: i64,
    /// Their cost in millionths.
    pub cost: i64,
    /// How long they took, in milliseconds.
    pub duration_ms: Percentiles,
    /// How long until the first content, in milliseconds, of those that had any.
    pub ttft_ms: Percentiles,
}

/// What so many of a hundred stay within; none where there was nothing to measure.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Percentiles {
    /// Half of them.
    pub p50: Option<i64>,
    /// Nineteen of twenty.
    pub p95: Option<i64>,
    /// Ninety-nine of a hundred.
    pub p99: Option<i64>,
}

/// A point of a series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// Where its time begins, in microseconds since the epoch: a multiple of the series' step.
    pub at: i64,
    /// What started within that step.
    pub figures: Figures,
}

/// What a page of figures shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overview {
    /// Over time: a point for each step in which something started, in order.
    pub series: Vec<Point>,
    /// In all.
    pub totals: Figures,
    /// The models with the most requests, most first, and those of the same number by name. Of more than a hundred thousand, those with few may be counted low.
    pub models: Vec<Top>,
    /// The same by route.
    pub routes: Vec<Top>,
    /// The same by user.
    pub users: Vec<Top>,
    /// A search for a text came so far back, in microseconds since the epoch, when its time was over; none where all was looked through.
    pub since: Option<i64>,
}

/// What a top list is by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dimension {
    /// The model as clients named it.
    Model,
    /// Route, as `namespace/name`.
    Route,
    /// Who called.
    User,
}

/// A line of a top list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Top {
    /// The model, route or user.
    pub name: String,
    /// What its requests come to.
    pub figures: Figures,
}

impl Store {
    /// Figures over time, in all, and by model, route and user, each list of at most so many, a hundred at most. The filter needs both ends of the time.
    ///
    /// # Errors
    /// [`Fault::Question`] for more points than a chart can show, or no time; those of the database.
    pub async fn overview(
        &self,
        filter: &Filter,
        step: Duration,
        limit: u32,
    ) -> Result<Overview, Fault> {
        let step = steps(filter, step)?;
        let (tally, since) = self.tally(filter, step).await?;
        let limit = limit.clamp(1, LONGEST_LIST) as usize;
        Ok(Overview {
            since,
            ..tally.finished(limit)
        })
    }

    /// The series of an [`Overview`].
    ///
    /// # Errors
    /// Those of [`Store::overview`].
    pub async fn series(&self, filter: &Filter, step: Duration) -> Result<Vec<Point>, Fault> {
        Ok(self.overview(filter, step, 1).await?.series)
    }

    /// The totals of an [`Overview`], of a time without an end too.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn totals(&self, filter: &Filter) -> Result<Figures, Fault> {
        let (tally, _) = self.tally(filter, i64::MAX).await?;
        Ok(tally.finished(1).totals)
    }

    /// A list of an [`Overview`], of a time without an end too.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn top(&self, filter: &Filter, by: Dimension, limit: u32) -> Result<Vec<Top>, Fault> {
        let (tally, _) = self.tally(filter, i64::MAX).await?;
        let found = tally.finished(limit.clamp(1, LONGEST_LIST) as usize);
        Ok(match by {
            Dimension::Model => found.models,
            Dimension::Route => found.routes,
            Dimension::User => found.users,
        })
    }
}

/// The step of a series in microseconds, if a series of the filter's time may have it.
fn steps(filter: &Filter, step: Duration) -> Result<i64, Fault> {
    let step = i64::try_from(step.as_micros()).unwrap_or(i64::MAX).max(1);
    let (Some(from), Some(until)) = (filter.from, filter.until) else {
        return Err(Fault::Question(
            "a series needs the times that it begins and ends at".into(),
        ));
    };
    if until.saturating_sub(from) / step >= MOST_POINTS {
        return Err(Fault::Question(format!(
            "a series has at most {MOST_POINTS} steps"
        )));
    }
    Ok(step)
}
