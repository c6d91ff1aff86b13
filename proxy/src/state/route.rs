//! A route as a proxy runs it: its names, its backends, what it does to replies.

use std::sync::Arc;

use dragoman_config::names::{BackendNames, BadFilter, Names};
use dragoman_config::{ConversationItem, ObjectKey, RouteBackendItem, RouteItem, Target};
use dragoman_crds::{Api, ReasoningFields, Thinking, ThinkingText};

use super::backend::{Backend, Unrunnable};
use super::metrics::RouteMetrics;
use super::paths::Paths;
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
    /// Who answers, in the order of the manifest.
    pub backends: Vec<RouteBackend>,
    /// What becomes of thinking.
    pub thinking: Thinking,
    /// The same, prepared for replies.
    pub rules: Arc<Rules>,
    /// Paths that lead to a path of a backend.
    pub paths: Paths,
    /// What is counted.
    pub metrics: Arc<RouteMetrics>,
    /// What it was built from, to see whether it changed.
    item: RouteItem,
}

/// A route that no version of which can be run. Its names are taken, and whoever asks for it is told why.
#[derive(Debug)]
pub struct Closed {
    /// Its namespace and name.
    pub key: ObjectKey,
    /// What is wrong with it.
    pub why: String,
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
        metrics: Arc<RouteMetrics>,
    ) -> Result<Self, Unrunnable> {
        let backends = item.backends.iter().zip(upstreams);
        let backends: Result<Vec<_>, _> = backends
            .enumerate()
            .map(|(at, (entry, upstream))| backend(at, entry, upstream))
            .collect();
        Ok(Self {
            key,
            hostnames: item.hostnames.clone(),
            map,
            backends: backends?,
            thinking: item.thinking.clone(),
            rules: Arc::new(rules(&item.thinking)),
            paths: Paths::build(item)?,
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
    ) -> bool {
        self.item == *item
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

    /// The APIs that clients may speak; absent: all.
    pub fn apis(&self) -> Option<&[Api]> {
        self.item.apis.as_deref()
    }

    /// Its Conversation API.
    pub fn conversation(&self) -> Option<&ConversationItem> {
        self.item.conversation.as_ref()
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
    })
}
