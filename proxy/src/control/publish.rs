//! Config on its way to the data path, and the log level that it brings along.

use std::collections::BTreeMap;
use std::sync::Arc;

use dragoman_config::{Item, Key};

use super::logging::LevelSwitch;
use crate::state::Shared;

/// Publishes config.
#[derive(Clone, Debug)]
pub struct Publisher {
    shared: Arc<Shared>,
    level: Option<LevelSwitch>,
}

impl Publisher {
    /// A publisher to `shared`. Without a `level`, LLMProxies do not change what is logged.
    #[must_use]
    pub fn new(shared: Arc<Shared>, level: Option<LevelSwitch>) -> Self {
        Self { shared, level }
    }

    /// Runs `items` and nothing else from now on. Returns the items that cannot be run, and why.
    #[must_use]
    pub fn publish(&self, items: BTreeMap<Key, Arc<Item>>) -> BTreeMap<Key, String> {
        self.publish_with_invalid(items, &BTreeMap::new())
    }

    /// As [`Publisher::publish`], with the items that do not compile and have no version that does, and why: routes among
    /// them are closed.
    #[must_use]
    pub fn publish_with_invalid(
        &self,
        items: BTreeMap<Key, Arc<Item>>,
        invalid: &BTreeMap<Key, String>,
    ) -> BTreeMap<Key, String> {
        if let Some(level) = &self.level {
            let proxy = items.values().find_map(|item| match &**item {
                Item::Proxy(proxy) => Some(proxy),
                _ => None,
            });
            level.set(proxy.and_then(|proxy| proxy.log_level));
        }
        self.shared.publish_with_invalid(items, invalid)
    }

    /// What is published to.
    #[must_use]
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}
