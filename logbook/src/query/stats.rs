//! What charts show: figures over time, and by model, route or user.
//!
//! All of it is read from one index, without touching rows. Percentiles come from counts of durations that are rounded down to five binary digits, by whole
//! numbers alone: they are up to three per cent low, the same from every database, and a hundred numbers or so carry what a million rows took.

use super::Filter;
use super::sql::Sql;
use crate::fault::Fault;
use crate::store::{Cell, Store};
use serde::Deserialize;
use std::collections::BTreeMap;
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

impl Dimension {
    pub(super) const fn column(self) -> &'static str {
        match self {
            Self::Model => "model_requested",
            Self::Route => "namespace || '/' || route",
            Self::User => "user_name",
        }
    }
}

impl Store {
    /// Figures over time, a point for each step in which something started, in order. The filter needs both ends of the time.
    ///
    /// # Errors
    /// [`Fault::Question`] for more points than a chart can show, or no time; those of the database.
    pub async fn series(&self, filter: &Filter, step: Duration) -> Result<Vec<Point>, Fault> {
        let step = steps(filter, step)?;
        let group = if self.is_postgres() {
            format!("date_bin(interval '{step} microseconds', started_at, timestamptz 'epoch')")
        } else {
            format!("started_at / {step} * {step}")
        };
        let key = Sql::new(self.is_postgres(), "").micros("grouped");
        let figures = self
            .figures(
                filter,
                &Group {
                    group,
                    key,
                    among: None,
                },
            )
            .await?;
        let point = |(at, figures)| match at {
            Key::Time(at) => Some(Point { at, figures }),
            Key::Name(_) => None,
        };
        Ok(figures.into_iter().filter_map(point).collect())
    }

    /// What all requests that a filter lets through come to.
    ///
    /// # Errors
    /// Those of [`Store::series`].
    pub async fn totals(&self, filter: &Filter) -> Result<Figures, Fault> {
        let group = Group {
            group: "CAST(0 AS bigint)".into(),
            key: "grouped".into(),
            among: None,
        };
        let figures = self.figures(filter, &group).await?;
        Ok(figures.into_values().next().unwrap_or_default())
    }

    /// The models, routes or users with the most requests, most first, at most a hundred.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn top(&self, filter: &Filter, by: Dimension, limit: u32) -> Result<Vec<Top>, Fault> {
        let (column, limit) = (by.column(), least(limit));
        let names = if self.is_postgres() {
            self.grouped_top(filter, column, limit).await?
        } else {
            self.packed_top(filter, column, limit as usize).await?
        };
        let group = Group {
            group: column.into(),
            key: "grouped".into(),
            among: Some(names.clone()),
        };
        let mut figures = self.figures(filter, &group).await?;
        let line = |name: String| {
            let figures = figures.remove(&Key::Name(name.clone()))?;
            Some(Top { name, figures })
        };
        Ok(names.into_iter().filter_map(line).collect())
    }

    /// The groups with the most requests, most first, and those of the same number by name.
    async fn grouped_top(
        &self,
        filter: &Filter,
        column: &str,
        limit: u32,
    ) -> Result<Vec<String>, Fault> {
        let mut sql = Sql::new(self.is_postgres(), "");
        sql.push(&format!("SELECT {column}, count(*) FROM requests WHERE "));
        filter.write(&mut sql)?;
        sql.push(&format!(
            " AND {column} IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {limit}"
        ));
        let rows = self.ask(sql.text, sql.values).await?;
        Ok(rows
            .into_iter()
            .filter_map(|row| row.into_iter().next()?.text())
            .collect())
    }

    /// Figures of each group: sums with durations, and then times to first content.
    async fn figures(
        &self,
        filter: &Filter,
        group: &Group,
    ) -> Result<BTreeMap<Key, Figures>, Fault> {
        if !self.is_postgres() {
            return self.packed(filter, group).await;
        }
        let mut figures: BTreeMap<Key, Figures> = BTreeMap::new();
        let mut bins: BTreeMap<Key, Vec<(i64, i64)>> = BTreeMap::new();
        for row in self.binned(filter, group, "duration_ms").await? {
            let Some((key, [bin, n, errors, prompt, completion, cost])) = split(row) else {
                continue;
            };
            let sum = figures.entry(key.clone()).or_default();
            sum.requests += n;
            sum.errors += errors;
            sum.prompt_tokens += prompt;
            sum.completion_tokens += completion;
            sum.cost += cost;
            bins.entry(key).or_default().push((bin, n));
        }
        for (key, bins) in std::mem::take(&mut bins) {
            figures.entry(key).or_default().duration_ms = percentiles(bins);
        }
        for row in self.binned(filter, group, "ttft_ms").await? {
            let Some((key, [bin, n])) = split(row) else {
                continue;
            };
            bins.entry(key).or_default().push((bin, n));
        }
        for (key, bins) in bins {
            figures.entry(key).or_default().ttft_ms = percentiles(bins);
        }
        Ok(figures)
    }

    /// Rows of a group's key, a bin of a time, and what was summed in it.
    async fn binned(
        &self,
        filter: &Filter,
        group: &Group,
        time: &str,
    ) -> Result<Vec<Vec<Cell>>, Fault> {
        let mut sql = Sql::new(self.is_postgres(), "");
        let (cost, Group { group, key, among }) = (sql.millionths("cost"), group);
        sql.push(&format!(
            "SELECT {key}, bin, n, errors, CAST(prompt AS bigint), CAST(completion AS bigint), {cost} FROM ( \
               SELECT {group} AS grouped, {} AS bin, count(*) AS n, count(*) FILTER (WHERE failed) AS errors, \
                 sum(coalesce(prompt_tokens, 0)) AS prompt, sum(coalesce(completion_tokens, 0)) AS completion, \
                 sum(coalesce(cost, 0)) AS cost \
               FROM requests WHERE ",
            bin(time)
        ));
        filter.write(&mut sql)?;
        sql.push(&format!(" AND {time} IS NOT NULL"));
        if let Some(names) = among {
            sql.push(" AND ");
            sql.is_one_of(group, names.iter().map(String::as_str));
        }
        sql.push(" GROUP BY 1, 2) AS binned");
        self.ask(sql.text, sql.values).await
    }
}

