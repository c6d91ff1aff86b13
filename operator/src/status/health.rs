//! What proxies say of upstreams, drawn together.
//!
//! An upstream is unhealthy as soon as one proxy says so: with health judged by requests, the one that has traffic
//! knows, and the others remember the last time that they had some.

use std::collections::{BTreeMap, HashMap};

use dragoman_config::Key;
use dragoman_config::wire::BackendReport;
use dragoman_crds::BackendHealth;

use crate::push::shelf::StreamId;

/// An upstream: an LLMBackend, or a route's inline one by its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Upstream {
    /// The LLMBackend or LLMRoute.
    pub item: Key,
    /// The name within the route, for an inline one.
    pub inline: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Said {
    health: BackendHealth,
    models: Option<u32>,
    message: Option<String>,
}

/// What all proxies together say of an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// Whether it answers.
    pub health: BackendHealth,
    /// The most models that any proxy saw listed.
    pub models: Option<i32>,
    /// The fault, and how many proxies see it.
    pub message: Option<String>,
}

/// The health of every upstream, by stream.
#[derive(Debug, Default)]
pub struct Health {
    said: HashMap<Upstream, BTreeMap<StreamId, Said>>,
    by_stream: HashMap<StreamId, Vec<Upstream>>,
}

impl Health {
    /// Takes in a report; the upstreams of which something new was said.
    pub fn reported(&mut self, stream: StreamId, reports: Vec<BackendReport>) -> Vec<Upstream> {
        let mut changed = Vec::new();
        for report in reports {
            let upstream = Upstream {
                item: report.item,
                inline: report.backend,
            };
            let said = Said {
                health: report.health,
                models: report.models,
                message: report.message,
            };
            let before = self
                .said
                .entry(upstream.clone())
                .or_default()
                .insert(stream, said.clone());
            if before.is_none() {
                self.by_stream
                    .entry(stream)
                    .or_default()
                    .push(upstream.clone());
            }
            if before.as_ref() != Some(&said) {
                changed.push(upstream);
            }
        }
        changed
    }

    /// Forgets what a stream said of some items; the upstreams it had spoken of.
    pub fn forget(&mut self, stream: StreamId, gone: impl Fn(&Key) -> bool) -> Vec<Upstream> {
        let Some(upstreams) = self.by_stream.get_mut(&stream) else {
            return Vec::new();
        };
        let forgotten: Vec<Upstream> = upstreams
            .extract_if(.., |upstream| gone(&upstream.item))
            .collect();
        self.remove(stream, &forgotten);
        forgotten
    }

    /// Forgets what a stream said; the upstreams it had spoken of.
    pub fn ended(&mut self, stream: StreamId) -> Vec<Upstream> {
        let upstreams = self.by_stream.remove(&stream).unwrap_or_default();
        self.remove(stream, &upstreams);
        upstreams
    }

    fn remove(&mut self, stream: StreamId, upstreams: &[Upstream]) {
        for upstream in upstreams {
            if let Some(said) = self.said.get_mut(upstream) {
                said.remove(&stream);
                if said.is_empty() {
                    self.said.remove(upstream);
                }
            }
        }
    }

    /// What all proxies together say; nothing when none spoke of it.
    #[must_use]
    pub fn merged(&self, upstream: &Upstream) -> Option<Merged> {
        let said = self.said.get(upstream).filter(|said| !said.is_empty())?;
        let models = said.values().filter_map(|said| said.models).max();
        let models = models.map(|models| i32::try_from(models).unwrap_or(i32::MAX));
        let faulty: Vec<_> = said
            .values()
            .filter(|said| said.health == BackendHealth::Unhealthy)
            .collect();
        if let Some(first) = faulty.first() {
            let fault = first.message.as_deref().unwrap_or("it does not answer");
            let message = match (faulty.len(), said.len()) {
                (all, of) if all == of => fault.to_owned(),
                (some, of) => format!("{fault} (seen by {some} of {of} proxies)"),
            };
            return Some(Merged {
                health: BackendHealth::Unhealthy,
                models,
                message: Some(message),
            });
        }
        let healthy = said
            .values()
            .any(|said| said.health == BackendHealth::Healthy);
        let health = if healthy {
            BackendHealth::Healthy
        } else {
            BackendHealth::Unknown
        };
        Some(Merged {
            health,
            models,
            message: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dragoman_config::Kind;

    fn upstream() -> Upstream {
        Upstream {
            item: Key::new(Kind::Backend, "ns", "vllm"),
            inline: None,
        }
    }

    fn report(health: BackendHealth, models: Option<u32>) -> BackendReport {
        BackendReport {
            item: upstream().item,
            backend: None,
            health,
            models,
            message: (health == BackendHealth::Unhealthy).then(|| "refused".to_owned()),
        }
    }

    #[test]
    fn one_proxy_that_sees_a_fault_is_enough_and_the_count_is_told() {
        let mut health = Health::default();
        health.reported(1, vec![report(BackendHealth::Healthy, Some(3))]);
        health.reported(2, vec![report(BackendHealth::Unhealthy, None)]);
        let merged = health.merged(&upstream()).unwrap();
        assert_eq!(
            (merged.health, merged.models),
            (BackendHealth::Unhealthy, Some(3))
        );
        assert_eq!(
            merged.message.as_deref(),
            Some("refused (seen by 1 of 2 proxies)")
        );
    }

    #[test]
    fn one_proxy_that_got_an_answer_is_enough_while_nobody_sees_a_fault() {
        let mut health = Health::default();
        health.reported(1, vec![report(BackendHealth::Unknown, None)]);
        assert_eq!(
            health.merged(&upstream()).unwrap().health,
            BackendHealth::Unknown
        );
        health.reported(2, vec![report(BackendHealth::Healthy, None)]);
        assert_eq!(
            health.merged(&upstream()).unwrap().health,
            BackendHealth::Healthy
        );
    }

    #[test]
    fn a_proxy_that_leaves_takes_its_word_with_it() {
        let mut health = Health::default();
        health.reported(1, vec![report(BackendHealth::Unhealthy, None)]);
        assert_eq!(health.ended(1), [upstream()]);
        assert_eq!(health.merged(&upstream()), None);
    }

    #[test]
    fn an_item_that_a_proxy_no_longer_runs_is_forgotten_and_others_are_not() {
        let mut health = Health::default();
        health.reported(1, vec![report(BackendHealth::Unhealthy, None)]);
        assert!(health.forget(1, |_| false).is_empty());
        assert!(health.merged(&upstream()).is_some());
        assert_eq!(
            health.forget(1, |item| *item == upstream().item),
            [upstream()]
        );
        assert_eq!(health.merged(&upstream()), None);
        assert!(health.ended(1).is_empty());
    }

    #[test]
    fn the_same_word_twice_is_no_news() {
        let mut health = Health::default();
        assert_eq!(
            health
                .reported(1, vec![report(BackendHealth::Healthy, None)])
                .len(),
            1
        );
        assert!(
            health
                .reported(1, vec![report(BackendHealth::Healthy, None)])
                .is_empty()
        );
    }
}
