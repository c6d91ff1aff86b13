//! Requests added up: over time, in all, and by model, route and user.
//!
//! A request comes as the text of its column `figures`, which the schema's third step describes.

use super::stats::{Figures, Overview, Percentiles, Point, Top};
use crate::fault::Fault;
use std::collections::{BTreeMap, HashMap};
use std::mem;

/// Names of one kind that are counted apart. Where there are more, those with the fewest requests so far are forgotten.
const MOST_NAMES: usize = 100_000;
/// From the Unix epoch to that of Postgres, in microseconds.
const EPOCH: i64 = 946_684_800_000_000;

/// What was added up so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    totals: Seen,
    series: BTreeMap<i64, Seen>,
    /// By route, user and model.
    names: [HashMap<String, Seen>; 3],
    /// Names that were seen so often, or less, may have been forgotten.
    forgotten: [i64; 3],
}

/// What was seen of a group.
#[derive(Debug, Default)]
struct Seen {
    figures: Figures,
    durations: Bins,
    ttfts: Bins,
}

/// How many were in each bin: some dozens of bins at most, in order, which is smaller and quicker than a map.
#[derive(Debug, Default)]
struct Bins(Vec<(i64, i64)>);

/// One request.
struct Request<'a> {
    at: i64,
    duration: i64,
    ttft: Option<i64>,
    failed: i64,
    prompt: i64,
    completion: i64,
    cost: i64,
    names: [Option<&'a str>; 3],
}

impl Tally {
    /// Adds requests that stand one behind the other, each to the point of its step.
    pub(super) fn add(&mut self, figures: &str, postgres: bool, step: i64) -> Result<(), Fault> {
        let mut rest = figures;
        // Most stand beside others of their step.
        let mut point = Seen::default();
        let mut point_at = None;
        while !rest.is_empty() {
            let request = read(&mut rest, postgres).ok_or_else(unreadable)?;
            let at = request.at.div_euclid(step) * step;
            if point_at != Some(at) {
                self.put(point_at.replace(at), mem::take(&mut point));
            }
            point.add(&request);
            for (seen, name) in self.names.iter_mut().zip(request.names) {
                let Some(name) = name else { continue };
                match seen.get_mut(name) {
                    Some(seen) => seen.add(&request),
                    None => seen.entry(name.to_owned()).or_default().add(&request),
                }
            }
            self.bound();
        }
        self.put(point_at, point);
        Ok(())
    }

    fn put(&mut self, at: Option<i64>, seen: Seen) {
        if let Some(at) = at {
            self.totals.merge(&seen);
            self.series.entry(at).or_default().merge(&seen);
        }
    }

    /// Adds what another added up.
    pub(super) fn merge(&mut self, other: Self) {
        self.totals.merge(&other.totals);
        for (at, seen) in other.series {
            self.series.entry(at).or_default().merge(&seen);
        }
        for (names, others) in self.names.iter_mut().zip(other.names) {
            for (name, seen) in others {
                names.entry(name).or_default().merge(&seen);
            }
        }
        self.bound();
    }

    fn bound(&mut self) {
        for (names, forgotten) in self.names.iter_mut().zip(&mut self.forgotten) {
            while names.len() > MOST_NAMES {
                *forgotten += 1;
                names.retain(|_, seen| seen.figures.requests > *forgotten);
            }
        }
    }

    /// What it comes to, with so many names of each kind.
    pub(super) fn finished(self, limit: usize) -> Overview {
        let [routes, users, models] = self.names.map(|names| {
            let mut names: Vec<_> = names.into_iter().collect();
            names.sort_unstable_by(|(a, x), (b, y)| {
                let most = y.figures.requests.cmp(&x.figures.requests);
                most.then_with(|| a.cmp(b))
            });
            let top = names.into_iter().take(limit);
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
            since: None,
        }
    }
}

/// The part of a text that started then or later.
pub(super) fn since(figures: &str, postgres: bool, at: i64) -> Result<String, Fault> {
    let (mut rest, mut part) = (figures, String::new());
    while !rest.is_empty() {
        let from = rest;
        let request = read(&mut rest, postgres).ok_or_else(unreadable)?;
        if request.at >= at {
            part.push_str(&from[..from.len() - rest.len()]);
        }
    }
    Ok(part)
}

fn unreadable() -> Fault {
    Fault::Unusable("the column figures is not as the schema says".into())
}

/// Takes the first request off a text.
fn read<'a>(text: &mut &'a str, postgres: bool) -> Option<Request<'a>> {
    let mut field = || {
        let (field, rest) = text.split_once(',')?;
        *text = rest;
        Some(field)
    };
    let at = field()?;
    let at = if postgres {
        i64::from_str_radix(at, 16).ok()? + EPOCH
    } else {
        at.parse().ok()?
    };
    let (duration, ttft) = (field()?.parse().ok()?, field()?);
    let mut number = || field()?.parse::<i64>().ok();
    let [failed, prompt, completion, cost] = [number()?, number()?, number()?, number()?];
    Some(Request {
        at,
        duration: bin(duration),
        ttft: if ttft.is_empty() {
            None
        } else {
            Some(bin(ttft.parse().ok()?))
        },
        failed,
        prompt,
        completion,
        cost,
        names: [name(text)?, name(text)?, name(text)?],
    })
}

