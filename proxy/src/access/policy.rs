//! A policy made ready, and the policies that apply to something.

use std::sync::Arc;

use dragoman_config::names::BadFilter;
use dragoman_config::{ObjectKey, PolicyItem};

use super::Memory;
use super::bans::Ban;
use super::identity::Authentication;
use super::limits::Limits;
use super::metrics::{PolicyMetrics, Told};
use super::models::Models;
use super::networks::Networks;
use super::response::ResponseRules;
use super::rules::Rules;

/// An AccessPolicy as it is run.
#[derive(Debug)]
pub struct Policy {
    /// Its namespace and name.
    pub key: ObjectKey,
    /// Ways to say who is calling; absent: it does not ask.
    pub authentication: Option<Authentication>,
    /// Networks that are admitted; absent: all.
    pub allow: Option<Networks>,
    /// Networks that are refused.
    pub deny: Networks,
    /// What becomes of addresses from which authentication fails.
    pub ban: Option<Ban>,
    /// Rules on requests.
    pub rules: Rules,
    /// Rules on replies.
    pub response_rules: Arc<ResponseRules>,
    /// Bounds.
    pub limits: Limits,
    /// Models that may be called.
    pub models: Models,
    /// What is counted.
    pub metrics: Arc<PolicyMetrics>,
    /// What it was built from, to see whether it changed.
    item: PolicyItem,
}

impl Policy {
    /// Makes an item ready.
    ///
    /// # Errors
    /// What of it cannot be run, by field.
    pub fn build(
        key: &ObjectKey,
        item: &PolicyItem,
        memory: &Memory,
        metrics: Arc<PolicyMetrics>,
    ) -> Result<Self, String> {
        let authentication = item.authentication.as_ref();
        let authentication = authentication
            .map(|item| Authentication::new(key, item, &memory.key_sets))
            .transpose()?;
        let told = |what: &str, faults: Vec<(usize, String)>| {
            let faults = faults
                .iter()
                .map(|(at, fault)| format!("spec.{what}[{at}]: {fault}"));
            faults.collect::<Vec<_>>().join("; ")
        };
        let rules = Rules::new(&item.rules).map_err(|faults| told("rules", faults))?;
        let response_rules = ResponseRules::new(key, &item.response_rules)
            .map_err(|faults| told("responseRules", faults))?;
        let models = Models::new(&item.models).map_err(|faults| {
            let told =
                |BadFilter { field, fault }: &BadFilter| format!("spec.models.{field}: {fault}");
            faults.iter().map(told).collect::<Vec<_>>().join("; ")
        })?;
        Ok(Self {
            key: key.clone(),
            authentication,
            allow: item.allow.as_deref().map(Networks::new),
            deny: Networks::new(&item.deny),
            ban: item.ban.as_ref().map(Ban::new),
            rules,
            response_rules: Arc::new(response_rules),
            limits: Limits::new(key, &item.limits)?,
            models,
            metrics,
            item: item.clone(),
        })
    }

    /// Whether it has rules on replies.
    pub fn judges(&self) -> bool {
        !self.response_rules.is_empty()
    }

    /// Whether it has something to say of bodies: models, rules that read them, limits that count what they ask for.
    pub fn judges_bodies(&self) -> bool {
        let models = &self.item.models;
        models.allow.is_some()
            || !models.deny.is_empty()
            || self.rules.reads_body()
            || self.limits.counts_tokens()
            || self.item.limits.iter().any(|limit| limit.models.is_some())
    }

    /// Whether it is what `item` would become.
    pub fn is(&self, item: &PolicyItem) -> bool {
        self.item == *item
    }
}

/// The policies that apply to something, in order.
#[derive(Debug, Clone)]
pub enum Policies {
    /// These, all of which must admit.
    Apply(Arc<[Arc<Policy>]>),
    /// One that cannot be had: nothing is admitted.
    Closed(Arc<Unusable>),
}

/// Why something cannot be used, and when the log was told last.
#[derive(Debug, Default)]
pub struct Unusable {
    /// What is wrong.
    pub why: String,
    /// For the log.
    pub told: Told,
}

impl Unusable {
    /// Something that nobody was told yet.
    pub fn new(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            told: Told::default(),
        }
    }
}

impl Policies {
    /// None at all.
    pub fn none() -> Self {
        Self::Apply(Arc::new([]))
    }

    /// Whether one has rules on replies.
    pub fn judge(&self) -> bool {
        match self {
            Self::Apply(policies) => policies.iter().any(|policy| policy.judges()),
            Self::Closed(_) => false,
        }
    }

    /// Whether one has something to say of what bodies ask for.
    pub fn judge_bodies(&self) -> bool {
        match self {
            Self::Apply(policies) => policies
                .iter()
                .any(|policy| policy.judges_bodies() || policy.judges()),
            Self::Closed(_) => false,
        }
    }

    /// Whether there are none.
    pub fn are_none(&self) -> bool {
        matches!(self, Self::Apply(policies) if policies.is_empty())
    }

    /// These and then `more`.
    pub fn and(&self, more: &Self) -> Self {
        match (self, more) {
            (Self::Closed(why), _) | (_, Self::Closed(why)) => Self::Closed(Arc::clone(why)),
            (Self::Apply(first), Self::Apply(more)) if first.is_empty() => {
                Self::Apply(Arc::clone(more))
            }
            (Self::Apply(first), Self::Apply(more)) => {
                // One that is named twice is asked once.
                let new = more
                    .iter()
                    .filter(|policy| !first.iter().any(|one| one.key == policy.key));
                Self::Apply(first.iter().chain(new).cloned().collect())
            }
        }
    }

    /// Whether they are the same, to the last bit.
    pub fn are(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Apply(one), Self::Apply(other)) => {
                one.len() == other.len()
                    && one
                        .iter()
                        .zip(&**other)
                        .all(|(one, other)| Arc::ptr_eq(one, other))
            }
            (Self::Closed(one), Self::Closed(other)) => one.why == other.why,
            _ => false,
        }
    }
}
