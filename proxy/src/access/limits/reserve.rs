//! A request counted under all its limits, or under none: what it may take is reserved, and settled by what it took.

use std::cell::Cell;
use std::sync::Arc;

use dragoman_config::ObjectKey;
use http::{HeaderName, HeaderValue};

use super::bound::{Ask, Bound, CountKey, Limits, Measure};
use super::counted::Counted;
use super::counters::{Charge, Counters, Full, Level};
use super::headers::{Kind, Standing, Told};
use super::span::Span;
use super::tally::Ticket;
use crate::access::caller::Caller;

/// The longest that a client is told to wait, in seconds: a month and its days.
const LONGEST: u64 = 31 * 86_400;

/// What a request used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Tokens of prompt and reply.
    pub tokens: u64,
    /// Cost, in millionths of a unit of money.
    pub cost: u64,
}

/// A request over a limit. The caller's fault.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Exceeded {
    /// The policy; absent where it is not known.
    pub policy: Option<Arc<ObjectKey>>,
    /// Seconds until it may fit, at least one; none: it never does.
    pub retry_after: Option<u32>,
    /// Which limit of which policy, and what to do.
    pub message: String,
    /// The `x-ratelimit-*` headers of the limit.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// What is reserved for a request under way.
///
/// Dropped, it takes the request off those that are under way. Tokens and cost that were not settled until then are given back; the request stays counted.
#[derive(Debug)]
pub struct Reservation {
    counters: Arc<Counters>,
    places: Vec<Place>,
    told: Told,
    ticket: Option<Ticket>,
    settled: Cell<bool>,
}

/// What is reserved of one count.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) key: CountKey,
    pub(super) measure: Measure,
    pub(super) amount: u64,
    /// In which it was counted here.
    tick: u64,
}

/// Counts a request under all of `limits` that it falls under, each for the caller that its policy knows, or under none if it does not fit under one of them. A policy that is there twice counts once, and what
/// is among `counted` is not counted again.
///
/// # Errors
/// [`Exceeded`], for the limit that takes longest to have room.
pub async fn reserve(
    limits: &[(&Limits, &Caller)],
    ask: &Ask<'_>,
    counters: &Arc<Counters>,
    counted: &Counted,
) -> Result<Reservation, Exceeded> {
    let mut wanted: Vec<(Charge, &Bound)> = Vec::new();
    let bounds = limits
        .iter()
        .flat_map(|(limits, caller)| limits.of(ask).map(move |bound| (bound, *caller)));
    for (bound, caller) in bounds {
        let (key, by_address) = bound.key(ask, caller);
        if counted.is_held(key) {
            continue;
        }
        let charge = Charge {
            key,
            measure: bound.measure,
            most: bound.most,
            amount: if counted.stays(key) {
                0
            } else {
                bound.amount(ask)
            },
            by_address,
        };
        wanted.push((charge, bound));
    }
    if wanted.is_empty() {
        return Ok(Reservation::of(counters, Vec::new(), Told::default(), None));
    }
    wanted.sort_unstable_by_key(|(charge, _)| charge.key);
    wanted.dedup_by_key(|(charge, _)| charge.key);
    let charges: Vec<Charge> = wanted.iter().map(|(charge, _)| *charge).collect();
    let now = counters.now();
    let tallied = counters.tally(&charges, counted.waited()).await;
    let grouped = match &tallied {
        Some(Ok((levels, _))) => levels.iter().position(|level| level.together),
        Some(Err(full)) => full.level.together.then_some(full.at),
        None => None,
    };
    if let Some((_, bound)) = grouped.and_then(|at| wanted.get(at)) {
        counters.crowded(&bound.policy);
    }
    let (levels, ticket) = match tallied {
        Some(Ok((levels, ticket))) => {
            // Counted here too, for the time in which Redis may be away.
            let _ = counters.charge(&charges, now, true);
            (levels, Some(ticket))
        }
        Some(Err(full)) => return Err(exceeded(full, &wanted)),
        None => match counters.charge(&charges, now, false) {
            Ok(levels) => (levels, None),
            Err(full) => return Err(exceeded(full, &wanted)),
        },
    };
    let mut told = Told::default();
    for ((_, bound), level) in wanted.iter().zip(&levels) {
        tell(&mut told, bound, level);
    }
    let places = wanted.iter().map(|(charge, bound)| Place {
        key: charge.key,
        measure: bound.measure,
        amount: charge.amount,
        tick: charge.measure.span().map_or(0, |span| span.tick(now)),
    });
    Ok(Reservation::of(counters, places.collect(), told, ticket))
}

fn tell(told: &mut Told, bound: &Bound, level: &Level) {
    let kind = match bound.measure {
        Measure::Requests(_) => Kind::Requests,
        Measure::Tokens(_) => Kind::Tokens,
        Measure::Cost(_) | Measure::Concurrency => return,
    };
    let standing = Standing {
        most: bound.most,
        used: level.used,
        reset: level.reset,
    };
    told.add(kind, standing);
}

