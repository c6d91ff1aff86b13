//! What a listing shows of names: those that can be called, and no others.

use std::collections::HashSet;

use dragoman_crds::ModelTarget;
use serde_json::Value;

use super::Names;
use crate::NamePattern;
use crate::names::Entry;

/// Where a name leads by the rules.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leads {
    /// To a backend.
    Somewhere,
    /// To backends alone that the route does not have.
    Nowhere,
    /// No rule takes it, whatever the request says.
    Unmatched,
}

impl Names {
    /// A route's listing from its backends' parts: filtered, with exact rules' names and `first` on top. `has` says whether
    /// the route has a backend of this name; what only leads to others is left out.
    #[must_use]
    pub fn list(&self, parts: Vec<Entry>, has: impl Fn(&str) -> bool) -> Vec<Entry> {
        let mut listed: Vec<Entry> = Vec::with_capacity(parts.len());
        let mut seen = HashSet::new();
        for entry in parts {
            let Some(id) = id(&entry) else { continue };
            if self.listed(id, &has) && seen.insert(id.to_owned()) {
                listed.push(entry);
            }
        }
        for rule in &self.rules {
            if let NamePattern::Exact { name, .. } = &rule.pattern
                && !self.list.denies(name)
                && self.leads(name, None, &has, &mut Vec::new()) == Leads::Somewhere
                && seen.insert(name.clone())
            {
                listed.push(own_entry(name));
            }
        }
        for name in self.first.iter().rev() {
            let at = listed.iter().position(|entry| id(entry) == Some(name));
            let entry = match at {
                Some(at) => listed.remove(at),
                // A name that nobody serves is not invented.
                None => continue,
            };
            listed.insert(0, entry);
        }
        listed
    }

    /// Whether an upstream's name is shown: the list admits it, and a call of it would not be rejected for want of a rule or of
    /// a backend.
    fn listed(&self, name: &str, has: &dyn Fn(&str) -> bool) -> bool {
        !self.list.denies(name)
            && match self.leads(name, None, has, &mut Vec::new()) {
                Leads::Somewhere => true,
                Leads::Nowhere => false,
                Leads::Unmatched => !self.reject_unmatched && self.list.admits(name),
            }
    }

    /// Where `name` leads, sent to `backend` by whoever fell back to it; `asked` holds the rules that were looked at on the way.
    fn leads(
        &self,
        name: &str,
        backend: Option<&str>,
        has: &dyn Fn(&str) -> bool,
        asked: &mut Vec<usize>,
    ) -> Leads {
        for at in self.candidates(name) {
            if self.rule_leads(at, name, backend, has, asked) {
                return Leads::Somewhere;
            }
            // No later rule sees what this one always takes.
            if self.rules[at].when.is_none() {
                return Leads::Nowhere;
            }
        }
        Leads::Unmatched
    }

    fn rule_leads(
        &self,
        at: usize,
        name: &str,
        backend: Option<&str>,
        has: &dyn Fn(&str) -> bool,
        asked: &mut Vec<usize>,
    ) -> bool {
        let rule = &self.rules[at];
        if rule.target.backend.as_deref().or(backend).is_none_or(has) {
            return true;
        }
        // Each rule is asked once, so that no map takes longer than a call of it.
        if asked.contains(&at) || asked.len() >= super::MOST_STEPS {
            return false;
        }
        asked.push(at);
        rule.fallbacks.iter().any(|fallback: &ModelTarget| {
            let there = fallback.backend.as_deref();
            let Some(template) = fallback.model.as_deref() else {
                return there.is_none_or(has);
            };
            let next = rule.pattern.expand(name, template);
            match self.leads(&next, there, has, asked) {
                Leads::Somewhere => true,
                Leads::Nowhere => false,
                Leads::Unmatched => !self.reject_unmatched && there.is_none_or(has),
            }
        })
    }
}

pub(super) fn id(entry: &Entry) -> Option<&str> {
    entry.get("id").and_then(Value::as_str)
}

fn own_entry(name: &str) -> Entry {
    Entry::from_iter([
        ("id".to_owned(), Value::from(name)),
        ("object".to_owned(), "model".into()),
        ("created".to_owned(), 0.into()),
        ("owned_by".to_owned(), "dragoman".into()),
    ])
}
