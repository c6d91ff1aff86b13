//! A route as a proxy runs it: its names, its backends, what it does to replies.

use std::sync::Arc;

use dragoman_config::names::{BackendNames, BadFilter, Names};
use dragoman_config::{
    ConversationItem, ObjectKey, PriceItem, RouteBackendItem, RouteItem, Target,
};
use dragoman_crds::{Api, LogBodies, ReasoningFields, Thinking, ThinkingText};

use super::backend::{Backend, Unrunnable};
use super::cors::Cors;
use super::metrics::RouteMetrics;
use super::paths::Paths;
use super::reading::Reading;
use crate::access::policy::{Policies, Unusable};
use crate::think::{Rules, Tag, Text};

/// What model names mean on a route.
#[derive(Debug, Clone)]
pub enum Map {
    /// What this map says.
    Names(Arc<Names>),
    /// Nothing that may be used, and why: the route answers 503.
    Closed(String),
}

/// One backend of a route.
#[derive(Debug)]
pub struct RouteBackend {
    /// Its name within the route.
    pub name: String,
    /// The upstream, or why there is none.
    pub backend: Result<Arc<Backend>, String>,
    /// Its share in the life of a name.
    pub names: BackendNames,
    /// Lowest first.
    pub priority: u32,
    /// Share among equals.
    pub weight: u32,
    /// The policies that apply to what reaches it, besides the route's.
    pub policies: Policies,
    /// What those look at.
    pub reading: Reading,
}

/// The policies of a route.
#[derive(Debug)]
pub struct Access {
    /// Those of all its requests.
    pub route: Policies,
    /// Those of each backend, in the order of the manifest.
    pub backends: Vec<Policies>,
}

/// One route.
#[derive(Debug)]
pub struct Route {
    /// Its namespace and name.
    pub key: ObjectKey,
    /// Host names besides its own.
    pub hostnames: Vec<String>,
    /// What model names mean.
    pub map: Map,
    /// The policies that apply to every request: the proxy's, then its own.
    pub policies: Policies,
    /// What those look at.
    pub reading: Reading,
    /// Who answers, in the order of the manifest.
    pub backends: Vec<RouteBackend>,
    /// What becomes of thinking.
    pub thinking: Thinking,
    /// The same, prepared for replies.
    pub rules: Arc<Rules>,
    /// Paths that lead to a path of a backend.
    pub paths: Paths,
    /// What pages of other origins may do; absent: nothing.
    pub cors: Option<Cors>,
    /// What is counted.
    pub metrics: Arc<RouteMetrics>,
    /// What it was built from, to see whether it changed.
    item: RouteItem,
}

/// A route that no version of which can be run. Its names are taken, and whoever asks for it gets 503.
#[derive(Debug)]
pub struct Closed {
    /// Its namespace and name.
    pub key: ObjectKey,
    /// What is wrong with it.
    pub fault: Unusable,
}

impl Route {
    /// Puts a route together from its item and what its references came to, one for each backend.
    ///
    /// # Errors
    /// [`Unrunnable`] when a filter does not compile.
    pub fn build(
        key: ObjectKey,
        item: &RouteItem,
        map: Map,
        upstreams: Vec<Result<Arc<Backend>, String>>,
        (access, reading): (Access, &dyn Fn(&Policies) -> Reading),
        metrics: Arc<RouteMetrics>,
    ) -> Result<Self, Unrunnable> {
        let backends = item.backends.iter().zip(upstreams).zip(access.backends);
        let backends: Result<Vec<_>, _> = backends
            .enumerate()
            .map(|(at, ((entry, upstream), policies))| {
                let reading = reading(&policies);
                backend(at, entry, upstream, (policies, reading))
            })
            .collect();
        Ok(Self {
            key,
            hostnames: item.hostnames.clone(),
            map,
            reading: reading(&access.route),
            policies: access.route,
            backends: backends?,
            thinking: item.thinking.clone(),
            rules: Arc::new(rules(&item.thinking)),
            paths: Paths::build(item)?,
            cors: item.cors.as_ref().map(Cors::new).transpose()?,
            metrics,
            item: item.clone(),
        })
    }

    /// Whether it is what the same arguments would become.
    pub fn is(
        &self,
        item: &RouteItem,
        map: &Map,
        upstreams: &[Result<Arc<Backend>, String>],
        access: &Access,
    ) -> bool {
        self.item == *item
            && self.policies.are(&access.route)
            && self.backends.len() == access.backends.len()
            && self
                .backends
                .iter()
                .zip(&access.backends)
                .all(|(one, other)| one.policies.are(other))
            && match (&self.map, map) {
                (Map::Names(one), Map::Names(other)) => Arc::ptr_eq(one, other),
                (Map::Closed(one), Map::Closed(other)) => one == other,
                _ => false,
            }
            && self.backends.len() == upstreams.len()
            && self
                .backends
                .iter()
                .zip(upstreams)
                .all(|(one, other)| match (&one.backend, other) {
                    (Ok(one), Ok(other)) => Arc::ptr_eq(one, other),
                    (Err(one), Err(other)) => one == other,
                    _ => false,
                })
    }

