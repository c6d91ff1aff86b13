//! A ModelMap's rules, compiled: what a client's name means, and what it falls back to.

use std::borrow::Cow;
use std::collections::HashMap;

use dragoman_crds::{Matching, ModelTarget, ReplyModel, Unmatched};
use serde_json::{Map, Value};

use super::{BadFilter, Entry, Filter};
use crate::cel::{EvaluationError, Input, Predicate};
use crate::{MapItem, NamePattern};

/// The most attempts that one call may come to, fallbacks of fallbacks included.
const MOST_STEPS: usize = 16;

/// A map that cannot be compiled. The manifest's fault.
#[derive(Debug, PartialEq, Eq)]
pub struct BadMap {
    /// The field below `spec`, such as `rules[2].match.regex`.
    pub field: String,
    /// What is wrong with it, and the cure.
    pub fault: String,
}

/// Why a name may not be called.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The list does not show it, or no rule knows it: 404 `model_not_found`.
    NotFound,
    /// A `when` could not be evaluated: the call is refused rather than sent astray.
    When {
        /// The rule's place.
        rule: usize,
        /// What went wrong.
        fault: EvaluationError,
    },
}

/// One attempt: a model, where it is, and what the body gets.
#[derive(Clone, Debug, PartialEq)]
pub struct Step<'m> {
    /// The model's name, prefix and all.
    pub model: Cow<'m, str>,
    /// The backend that must answer.
    pub backend: Option<&'m str>,
    /// Body fields that are set when absent.
    pub defaults: Option<&'m Map<String, Value>>,
    /// Body fields that are set always.
    pub overrides: Option<&'m Map<String, Value>>,
}

#[derive(Clone, Debug)]
struct Rule {
    pattern: NamePattern,
    when: Option<Predicate>,
    target: ModelTarget,
    fallbacks: Vec<ModelTarget>,
    defaults: Map<String, Value>,
    overrides: Map<String, Value>,
}

/// A compiled ModelMap. The default one lets every name through.
#[derive(Clone, Debug, Default)]
pub struct Names {
    rules: Vec<Rule>,
    exact: HashMap<String, Vec<usize>>,
    ignore_case: bool,
    reject_unmatched: bool,
    list: Filter,
    enforce: bool,
    first: Vec<String>,
    /// How long an upstream's list is kept, in milliseconds.
    pub cache_ttl_ms: u64,
    /// Whether replies carry the client's name.
    pub reply_requested: bool,
}

impl Names {
    /// The names of a route without a ModelMap: each means itself.
    #[must_use]
    pub fn passthrough() -> Self {
        Self {
            cache_ttl_ms: 30_000,
            ..Self::default()
        }
    }

