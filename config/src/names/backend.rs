//! A backend's share in the life of a name: prefix, filter and catalog.

use std::borrow::Cow;
use std::collections::HashMap;

use dragoman_crds::Matching;
use serde_json::{Map, Value};

use super::{BadFilter, Filter};
use crate::{Catalogued, PriceItem, RouteBackendItem};

/// One model in a listing: its name towards clients and its entry's fields.
pub type Entry = Map<String, Value>;

/// What one backend of a route does with names.
#[derive(Clone, Debug)]
pub struct BackendNames {
    prefix: String,
    filter: Filter,
    by_name: HashMap<String, Catalogued>,
    /// Names of the upstream that only exist under the catalog's.
    renamed: HashMap<String, Vec<String>>,
    order: Vec<String>,
}

impl BackendNames {
    /// From a route's backend and its upstream's catalog.
    ///
    /// # Errors
    /// [`BadFilter`] for every pattern of `models` that does not compile; there is at least one.
    pub fn new(backend: &RouteBackendItem, catalog: &[Catalogued]) -> Result<Self, Vec<BadFilter>> {
        let mut renamed: HashMap<String, Vec<String>> = HashMap::new();
        for entry in catalog {
            renamed
                .entry(entry.upstream_name.clone())
                .or_default()
                .push(entry.name.clone());
        }
        Ok(Self {
            prefix: backend.prefix.clone(),
            filter: Filter::new(&backend.models, Matching::Exact)?,
            by_name: catalog
                .iter()
                .map(|entry| (entry.name.clone(), entry.clone()))
                .collect(),
            renamed,
            order: catalog.iter().map(|entry| entry.name.clone()).collect(),
        })
    }

    /// The bare name, if this backend may answer for `name`: its prefix fits and its filter admits the rest.
    #[must_use]
    pub fn bare<'n>(&self, name: &'n str) -> Option<&'n str> {
        let bare = name.strip_prefix(self.prefix.as_str())?;
        (!bare.is_empty() && self.filter.admits(bare)).then_some(bare)
    }

    /// Whether its filter admits a name without its prefix.
    #[must_use]
    pub fn admits(&self, bare: &str) -> bool {
        self.filter.admits(bare)
    }

    /// Whether there are names that its filter does not admit.
    #[must_use]
    pub fn restricts(&self) -> bool {
        self.filter.restricts()
    }

    /// The name that the upstream knows a bare name by.
    #[must_use]
    pub fn upstream<'n>(&'n self, bare: &'n str) -> &'n str {
        self.by_name
            .get(bare)
            .map_or(bare, |entry| &entry.upstream_name)
    }

    /// The catalog's names of what the upstream knows by this one.
    #[must_use]
    pub fn known_as(&self, upstream: &str) -> &[String] {
        self.renamed.get(upstream).map_or(&[], Vec::as_slice)
    }

    /// What a model of this bare name costs; absent: nothing.
    #[must_use]
    pub fn price(&self, bare: &str) -> Option<PriceItem> {
        self.by_name.get(bare)?.price
    }

    /// Whether the catalog has the bare name, so that the upstream's list need not.
    #[must_use]
    pub fn catalogued(&self, bare: &str) -> bool {
        self.by_name.contains_key(bare)
    }

    /// The backend's part of a listing: the upstream's entries under our names, completed from the catalog, then the
    /// catalog's that the upstream does not list. Entries keep their unknown fields.
    pub fn list(&self, upstream: impl IntoIterator<Item = Entry>) -> Vec<Entry> {
        let mut listed: Vec<Entry> = Vec::new();
        let mut seen: Vec<String> = Vec::new();
        for entry in upstream {
            let Some(id) = entry.get("id").and_then(Value::as_str).map(str::to_owned) else {
                continue;
            };
            let names = match self.renamed.get(&id) {
                Some(names) => Cow::Borrowed(names.as_slice()),
                None => Cow::Owned(vec![id]),
            };
            for name in names.iter() {
                seen.push(name.clone());
                self.push(&mut listed, entry.clone(), name);
            }
        }
        for name in self.order.iter().filter(|name| !seen.contains(name)) {
            self.push(&mut listed, Entry::new(), name);
        }
        listed
    }

    fn push(&self, listed: &mut Vec<Entry>, mut entry: Entry, name: &str) {
        if !self.filter.admits(name) {
            return;
        }
        entry.insert("id".into(), format!("{}{name}", self.prefix).into());
        entry.entry("object").or_insert_with(|| "model".into());
        if let Some(catalogued) = self.by_name.get(name) {
            for (field, value) in &catalogued.metadata {
                entry.insert(field.clone(), value.clone());
            }
            if let Some(length) = catalogued.context_length {
                entry.insert("context_length".into(), length.into());
            }
        }
        entry.entry("created").or_insert_with(|| 0.into());
        entry.entry("owned_by").or_insert_with(|| "dragoman".into());
        listed.push(entry);
    }
}

