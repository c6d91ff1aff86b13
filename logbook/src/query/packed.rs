//! Figures from SQLite, which sorts whatever it groups: for a million rows that takes seconds. Here it only reads its index, and packs what it finds into
//! arrays of JSON, some ten thousand rows at a time; they are grouped by this program.

use super::Filter;
use super::sql::Sql;
use super::stats::{Figures, Group, Key, percentiles};
use crate::fault::Fault;
use crate::store::{Cell, Store};
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

/// How many rows are packed at once: a few megabytes.
const CHUNK: u32 = 50_000;

/// What has been seen of a group.
#[derive(Default)]
struct Seen {
    figures: Figures,
    durations: HashMap<i64, i64>,
    ttfts: HashMap<i64, i64>,
}

/// The time that is still to be looked at, and until when there is time for that.
pub(super) struct Rest {
    filter: Filter,
    from: i64,
    until: i64,
    deadline: Instant,
}

impl Rest {
    pub(super) fn of(store: &Store, filter: &Filter) -> Result<Self, Fault> {
        // Faults of the filter as it was asked.
        filter.write(&mut Sql::new(false, ""))?;
        Ok(Self {
            from: filter.from.unwrap_or(i64::MIN),
            until: filter.until.unwrap_or(i64::MAX),
            filter: filter.clone(),
            deadline: Instant::now() + store.patience(),
        })
    }
}

impl Store {
    /// Figures of each group, as from Postgres.
    pub(super) async fn packed(
        &self,
        filter: &Filter,
        group: &Group,
    ) -> Result<BTreeMap<Key, Figures>, Fault> {
        const COLUMNS: [&str; 6] = [
            "duration_ms",
            "ttft_ms",
            "failed",
            "prompt_tokens",
            "completion_tokens",
            "CAST(round(cost * 1e6) AS INTEGER)",
        ];
        let mut seen: HashMap<Key, Seen> = HashMap::new();
        let mut rest = Rest::of(self, filter)?;
        while let Some(chunk) = self.chunk(&mut rest).await? {
            let row = self.pack(&chunk, group, &COLUMNS).await?;
            let mut cells = row.into_iter();
            let keys: Vec<Key> = unpacked(cells.next())?;
            let columns: Vec<Vec<Option<i64>>> = cells
                .map(|cell| unpacked(Some(cell)))
                .collect::<Result<_, _>>()?;
            let [durations, ttfts, failed, prompts, completions, costs] = &columns[..] else {
                continue;
            };
            for (at, key) in keys.into_iter().enumerate() {
                let number = |column: &[Option<i64>]| column.get(at).copied().flatten();
                let seen = seen.entry(key).or_default();
                seen.figures.requests += 1;
                seen.figures.errors += number(failed).unwrap_or_default();
                seen.figures.prompt_tokens += number(prompts).unwrap_or_default();
                seen.figures.completion_tokens += number(completions).unwrap_or_default();
                seen.figures.cost += number(costs).unwrap_or_default();
                for (bins, time) in [(&mut seen.durations, durations), (&mut seen.ttfts, ttfts)] {
                    if let Some(time) = number(time) {
                        *bins.entry(bin(time)).or_default() += 1;
                    }
                }
            }
        }
        let finished = |(key, seen): (Key, Seen)| {
            let duration_ms = percentiles(seen.durations.into_iter().collect());
            let ttft_ms = percentiles(seen.ttfts.into_iter().collect());
            (
                key,
                Figures {
                    duration_ms,
                    ttft_ms,
                    ..seen.figures
                },
            )
        };
        Ok(seen.into_iter().map(finished).collect())
    }

    /// The groups with the most requests, most first, and those of the same number by name.
    pub(super) async fn packed_top(
        &self,
        filter: &Filter,
        column: &str,
        limit: usize,
    ) -> Result<Vec<String>, Fault> {
        let group = Group {
            group: column.into(),
            key: String::new(),
            among: None,
        };
        let mut counts: HashMap<String, i64> = HashMap::new();
        let mut rest = Rest::of(self, filter)?;
        while let Some(chunk) = self.chunk(&mut rest).await? {
            let names: Vec<Option<String>> = unpacked(self.pack(&chunk, &group, &[]).await?.pop())?;
            for name in names.into_iter().flatten() {
                *counts.entry(name).or_default() += 1;
            }
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_unstable_by(|(a, n), (b, m)| m.cmp(n).then_with(|| a.cmp(b)));
        Ok(counts
            .into_iter()
            .take(limit)
            .map(|(name, _)| name)
            .collect())
    }

    /// Cuts the first so many rows' time off what is left; nothing when nothing is left.
    pub(super) async fn chunk(&self, rest: &mut Rest) -> Result<Option<Filter>, Fault> {
        if rest.from >= rest.until {
            return Ok(None);
        }
        if Instant::now() > rest.deadline {
            return Err(Fault::Slow);
        }
        let mut sql = Sql::new(
            false,
            "SELECT started_at FROM requests WHERE started_at >= ",
        );
        let (low, high) = (
            sql.bind(Cell::Int(rest.from)),
            sql.bind(Cell::Int(rest.until)),
        );
        sql.push(&format!(
            "{low} AND started_at < {high} ORDER BY started_at LIMIT 1 OFFSET {CHUNK}"
        ));
        let rows = self.ask(sql.text, sql.values).await?;
        let bound = rows.first().and_then(|row| row.first()?.int());
        // So many at one moment go together.
        let end = bound.map_or(rest.until, |bound| bound.max(rest.from.saturating_add(1)));
        let from = std::mem::replace(&mut rest.from, end);
        Ok(Some(Filter {
            from: Some(from),
            until: Some(end),
            ..rest.filter.clone()
        }))
    }

    /// A chunk's keys and columns, each as one array.
    pub(super) async fn pack(
        &self,
        chunk: &Filter,
        group: &Group,
        columns: &[&str],
    ) -> Result<Vec<Cell>, Fault> {
        let mut sql = Sql::new(false, "");
        let packed: Vec<_> = std::iter::once(group.group.as_str())
            .chain(columns.iter().copied())
            .map(|column| format!("json_group_array({column})"))
            .collect();
        sql.push(&format!(
            "SELECT {} FROM requests WHERE ",
            packed.join(", ")
        ));
        chunk.write(&mut sql)?;
        if let Some(names) = &group.among {
            sql.push(" AND ");
            sql.is_one_of(&group.group, names.iter().map(String::as_str));
        }
        Ok(self
            .ask(sql.text, sql.values)
            .await?
            .into_iter()
            .next()
            .unwrap_or_default())
    }
}

fn unpacked<T: DeserializeOwned>(cell: Option<Cell>) -> Result<Vec<T>, Fault> {
    let text = cell.and_then(Cell::text).unwrap_or_default();
    serde_json::from_str(&text).map_err(|error| Fault::Unusable(error.to_string()))
}

/// What [`super::stats::bin`] makes of a time in SQL.
pub(super) fn bin(time: i64) -> i64 {
    let digits = i64::BITS - time.max(1).leading_zeros();
    let step = digits.saturating_sub(5).min(21);
    time >> step << step
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rounded_to_five_binary_digits() {
        for (time, rounded) in [
            (0, 0),
            (31, 31),
            (33, 32),
            (63, 62),
            (190, 184),
            (12_345, 12_288),
            (1_000_000, 983_040),
            (40_000_000, 39_845_888),
        ] {
            assert_eq!(bin(time), rounded, "{time}");
        }
        assert_eq!(bin(i64::MAX) % (1 << 21), 0);
    }
}