    /// Compiles a map.
    ///
    /// # Errors
    /// [`BadMap`] with the first fault: a regex, a `when`, a group that a target expands but the match does not capture, or
    /// fallbacks that lead back to where they began.
    pub fn new(item: &MapItem) -> Result<Self, BadMap> {
        let mut rules = Vec::with_capacity(item.rules.len());
        let mut exact: HashMap<String, Vec<usize>> = HashMap::new();
        let ignore_case = item.matching == Matching::IgnoreCase;
        for (at, rule) in item.rules.iter().enumerate() {
            let bad = |field: &str, fault: String| BadMap {
                field: format!("rules[{at}].{field}"),
                fault,
            };
            let pattern = NamePattern::new(&rule.r#match, item.matching)
                .map_err(|fault| bad("match", fault.to_string()))?;
            let when = rule
                .when
                .as_deref()
                .map(Predicate::compile)
                .transpose()
                .map_err(|fault| bad("when", fault.to_string()))?;
            let targets = std::iter::once(("target".to_owned(), &rule.target)).chain(
                rule.fallbacks
                    .iter()
                    .enumerate()
                    .map(|(at, to)| (format!("fallbacks[{at}]"), to)),
            );
            for (field, target) in targets {
                let unknown = pattern.unknown_groups(target.model.as_deref().unwrap_or_default());
                if let Some(group) = unknown.first() {
                    return Err(bad(
                        &format!("{field}.model"),
                        format!(
                            "the match captures no group {group:?}; write $$ for a dollar sign"
                        ),
                    ));
                }
            }
            if let NamePattern::Exact { name, .. } = &pattern {
                exact
                    .entry(fold(name, ignore_case).into_owned())
                    .or_default()
                    .push(at);
            }
            rules.push(Rule {
                pattern,
                when,
                target: rule.target.clone(),
                fallbacks: rule.fallbacks.clone(),
                defaults: rule.defaults.clone(),
                overrides: rule.overrides.clone(),
            });
        }
        let list = Filter::new(&item.list.names, item.list.matching).map_err(
            |BadFilter { field, fault }| BadMap {
                field: format!("list.{field}"),
                fault: fault.to_string(),
            },
        )?;
        let names = Self {
            rules,
            exact,
            ignore_case,
            reject_unmatched: item.unmatched == Unmatched::Reject,
            list,
            enforce: item.list.enforce,
            first: item.list.first.clone(),
            cache_ttl_ms: item.list.cache_ttl_ms,
            reply_requested: item.reply_model == ReplyModel::Requested,
        };
        names.refuse_cycles()?;
        Ok(names)
    }

    /// The attempts that a call of `name` comes to, in order; at least one.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn resolve<'m>(
        &'m self,
        name: &'m str,
        input: &Input<'_>,
    ) -> Result<Vec<Step<'m>>, Refusal> {
        let rule = self.find(name, input)?;
        if self.enforce && (self.list.denies(name) || (rule.is_none() && !self.list.admits(name))) {
            return Err(Refusal::NotFound);
        }
        let mut steps = Vec::with_capacity(1);
        self.expand(
            Cow::Borrowed(name),
            None,
            rule,
            input,
            &mut Vec::new(),
            &mut steps,
        )?;
        // A fallback that no rule knows is left out under `Reject`; a call whose every attempt is left out has none.
        if steps.is_empty() {
            Err(Refusal::NotFound)
        } else {
            Ok(steps)
        }
    }

    /// A route's listing from its backends' parts: filtered, with exact rules' names and `first` on top.
    #[must_use]
    pub fn list(&self, parts: Vec<Entry>) -> Vec<Entry> {
        let mut listed: Vec<Entry> = Vec::with_capacity(parts.len());
        let mut seen = std::collections::HashSet::new();
        for entry in parts {
            let Some(id) = id(&entry) else { continue };
            if self.listed(id) && seen.insert(id.to_owned()) {
                listed.push(entry);
            }
        }
        for rule in &self.rules {
            if let NamePattern::Exact { name, .. } = &rule.pattern
                && !self.list.denies(name)
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

    /// Whether an upstream's name is shown: the list admits it, and a call of it would not be rejected for want of a rule.
    fn listed(&self, name: &str) -> bool {
        let rule = self.candidates(name).next().is_some();
        !self.list.denies(name) && (rule || (!self.reject_unmatched && self.list.admits(name)))
    }

    /// The places of the rules that match, exact ones first, whatever their `when`.
    fn candidates<'m>(&'m self, name: &'m str) -> impl Iterator<Item = usize> + 'm {
        let folded = fold(name, self.ignore_case);
        let exact = self
            .exact
            .get(folded.as_ref())
            .map(Vec::as_slice)
            .unwrap_or_default();
        let patterns = self.rules.iter().enumerate().filter(move |(_, rule)| {
            matches!(rule.pattern, NamePattern::Regex(_)) && rule.pattern.matches(name)
        });
        exact.iter().copied().chain(patterns.map(|(at, _)| at))
    }

    fn find(&self, name: &str, input: &Input<'_>) -> Result<Option<usize>, Refusal> {
        for at in self.candidates(name) {
            let holds = match &self.rules[at].when {
                None => true,
                Some(when) => when
                    .holds(input, name)
                    .map_err(|fault| Refusal::When { rule: at, fault })?,
            };
            if holds {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    fn expand<'m>(
        &'m self,
        name: Cow<'m, str>,
        backend: Option<&'m str>,
        rule: Option<usize>,
        input: &Input<'_>,
        path: &mut Vec<usize>,
        steps: &mut Vec<Step<'m>>,
    ) -> Result<(), Refusal> {
        let Some(at) = rule else {
            if !self.reject_unmatched && steps.len() < MOST_STEPS {
                steps.push(Step {
                    model: name,
                    backend,
                    defaults: None,
                    overrides: None,
                });
            }
            return Ok(());
        };
        // Names that captures made may lead back where written ones were checked not to.
        if path.contains(&at) || steps.len() >= MOST_STEPS {
            return Ok(());
        }
        let rule = &self.rules[at];
        steps.push(Step {
            model: rule.model(&name, &rule.target),
            backend: rule.target.backend.as_deref().or(backend),
            defaults: some(&rule.defaults),
            overrides: some(&rule.overrides),
        });
        path.push(at);
        for fallback in &rule.fallbacks {
            // The name as it came, elsewhere: through the rules it would only lead back here.
            if fallback.model.is_none() {
                if steps.len() < MOST_STEPS {
                    steps.push(Step {
                        model: name.clone(),
                        backend: fallback.backend.as_deref(),
                        defaults: some(&rule.defaults),
                        overrides: some(&rule.overrides),
                    });
                }
                continue;
            }
            let next = rule.model(&name, fallback);
            let found = self.find(&next, input)?;
            self.expand(next, fallback.backend.as_deref(), found, input, path, steps)?;
        }
        path.pop();
        Ok(())
    }

    /// Refuses fallbacks that lead back to a rule that they came from, as far as names are written out.
    fn refuse_cycles(&self) -> Result<(), BadMap> {
        for start in 0..self.rules.len() {
            let mut path = vec![start];
            self.walk(start, &mut path)?;
        }
        Ok(())
    }

    fn walk(&self, at: usize, path: &mut Vec<usize>) -> Result<(), BadMap> {
        for (number, fallback) in self.rules[at].fallbacks.iter().enumerate() {
            let Some(name) = fallback
                .model
                .as_deref()
                .filter(|name| !name.contains(['$', '\\']))
            else {
                continue;
            };
            let Some(next) = self.candidates(name).next() else {
                continue;
            };
            if path.contains(&next) {
                return Err(BadMap {
                    field: format!("rules[{at}].fallbacks[{number}].model"),
                    fault: format!(
                        "{name:?} goes through the rules again and leads back to rules[{next}]: a cycle; fall back to a name that only another rule matches, or give {name:?} an exact rule without this fallback"
                    ),
                });
            }
            // Deeper than any call goes, there is nothing left to refuse.
            if path.len() < MOST_STEPS {
                path.push(next);
                self.walk(next, path)?;
                path.pop();
            }
        }
        Ok(())
    }
}

impl Rule {
    fn model<'m>(&'m self, name: &Cow<'m, str>, target: &'m ModelTarget) -> Cow<'m, str> {
        target.model.as_deref().map_or_else(
            || name.clone(),
            |template| self.pattern.expand(name, template),
        )
    }
}

fn some(map: &Map<String, Value>) -> Option<&Map<String, Value>> {
    (!map.is_empty()).then_some(map)
}

fn fold(name: &str, ignore_case: bool) -> Cow<'_, str> {
    if ignore_case {
        Cow::Owned(name.to_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

fn id(entry: &Entry) -> Option<&str> {
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

#[cfg(test)]
mod tests;
