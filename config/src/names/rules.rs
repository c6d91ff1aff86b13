//! A ModelMap's rules, compiled: what a client's name means, and what it falls back to.

mod called;
mod compile;
mod listing;

use std::borrow::Cow;
use std::collections::HashMap;

use dragoman_crds::{ModelTarget, NameMatch};
use serde_json::{Map, Value};

use super::Filter;
use crate::NamePattern;
use crate::cel::{Condition, EvaluationError, Facts};
use called::Called;

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
    When(Box<FailedCondition>),
}

/// A `when` that could not be evaluated. The manifest's fault, brought out by a request.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("rules[{rule}] ({matching}) has the condition {when}, which failed: {fault}")]
pub struct FailedCondition {
    /// The rule's place.
    pub rule: usize,
    /// Which names the rule speaks of, as in `exact "gpt-4"`.
    pub matching: String,
    /// The expression.
    pub when: String,
    /// What went wrong.
    pub fault: EvaluationError,
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
    matching: NameMatch,
    pattern: NamePattern,
    when: Option<When>,
    target: ModelTarget,
    fallbacks: Vec<ModelTarget>,
    defaults: Map<String, Value>,
    overrides: Map<String, Value>,
}

#[derive(Clone, Debug)]
struct When {
    condition: Condition,
    source: String,
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

    /// The attempts that a call of `name` comes to, in order; at least one.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn resolve<'m>(
        &'m self,
        name: &'m str,
        facts: &dyn Facts,
    ) -> Result<Vec<Step<'m>>, Refusal> {
        let rule = self.find(name, facts)?;
        if self.enforce && (self.list.denies(name) || (rule.is_none() && !self.list.admits(name))) {
            return Err(Refusal::NotFound);
        }
        let mut steps = Vec::with_capacity(1);
        self.expand(
            Cow::Borrowed(name),
            None,
            rule,
            facts,
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

    /// Whether there are names that may not be called.
    #[must_use]
    pub fn restricts(&self) -> bool {
        self.reject_unmatched || (self.enforce && self.list.restricts())
    }

    /// Whether a `when` asks for this variable.
    #[must_use]
    pub fn reads(&self, variable: &str) -> bool {
        let whens = self.rules.iter().filter_map(|rule| rule.when.as_ref());
        whens.into_iter().any(|when| when.condition.names(variable))
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

    fn find(&self, name: &str, facts: &dyn Facts) -> Result<Option<usize>, Refusal> {
        for at in self.candidates(name) {
            let holds = match &self.rules[at].when {
                None => true,
                Some(when) => when
                    .condition
                    .holds(&Called { facts, name })
                    .map_err(|fault| {
                        Refusal::When(Box::new(FailedCondition {
                            rule: at,
                            matching: describe(&self.rules[at].matching),
                            when: when.source.clone(),
                            fault,
                        }))
                    })?,
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
        facts: &dyn Facts,
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
            let found = self.find(&next, facts)?;
            self.expand(next, fallback.backend.as_deref(), found, facts, path, steps)?;
        }
        path.pop();
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

/// A match in a sentence, as in `exact "gpt-4"`.
pub(crate) fn describe(matching: &NameMatch) -> String {
    match (&matching.exact, &matching.regex) {
        (Some(name), _) => format!("exact {name:?}"),
        (None, Some(regex)) => format!("regex {regex:?}"),
        (None, None) => "without a match".to_owned(),
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

#[cfg(test)]
mod tests;