fn name<'a>(text: &mut &'a str) -> Option<Option<&'a str>> {
    if let Some(rest) = text.strip_prefix('-') {
        *text = rest;
        return Some(None);
    }
    let (length, rest) = text.split_once(':')?;
    let (name, rest) = rest.split_at_checked(length.parse().ok()?)?;
    *text = rest;
    Some(Some(name))
}

impl Seen {
    fn add(&mut self, request: &Request<'_>) {
        self.figures.requests += 1;
        self.figures.errors += request.failed;
        self.figures.prompt_tokens += request.prompt;
        self.figures.completion_tokens += request.completion;
        self.figures.cost += request.cost;
        self.durations.add(request.duration, 1);
        if let Some(ttft) = request.ttft {
            self.ttfts.add(ttft, 1);
        }
    }

    fn merge(&mut self, other: &Self) {
        self.figures.requests += other.figures.requests;
        self.figures.errors += other.figures.errors;
        self.figures.prompt_tokens += other.figures.prompt_tokens;
        self.figures.completion_tokens += other.figures.completion_tokens;
        self.figures.cost += other.figures.cost;
        for (own, bins) in [
            (&mut self.durations, &other.durations),
            (&mut self.ttfts, &other.ttfts),
        ] {
            bins.0.iter().for_each(|(bin, count)| own.add(*bin, *count));
        }
    }

    fn finished(self) -> Figures {
        Figures {
            duration_ms: percentiles(&self.durations.0),
            ttft_ms: percentiles(&self.ttfts.0),
            ..self.figures
        }
    }
}

impl Bins {
    fn add(&mut self, bin: i64, count: i64) {
        match self.0.binary_search_by_key(&bin, |(bin, _)| *bin) {
            Ok(at) => self.0[at].1 += count,
            Err(at) => self.0.insert(at, (bin, count)),
        }
    }
}

/// A time rounded down to its five highest binary digits; exact below 32, and no finer than half an hour above ten hours.
fn bin(time: i64) -> i64 {
    let digits = i64::BITS - time.max(1).leading_zeros();
    let step = digits.saturating_sub(5).min(21);
    time >> step << step
}

/// Percentiles by nearest rank, of bins in order.
fn percentiles(bins: &[(i64, i64)]) -> Percentiles {
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
        let hundred: Vec<_> = (1..=100).map(|ms| (ms, 1)).collect();
        let found = percentiles(&hundred);
        assert_eq!(
            (found.p50, found.p95, found.p99),
            (Some(50), Some(95), Some(99))
        );
        assert_eq!(percentiles(&[(7, 3)]).p99, Some(7));
        assert_eq!(percentiles(&[]), Percentiles::default());
    }

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

    const TWO: &str = "7,250,40,0,10,5,1250,9:team/a,-b-3:ü!5,20,,1,0,0,0,---";

    #[test]
    fn names_may_hold_what_stands_between_figures() {
        let mut tally = Tally::default();
        tally.add(TWO, false, 5).unwrap();
        let found = tally.finished(9);
        assert_eq!((found.totals.requests, found.totals.errors), (2, 1));
        let [route] = &found.routes[..] else {
            panic!("{:?}", found.routes)
        };
        assert_eq!(
            (route.name.as_str(), route.figures.cost),
            ("team/a,-b", 1250)
        );
        assert_eq!(found.models[0].name, "ü!");
        assert!(found.users.is_empty());
        assert_eq!(found.series.len(), 1);
        assert_eq!(since(TWO, false, 6).unwrap(), TWO[..TWO.len() - 17]);
        assert!(Tally::default().add("1,2,3", false, 5).is_err());
    }

    #[test]
    fn many_names_are_bounded_and_the_largest_stay() {
        let mut tally = Tally::default();
        for number in 0..=MOST_NAMES {
            let user = format!("{number:06}");
            let times = if number == 7 { 3 } else { 1 };
            tally
                .add(&format!("1,2,,0,0,0,0,-6:{user}-").repeat(times), false, 5)
                .unwrap();
        }
        assert!(tally.names[1].len() <= MOST_NAMES);
        assert_eq!(tally.finished(1).users[0].name, "000007");
    }
}