fn exceeded(full: Full, wanted: &[(Charge, &Bound)]) -> Exceeded {
    let Some((charge, bound)) = wanted.get(full.at) else {
        return Exceeded {
            policy: None,
            retry_after: Some(1),
            message: "A limit of requests is reached.".into(),
            headers: Vec::new(),
        };
    };
    let mut told = Told::default();
    tell(&mut told, bound, &full.level);
    let headers = told.headers();
    let Some(wait) = full.wait else {
        let message = format!(
            "{}, and this request alone may take {}; ask for a shorter reply, or of a shorter prompt.",
            bound.words,
            bound.measure.words(charge.amount)
        );
        return Exceeded {
            policy: Some(Arc::clone(&bound.policy)),
            retry_after: None,
            message,
            headers,
        };
    };
    let seconds = wait.div_ceil(1000).clamp(1, LONGEST);
    let others = if full.level.together {
        ", counted with others as there are too many addresses"
    } else {
        ""
    };
    Exceeded {
        policy: Some(Arc::clone(&bound.policy)),
        retry_after: u32::try_from(seconds).ok(),
        message: format!("{}{others}; try again in {seconds}s.", bound.words),
        headers,
    }
}

impl Reservation {
    fn of(
        counters: &Arc<Counters>,
        places: Vec<Place>,
        told: Told,
        ticket: Option<Ticket>,
    ) -> Self {
        Self {
            counters: Arc::clone(counters),
            places,
            told,
            ticket,
            settled: Cell::new(false),
        }
    }

    pub(super) fn places(&self) -> &[Place] {
        &self.places
    }

    /// Whether what the model uses is counted: tokens or cost.
    #[must_use]
    pub fn counts_tokens(&self) -> bool {
        let spans = |place: &Place| place.measure.uses(&Used::default()).is_some();
        self.places.iter().any(spans)
    }

    /// Whether the request falls under any limit.
    #[must_use]
    pub fn applies(&self) -> bool {
        !self.places.is_empty()
    }

    /// Whether all proxies know of it.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.ticket.is_some()
    }

    /// Counts what was used in place of what was reserved. Only the first time counts.
    pub fn settle(&self, used: Used) {
        if self.settled.replace(true) || !self.counts_tokens() {
            return;
        }
        let now = self.counters.now();
        for place in &self.places {
            if let (Some(used), Some(span)) = (place.measure.uses(&used), place.measure.span()) {
                let (key, tick, amount) = (place.key, place.tick, place.amount);
                self.counters.settle(key, span, tick, amount, used, now);
            }
        }
        if let Some(ticket) = &self.ticket {
            ticket.settle(&self.places, used);
        }
    }

    /// The `x-ratelimit-*` headers: of each kind, the limit of which least is left.
    pub fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        self.told.headers()
    }

    /// The same of several reservations for one request.
    pub fn headers_of<'r>(
        all: impl IntoIterator<Item = &'r Self>,
    ) -> Vec<(HeaderName, HeaderValue)> {
        let mut told = Told::default();
        for reservation in all {
            told.merge(&reservation.told);
        }
        told.headers()
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.settle(Used::default());
        for place in &self.places {
            if place.measure == Measure::Concurrency {
                self.counters.leave(place.key);
            }
        }
        if let Some(ticket) = self.ticket.take() {
            ticket.leave(&self.places);
        }
    }
}

impl Place {
    /// What is reserved of a count that is not kept here.
    pub(super) fn of(charge: &Charge) -> Self {
        Self {
            key: charge.key,
            measure: charge.measure,
            amount: charge.amount,
            tick: 0,
        }
    }
}

impl Measure {
    /// The time within which is counted; none for requests at once.
    pub(super) fn span(self) -> Option<Span> {
        match self {
            Self::Requests(span) | Self::Tokens(span) | Self::Cost(span) => Some(span),
            Self::Concurrency => None,
        }
    }

    /// What counts of what was used; none where nothing is settled.
    pub(super) fn uses(self, used: &Used) -> Option<u64> {
        match self {
            Self::Tokens(_) => Some(used.tokens),
            Self::Cost(_) => Some(used.cost),
            Self::Requests(_) | Self::Concurrency => None,
        }
    }

    /// So much of it, in words.
    pub(super) fn words(self, amount: u64) -> String {
        match self {
            Self::Requests(_) | Self::Concurrency => format!("{amount} requests"),
            Self::Tokens(_) => format!("{amount} tokens"),
            Self::Cost(_) => {
                let fraction = format!("{:06}", amount % 1_000_000);
                let fraction = fraction.trim_end_matches('0');
                format!("a cost of {}.{fraction:0<2}", amount / 1_000_000)
            }
        }
    }
}
