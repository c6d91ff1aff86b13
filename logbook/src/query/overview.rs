//! All that a page of figures shows, asked at once: over time, in all, and by model, route and user.

use super::Filter;
use super::packed::{Rest, bin};
use super::stats::{Dimension, Figures, Group, Point, Top, least, percentiles, steps};
use crate::fault::Fault;
use crate::store::{Cell, Store};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// What a page of figures shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overview {
    /// As of [`Store::series`].
    pub series: Vec<Point>,
    /// As of [`Store::totals`].
    pub totals: Figures,
    /// As of [`Store::top`], and the next two as well.
    pub models: Vec<Top>,
    /// By route.
    pub routes: Vec<Top>,
    /// By user.
    pub users: Vec<Top>,
}

/// How many chunks are read at once.
const AT_ONCE: usize = 2;

impl Store {
    /// Figures over time, in all, and by model, route and user, each list of at most so many. The same as asking one by one, and quicker.
    ///
    /// # Errors
    /// Those of [`Store::series`].
    pub async fn overview(
        &self,
        filter: &Filter,
        step: Duration,
        limit: u32,
    ) -> Result<Overview, Fault> {
        if self.is_postgres() {
            return self.one_by_one(filter, step, limit).await;
        }
        let step = steps(filter, step)?;
        let limit = least(limit);
        let rest = Rest::of(self, filter)?;
        // A chunk is cut off the time that is left while others are read.
        let chunks = stream::try_unfold(rest, |mut rest| async move {
            let chunk = self.chunk(&mut rest).await?;
            Ok(chunk.map(|chunk| (chunk, rest)))
        });
        let group = Group {
            group: format!("started_at / {step} * {step}"),
            key: String::new(),
            among: None,
        };
        let group = &group;
        let mut packs = chunks
            .map_ok(|chunk| async move { self.pack(&chunk, group, &COLUMNS).await })
            .try_buffered(AT_ONCE)
            .boxed();
        let mut all = All::default();
        while let Some(row) = packs.try_next().await? {
            all.add(row)?;
        }
        Ok(all.finished(limit as usize))
    }

    /// Two questions at a time: whoever looks leaves a connection to others.
    async fn one_by_one(
        &self,
        filter: &Filter,
        step: Duration,
        limit: u32,
    ) -> Result<Overview, Fault> {
        let over_time = async {
            let series = self.series(filter, step).await?;
            Ok::<_, Fault>((series, self.totals(filter).await?))
        };
        let by = |dimension| self.top(filter, dimension, limit);
        let lists = async {
            let (models, routes) = (by(Dimension::Model).await?, by(Dimension::Route).await?);
            Ok((models, routes, by(Dimension::User).await?))
        };
        let ((series, totals), (models, routes, users)) = futures::try_join!(over_time, lists)?;
        Ok(Overview {
            series,
            totals,
            models,
            routes,
            users,
        })
    }
}

const COLUMNS: [&str; 9] = [
    Dimension::Model.column(),
    Dimension::Route.column(),
    Dimension::User.column(),
    "duration_ms",
    "ttft_ms",
    "failed",
    "prompt_tokens",
    "completion_tokens",
    "CAST(round(cost * 1e6) AS INTEGER)",
];

/// A name within packed text, which is copied only where JSON had to escape it.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// What has been seen of all.
#[derive(Default)]
struct All {
    series: BTreeMap<i64, Seen>,
    totals: Seen,
    names: [HashMap<String, Seen>; 3],
}

/// What has been seen of a group.
#[derive(Default)]
struct Seen {
    figures: Figures,
    durations: Bins,
    ttfts: Bins,
}

/// How many were in each bin: some dozens of bins at most, in order, which is smaller and quicker than a map.
#[derive(Default)]
struct Bins(Vec<(i64, i64)>);

/// What of a request goes into every group that it is in.
struct Request {
    duration: Option<i64>,
    ttft: Option<i64>,
    failed: i64,
    prompt: i64,
    completion: i64,
    cost: i64,
}

fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<Vec<T>, Fault> {
    serde_json::from_str(text).map_err(|error| Fault::Unusable(error.to_string()))
}

impl All {
    /// Adds a chunk, packed as [`COLUMNS`] behind the time.
    fn add(&mut self, row: Vec<Cell>) -> Result<(), Fault> {
        let mut texts = row.into_iter().map(|cell| cell.text().unwrap_or_default());
        let times: Vec<i64> = read(&texts.next().unwrap_or_default())?;
        let names: Vec<String> = texts.by_ref().take(3).collect();
        let names = names
            .iter()
            .map(|text| read::<Option<Name<'_>>>(text))
            .collect::<Result<Vec<_>, _>>()?;
        let numbers = texts
            .map(|text| read::<Option<i64>>(&text))
            .collect::<Result<Vec<_>, _>>()?;
        let [durations, ttfts, failed, prompts, completions, costs] = &numbers[..] else {
            return Err(Fault::Unusable("a chunk lacks columns".into()));
        };
        for (at, time) in times.into_iter().enumerate() {
            let number = |column: &[Option<i64>]| column.get(at).copied().flatten();
            let request = Request {
                duration: number(durations).map(bin),
                ttft: number(ttfts).map(bin),
                failed: number(failed).unwrap_or_default(),
                prompt: number(prompts).unwrap_or_default(),
                completion: number(completions).unwrap_or_default(),
                cost: number(costs).unwrap_or_default(),
            };
            self.totals.add(&request);
            self.series.entry(time).or_default().add(&request);
            for (groups, column) in self.names.iter_mut().zip(&names) {
                let Some(Some(Name(name))) = column.get(at) else {
                    continue;
                };
                match groups.get_mut(name.as_ref()) {
                    Some(seen) => seen.add(&request),
                    None => groups.entry(name.to_string()).or_default().add(&request),
                }
            }
        }
        Ok(())
    }

    fn finished(self, limit: usize) -> Overview {
        let [models, routes, users] = self.names.map(|groups| {
            let mut counts: Vec<_> = groups.into_iter().collect();
            counts.sort_unstable_by(|(a, x), (b, y)| {
                let most = y.figures.requests.cmp(&x.figures.requests);
                most.then_with(|| a.cmp(b))
            });
            let top = counts.into_iter().take(limit);
            top.map(|(name, seen)| Top {
                name,
                figures: seen.finished(),
            })
            .collect()
        });
        let point = |(at, seen): (i64, Seen)| Point {
            at,
            figures: seen.finished(),
        };
        Overview {
            series: self.series.into_iter().map(point).collect(),
            totals: self.totals.finished(),
            models,
            routes,
            users,
        }
    }
}

impl Seen {
    fn add(&mut self, request: &Request) {
        self.figures.requests += 1;
        self.figures.errors += request.failed;
        self.figures.prompt_tokens += request.prompt;
        self.figures.completion_tokens += request.completion;
        self.figures.cost += request.cost;
        for (bins, bin) in [
            (&mut self.durations, request.duration),
            (&mut self.ttfts, request.ttft),
        ] {
            if let Some(bin) = bin {
                bins.add(bin);
            }
        }
    }

    fn finished(self) -> Figures {
        Figures {
            duration_ms: percentiles(self.durations.0),
            ttft_ms: percentiles(self.ttfts.0),
            ..self.figures
        }
    }
}

impl Bins {
    fn add(&mut self, bin: i64) {
        match self.0.binary_search_by_key(&bin, |(bin, _)| *bin) {
            Ok(at) => self.0[at].1 += 1,
            Err(at) => self.0.insert(at, (bin, 1)),
        }
    }
}
