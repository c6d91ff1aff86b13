//! What policies look at in a request, worked out once: it decides what is refused because they could not judge it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use dragoman_config::cel::{Condition, Expression, Variables};
use dragoman_config::{
    CountedItem, LimitItem, ObjectKey, PolicyItem, ResponseActionItem, RuleActionItem,
};

use crate::access::policy::Policies;

/// What some policies look at.
#[derive(Debug, Default, Clone)]
pub struct Reading {
    /// Lists of models, which hold for every model that a request names.
    pub lists: bool,
    /// The model: such lists, rules that name it, what it costs.
    pub models: bool,
    /// The members of bodies: rules that read or set some, services that are told all.
    pub members: bool,
    /// The members that expressions name, as they spell them, by what they are in small letters.
    named: HashMap<String, HashSet<String>>,
}

impl Reading {
    /// What a policy looks at.
    pub fn of(policy: &PolicyItem) -> Self {
        let mut reading = Self::default();
        let has_list = |limit: &LimitItem| limit.models.is_some();
        let models = &policy.models;
        reading.lists =
            models.allow.is_some() || !models.deny.is_empty() || policy.limits.iter().any(has_list);
        reading.models = reading.lists
            || policy
                .limits
                .iter()
                .any(|limit| matches!(limit.amount, Some((CountedItem::Cost, ..))));
        for rule in &policy.rules {
            reading.condition(rule.when.as_deref(), Variables::Request);
            match &rule.action {
                RuleActionItem::SetModel(_) => reading.models = true,
                RuleActionItem::Set(fields) => {
                    reading.members = true;
                    for (path, value) in fields {
                        path.split('.').for_each(|name| reading.name(name));
                        reading.value(value, Variables::Request);
                    }
                }
                RuleActionItem::Call(_) => reading.members = true,
                RuleActionItem::Allow
                | RuleActionItem::Deny { .. }
                | RuleActionItem::Respond(_)
                | RuleActionItem::AllowBackendHeader => {}
            }
        }
        for rule in &policy.response_rules {
            reading.condition(rule.when.as_deref(), Variables::Reply);
            match &rule.action {
                ResponseActionItem::SetContent(value) => reading.value(value, Variables::Reply),
                ResponseActionItem::Call(_) => reading.members = true,
                ResponseActionItem::Deny { .. } | ResponseActionItem::Replace { .. } => {}
            }
        }
        reading
    }

    /// What all of `policies` look at, of which each has its reading among `readings`.
    pub fn all(policies: &Policies, readings: &HashMap<ObjectKey, Arc<Self>>) -> Self {
        let mut all = Self::default();
        let Policies::Apply(policies) = policies else {
            return all;
        };
        for one in policies
            .iter()
            .filter_map(|policy| readings.get(&policy.key))
        {
            all.lists |= one.lists;
            all.models |= one.models;
            all.members |= one.members;
            for (folded, names) in &one.named {
                let known = all.named.entry(folded.clone()).or_default();
                known.extend(names.iter().cloned());
            }
        }
        all
    }

    /// Whether an expression names a member that differs from `name` in its case alone, `folded` being that in small letters.
    pub fn spells_otherwise(&self, name: &str, folded: &str) -> bool {
        let known = self.named.get(folded);
        known.is_some_and(|names| !names.contains(name))
    }

    fn condition(&mut self, source: Option<&str>, variables: Variables) {
        // One that does not compile is no policy's that runs.
        let compiled = source.and_then(|source| Condition::compile(source, variables).ok());
        let Some(condition) = compiled else { return };
        self.models |= condition.names("model");
        if condition.names("request") {
            self.members = true;
            let members = condition.members("request");
            members.into_iter().for_each(|name| self.name(name));
        }
    }

    fn value(&mut self, source: &str, variables: Variables) {
        let Ok(value) = Expression::compile(source, variables) else {
            return;
        };
        self.models |= value.names("model");
        if value.names("request") {
            self.members = true;
            let members = value.members("request");
            members.into_iter().for_each(|name| self.name(name));
        }
    }

    fn name(&mut self, name: &str) {
        let names = self.named.entry(folded(name)).or_default();
        names.insert(name.to_owned());
    }
}

/// A name as those servers compare it that take it in any case: Go's folding leads two letters of Unicode to ASCII that lower case leaves, or reaches.
///
/// Source: [`foldName`](https://cs.opensource.google/go/go/+/master:src/encoding/json/fold.go).
pub fn folded(name: &str) -> String {
    name.to_lowercase().replace('\u{17f}', "s")
}