/// The step of a series in microseconds, if a series of the filter's time may have it.
pub(super) fn steps(filter: &Filter, step: Duration) -> Result<i64, Fault> {
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

/// How long a list may be that is wanted so long.
pub(super) fn least(limit: u32) -> u32 {
    limit.clamp(1, LONGEST_LIST)
}

/// How requests are grouped: the expression, how its outcome becomes a number or a text, and which outcomes are wanted.
pub(super) struct Group {
    pub(super) group: String,
    pub(super) key: String,
    pub(super) among: Option<Vec<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(untagged)]
pub(super) enum Key {
    Time(i64),
    Name(String),
}

fn split<const N: usize>(row: Vec<Cell>) -> Option<(Key, [i64; N])> {
    let mut cells = row.into_iter();
    let key = match cells.next()? {
        Cell::Int(at) => Key::Time(at),
        Cell::Text(name) => Key::Name(name),
        _ => return None,
    };
    let mut numbers = [0; N];
    for (number, cell) in numbers.iter_mut().zip(cells) {
        *number = cell.int().unwrap_or_default();
    }
    Some((key, numbers))
}

/// A time rounded down to its five highest binary digits; exact below 32, and no finer than half an hour above ten hours.
fn bin(time: &str) -> String {
    let steps = (1..=20).map(|step| {
        let (below, width) = (32_i64 << step, 1_i64 << step);
        format!("WHEN {time} < {below} THEN {time} / {width} * {width}")
    });
    let steps: Vec<_> = steps.collect();
    format!(
        "CASE WHEN {time} < 32 THEN {time} {} ELSE {time} / 2097152 * 2097152 END",
        steps.join(" ")
    )
}

/// Percentiles by nearest rank.
pub(super) fn percentiles(mut bins: Vec<(i64, i64)>) -> Percentiles {
    bins.sort_unstable();
    let all: i64 = bins.iter().map(|(_, n)| n).sum();
    let within = |hundredths: i64| {
        let rank = (all * hundredths).div_euclid(100) + i64::from(all * hundredths % 100 > 0);
        let mut seen = 0;
        bins.iter().find_map(|(bin, n)| {
            seen += n;
            (seen >= rank).then_some(*bin)
        })
    };
    Percentiles {
        p50: within(50),
        p95: within(95),
        p99: within(99),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let hundred = (1..=100).rev().map(|ms| (ms, 1)).collect();
        let found = percentiles(hundred);
        assert_eq!(
            (found.p50, found.p95, found.p99),
            (Some(50), Some(95), Some(99))
        );
        assert_eq!(percentiles(vec![(7, 3)]).p99, Some(7));
        assert_eq!(percentiles(Vec::new()), Percentiles::default());
    }
}
