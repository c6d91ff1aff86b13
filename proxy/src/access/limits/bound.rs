//! The limits of one policy, and whose counts a request falls under.

use std::net::IpAddr;
use std::sync::Arc;

use dragoman_config::{CountedItem, LimitItem, NamePattern, ObjectKey};
use dragoman_crds::{Matching, Per};
use sha2::{Digest, Sha256};

use super::span::Span;
use crate::access::caller::Caller;
use crate::access::models::otherwise;

/// What a request would take of the limits that it falls under.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The route that is asked.
    pub route: &'a ObjectKey,
    /// The model, as the client calls it; absent: none is named.
    pub model: Option<&'a str>,
    /// Other names of it, under which it counts too.
    pub others: &'a [&'a str],
    /// Estimated tokens: those of the prompt, and those that the reply may have.
    pub tokens: u64,
    /// Estimated cost, in millionths of a unit of money.
    pub cost: u64,
}

/// The limits of one policy.
#[derive(Debug, Default)]
pub struct Limits {
    bounds: Vec<Bound>,
}

/// What a bound counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    Requests(Span),
    Tokens(Span),
    Cost(Span),
    /// Requests at once.
    Concurrency,
}

/// One bound: a limit has one or two.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) policy: Arc<ObjectKey>,
    /// What tells its counts from all others: the policy, and what is counted; not how much of it there may be.
    identity: [u8; 32],
    per: Per,
    pub(super) measure: Measure,
    pub(super) most: u64,
    models: Option<Vec<NamePattern>>,
    /// The policy and the limit, in words.
    pub(super) words: String,
}

/// Names one count, here and in Redis: a digest of what it counts and of whom.
pub(super) type CountKey = u128;

/// Names one limit: a digest of what it counts.
pub(super) type LimitKey = u128;

impl Limits {
    /// The limits `items` of `policy`.
    ///
    /// # Errors
    /// A pattern that does not compile, by its place.
    pub fn new(policy: &ObjectKey, items: &[LimitItem]) -> Result<Self, String> {
        let mut bounds: Vec<Bound> = Vec::new();
        let owner = Arc::new(policy.clone());
        for (at, item) in items.iter().enumerate() {
            let models = item.models.as_ref().map(|models| {
                // In any case: names that reach a model in capitals too shall not reach it uncounted.
                let patterns = models
                    .iter()
                    .map(|model| NamePattern::new(model, Matching::IgnoreCase));
                patterns.collect::<Result<Vec<_>, _>>()
            });
            let models = models
                .transpose()
                .map_err(|fault| format!("limits[{at}].models: {fault}"))?;
            let amount = item.amount.map(|(counted, most, span)| {
                let span = Span::new(span);
                let measure = match counted {
                    CountedItem::Requests => Measure::Requests(span),
                    CountedItem::Tokens => Measure::Tokens(span),
                    CountedItem::Cost => Measure::Cost(span),
                };
                (measure, most)
            });
            let at_once = item
                .concurrency
                .map(|most| (Measure::Concurrency, u64::from(most)));
            for (measure, most) in amount.into_iter().chain(at_once) {
                let bound = Bound {
                    policy: Arc::clone(&owner),
                    identity: identity(policy, item, measure),
                    per: item.per,
                    measure,
                    most,
                    models: models.clone(),
                    words: words(policy, item.per, measure, most),
                };
                match bounds.iter_mut().find(|it| it.identity == bound.identity) {
                    // Twice the same with two amounts is the smaller, and counts once.
                    Some(same) if same.most <= bound.most => {}
                    Some(same) => *same = bound,
                    None => bounds.push(bound),
                }
            }
        }
        Ok(Self { bounds })
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bounds.is_empty()
    }

    /// Whether what models use is counted: tokens or cost.
    #[must_use]
    pub fn counts_tokens(&self) -> bool {
        self.bounds.iter().any(Bound::counts_tokens)
    }

    /// Whether what the model uses is counted of this request.
    #[must_use]
    pub fn count_tokens_of(&self, ask: &Ask<'_>) -> bool {
        self.of(ask).any(Bound::counts_tokens)
    }

