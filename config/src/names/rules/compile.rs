//! From a ModelMap's item to rules, with every fault that it has.

use std::collections::HashMap;

use dragoman_crds::{Matching, ReplyModel, Unmatched};

use super::{BadMap, Condition, Names, Rule, When, fold};
use crate::cel::Variables;
use crate::names::{BadFilter, Filter};
use crate::{MapItem, MapRuleItem, NamePattern};

impl Names {
    /// Compiles a map.
    ///
    /// # Errors
    /// Every fault: a regex, a `when`, a group that a target expands but the match does not capture, fallbacks that lead back to
    /// where they began. There is at least one.
    pub fn new(item: &MapItem) -> Result<Self, Vec<BadMap>> {
        let mut faults = Vec::new();
        let mut rules = Vec::with_capacity(item.rules.len());
        let mut exact: HashMap<String, Vec<usize>> = HashMap::new();
        let ignore_case = item.matching == Matching::IgnoreCase;
        for (at, written) in item.rules.iter().enumerate() {
            let Some(rule) = rule(at, written, item.matching, &mut faults) else {
                continue;
            };
            if let NamePattern::Exact { name, .. } = &rule.pattern {
                exact
                    .entry(fold(name, ignore_case).into_owned())
                    .or_default()
                    .push(at);
            }
            rules.push(rule);
        }
        let list = Filter::new(&item.list.names, item.list.matching).unwrap_or_else(|bad| {
            faults.extend(bad.into_iter().map(|BadFilter { field, fault }| BadMap {
                field: format!("list.{field}"),
                fault: fault.to_string(),
            }));
            Filter::default()
        });
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
        // Places hold only where every rule compiled.
        if names.rules.len() == item.rules.len() {
            names.find_cycles(&mut faults);
        }
        if faults.is_empty() {
            Ok(names)
        } else {
            Err(faults)
        }
    }

    /// Finds fallbacks that lead back to a rule that they came from, as far as names are written out.
    fn find_cycles(&self, faults: &mut Vec<BadMap>) {
        let mut visits = vec![Visit::No; self.rules.len()];
        for start in 0..self.rules.len() {
            self.walk(start, &mut visits, faults);
        }
    }

    fn walk(&self, at: usize, visits: &mut [Visit], faults: &mut Vec<BadMap>) {
        if visits[at] != Visit::No {
            return;
        }
        visits[at] = Visit::OnPath;
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
            if visits[next] == Visit::OnPath {
                faults.push(BadMap {
                    field: format!("rules[{at}].fallbacks[{number}].model"),
                    fault: format!(
                        "{name:?} goes through the rules again and leads back to rules[{next}]: a cycle; fall back to a name that only another rule matches, or give {name:?} an exact rule without this fallback"
                    ),
                });
            }
            self.walk(next, visits, faults);
        }
        visits[at] = Visit::Done;
    }
}

/// How far a search for cycles is with a rule. Each is entered once, so that no map takes longer than it is long.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Visit {
    No,
    OnPath,
    Done,
}

/// One rule; without it, its faults are among `faults`.
fn rule(
    at: usize,
    written: &MapRuleItem,
    matching: Matching,
    faults: &mut Vec<BadMap>,
) -> Option<Rule> {
    let before = faults.len();
    let mut bad = |field: &str, fault: String| {
        faults.push(BadMap {
            field: format!("rules[{at}].{field}"),
            fault,
        });
    };
    let when = written.when.as_ref().and_then(|source| {
        let compiled = Condition::compile(source, Variables::Request);
        let condition = compiled.map_err(|fault| bad("when", fault.to_string()));
        Some(When {
            condition: condition.ok()?,
            source: source.clone(),
        })
    });
    let pattern = NamePattern::new(&written.r#match, matching)
        .map_err(|fault| bad("match", fault.to_string()))
        .ok()?;
    let fallbacks = written.fallbacks.iter().enumerate();
    let targets = std::iter::once(("target".to_owned(), &written.target))
        .chain(fallbacks.map(|(at, to)| (format!("fallbacks[{at}]"), to)));
    for (field, target) in targets {
        for group in pattern.unknown_groups(target.model.as_deref().unwrap_or_default()) {
            bad(
                &format!("{field}.model"),
                format!("the match captures no group {group:?}; write $$ for a dollar sign"),
            );
        }
    }
    (faults.len() == before).then(|| Rule {
        matching: written.r#match.clone(),
        pattern,
        when,
        target: written.target.clone(),
        fallbacks: written.fallbacks.clone(),
        defaults: written.defaults.clone(),
        overrides: written.overrides.clone(),
    })
}