#[cfg(test)]
mod tests {
    use dragoman_crds::{NameFilter, NameMatch};
    use serde_json::json;

    use super::*;
    use crate::Target;

    fn backend(prefix: &str, deny: &str) -> RouteBackendItem {
        RouteBackendItem {
            name: "b".into(),
            target: Target::Unresolved(String::new()),
            prefix: prefix.into(),
            models: NameFilter {
                allow: None,
                deny: vec![NameMatch {
                    exact: Some(deny.into()),
                    regex: None,
                }],
            },
            priority: 0,
            weight: 1,
        }
    }

    fn catalogued(name: &str, upstream: &str) -> Catalogued {
        Catalogued {
            price: None,
            name: name.into(),
            upstream_name: upstream.into(),
            context_length: Some(8192),
            metadata: Map::new(),
        }
    }

    fn entry(value: Value) -> Entry {
        value.as_object().unwrap().clone()
    }

    fn ids(entries: &[Entry]) -> Vec<&str> {
        entries
            .iter()
            .map(|entry| entry["id"].as_str().unwrap())
            .collect()
    }

    #[test]
    fn a_prefix_leads_to_the_bare_name_and_only_with_it() {
        let names = BackendNames::new(&backend("vllm/", "secret"), &[]).unwrap();
        assert_eq!(names.bare("vllm/llama"), Some("llama"));
        assert_eq!(names.bare("llama"), None);
        assert_eq!(names.bare("vllm/"), None);
        assert_eq!(names.bare("vllm/secret"), None);
    }

    #[test]
    fn a_catalog_renames_and_hides_the_upstream_name() {
        let names =
            BackendNames::new(&backend("v/", "x"), &[catalogued("fast", "llama-8b")]).unwrap();
        assert_eq!(names.upstream("fast"), "llama-8b");
        let listed = names.list([
            entry(json!({"id": "llama-8b", "object": "model", "root": "kept"})),
            entry(json!({"id": "other"})),
        ]);
        assert_eq!(ids(&listed), ["v/fast", "v/other"]);
        assert_eq!(listed[0]["root"], "kept");
        assert_eq!(listed[0]["context_length"], 8192);
    }

    #[test]
    fn a_catalog_lists_what_the_upstream_does_not() {
        let names = BackendNames::new(&backend("", "x"), &[catalogued("a", "a")]).unwrap();
        assert_eq!(ids(&names.list([])), ["a"]);
        assert!(names.catalogued("a") && !names.catalogued("b"));
    }

    #[test]
    fn what_the_filter_refuses_is_not_listed() {
        let names = BackendNames::new(&backend("", "secret"), &[]).unwrap();
        let listed = names.list([entry(json!({"id": "secret"})), entry(json!({"id": "open"}))]);
        assert_eq!(ids(&listed), ["open"]);
    }
}