    /// Whether what models cost is counted.
    #[must_use]
    pub fn counts_cost(&self) -> bool {
        let counts = |bound: &Bound| matches!(bound.measure, Measure::Cost(_));
        self.bounds.iter().any(counts)
    }

    /// Those that a request falls under.
    pub(super) fn of<'l>(&'l self, ask: &'l Ask<'_>) -> impl Iterator<Item = &'l Bound> {
        self.bounds.iter().filter(|bound| bound.covers(ask))
    }
}

impl Bound {
    fn counts_tokens(&self) -> bool {
        matches!(self.measure, Measure::Tokens(_) | Measure::Cost(_))
    }

    fn covers(&self, ask: &Ask<'_>) -> bool {
        let Some(models) = &self.models else {
            return true;
        };
        let mut names = ask.model.iter().chain(ask.others);
        names.any(|model| {
            let other = otherwise(model);
            models.iter().any(|pattern| {
                pattern.matches(model) || other.as_deref().is_some_and(|name| pattern.matches(name))
            })
        })
    }

    /// What a request takes of it.
    pub(super) fn amount(&self, ask: &Ask<'_>) -> u64 {
        match self.measure {
            Measure::Requests(_) | Measure::Concurrency => 1,
            Measure::Tokens(_) => ask.tokens,
            Measure::Cost(_) => ask.cost,
        }
    }

    /// The count that a request falls under, and this limit where an address alone stands for its caller.
    pub(super) fn key(&self, ask: &Ask<'_>, caller: &Caller) -> (CountKey, Option<LimitKey>) {
        let mut digest = Sha256::new_with_prefix(self.identity);
        let mut by_address = false;
        match (self.per, caller.key, &caller.user) {
            (Per::Key, Some(key), _) => {
                digest.update(b"k");
                digest.update(key);
            }
            (Per::User, _, Some(user)) => {
                digest.update(b"u");
                digest.update(&user.name);
            }
            (Per::Key | Per::User | Per::Address, _, _) => {
                by_address = true;
                digest.update(b"a");
                digest.update(network(caller.address));
            }
            (Per::Route, _, _) => {
                digest.update(b"r");
                // A namespace has no slash.
                digest.update(&ask.route.namespace);
                digest.update(b"/");
                digest.update(&ask.route.name);
            }
            (Per::Namespace, _, _) => {
                digest.update(b"n");
                digest.update(&ask.route.namespace);
            }
        }
        let key = half(&digest.finalize());
        (key, by_address.then(|| half(&self.identity)))
    }
}

/// The first half of a digest, which is as good as all of it.
fn half(digest: &[u8]) -> u128 {
    let half = digest.first_chunk::<16>();
    half.map_or(0, |half| u128::from_be_bytes(*half))
}

/// An address, and of IPv6 its /64: whoever has one of those has them all.
fn network(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => (u128::from(v6) >> 64 << 64).to_be_bytes(),
    }
}

fn identity(policy: &ObjectKey, item: &LimitItem, measure: Measure) -> [u8; 32] {
    // Debug forms of plain data: written for this one reader, and read by none.
    let counted = match measure {
        Measure::Concurrency => "Concurrency".to_owned(),
        _ => format!(
            "{:?}",
            item.amount.map(|(counted, _, span)| (counted, span))
        ),
    };
    let said = (
        &policy.namespace,
        &policy.name,
        item.per,
        counted,
        &item.models,
    );
    Sha256::digest(format!("{said:?}")).into()
}

fn words(policy: &ObjectKey, per: Per, measure: Measure, most: u64) -> String {
    let whose = match per {
        Per::Key => "key",
        Per::User => "user",
        Per::Address => "address",
        Per::Route => "route",
        Per::Namespace => "namespace",
    };
    let within = match measure.span() {
        Some(span) => span.words(),
        None => "at once".into(),
    };
    let what = measure.words(most);
    format!("AccessPolicy {policy} allows each {whose} {what} {within}")
}