    /// The ModelMap that it refers to.
    pub fn map_key(&self) -> Option<&ObjectKey> {
        match &self.item.model_map {
            Some(Target::Item(key)) => Some(&key.object),
            _ => None,
        }
    }

    /// How much the request log keeps of its bodies, where `most` is what the LLMProxy lets it.
    pub fn log_bodies(&self, most: LogBodies) -> LogBodies {
        self.item.log_bodies.map_or(most, |bodies| bodies.min(most))
    }

    /// Whether replies that are on record are given again.
    pub fn replays(&self) -> bool {
        self.item.replay == Some(true)
    }

    /// Whether its ModelMap or a backend's filter has models that may not be called.
    pub fn restricts_models(&self) -> bool {
        let map = matches!(&self.map, Map::Names(names) if names.restricts());
        map || self.backends.iter().any(|entry| entry.names.restricts())
    }

    /// Whether its ModelMap or a backend's filter may refuse a name, or means another model by it.
    pub fn sorts_models(&self) -> bool {
        self.item.model_map.is_some() || self.restricts_models()
    }

    /// Whether somebody judges requests by their model.
    pub fn judges_models(&self) -> bool {
        let of_backends = || self.backends.iter().any(|entry| entry.reading.models);
        self.reading.models || self.restricts_models() || of_backends()
    }

    /// The APIs that clients may speak; absent: all.
    pub fn apis(&self) -> Option<&[Api]> {
        self.item.apis.as_deref()
    }

    /// Its Conversation API.
    pub fn conversation(&self) -> Option<&ConversationItem> {
        self.item.conversation.as_ref()
    }

    /// Whether a backend's own policies judge replies.
    pub fn backends_judge(&self) -> bool {
        self.backends.iter().any(|entry| entry.policies.judge())
    }

    /// Whether a limit of a backend's own counts tokens.
    pub fn backends_count(&self) -> bool {
        self.backends.iter().any(|entry| match &entry.policies {
            Policies::Apply(policies) => {
                policies.iter().any(|policy| policy.limits.counts_tokens())
            }
            Policies::Closed(_) => false,
        })
    }

    /// The highest price among these models, each of the backend of that name or of any; absent: they cost nothing.
    pub fn dearest<'s>(
        &self,
        models: impl Iterator<Item = (&'s str, Option<&'s str>)>,
    ) -> Option<PriceItem> {
        let prices = models.flat_map(|(model, backend)| {
            let of = self.backends.iter();
            let of = of.filter(move |entry| backend.is_none_or(|it| entry.name == it));
            of.filter_map(move |entry| entry.names.price(entry.names.bare(model)?))
        });
        prices.reduce(|one, other| PriceItem {
            input: one.input.max(other.input),
            cached_input: one.cached_input.max(other.cached_input),
            output: one.output.max(other.output),
        })
    }

    /// A backend by its name within the route.
    pub fn backend(&self, name: &str) -> Option<&RouteBackend> {
        self.backends.iter().find(|backend| backend.name == name)
    }
}

fn rules(thinking: &Thinking) -> Rules {
    let text = match thinking.text {
        ThinkingText::Strip => Text::Strip,
        ThinkingText::Extract => Text::Extract,
        ThinkingText::Keep => Text::Keep,
    };
    let tags = match &thinking.tags {
        None => vec![Tag::default()],
        Some(tags) => {
            let tag = |tag: &dragoman_crds::Tag| Tag {
                open: tag.open.clone(),
                close: tag.close.clone(),
            };
            tags.iter().map(tag).collect()
        }
    };
    Rules::new(
        text,
        tags,
        thinking.starts_open,
        thinking.fields == ReasoningFields::Drop,
    )
}

fn backend(
    at: usize,
    entry: &RouteBackendItem,
    upstream: Result<Arc<Backend>, String>,
    (policies, reading): (Policies, Reading),
) -> Result<RouteBackend, Unrunnable> {
    let catalog = upstream
        .as_ref()
        .map_or(&[][..], |backend| &backend.catalog);
    let names = BackendNames::new(entry, catalog).map_err(|faults| {
        let told = |BadFilter { field, fault }: &BadFilter| {
            format!("backends[{at}].models.{field}: {fault}")
        };
        Unrunnable::Names(faults.iter().map(told).collect::<Vec<_>>().join("; "))
    })?;
    Ok(RouteBackend {
        name: entry.name.clone(),
        backend: upstream,
        names,
        priority: entry.priority,
        weight: entry.weight,
        policies,
        reading,
    })
}
