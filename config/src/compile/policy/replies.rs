//! Rules on replies.

use std::collections::BTreeSet;

use dragoman_crds::{ResponseAction, ResponseRule};
use regex::{Regex, RegexBuilder};

use super::call::call;
use super::rules::unique;
use super::{Findings, expression};
use crate::cel::Variables;
use crate::pattern::unknown_groups;
use crate::response::{LARGEST_REGEX, read_regex, response_rule_holds};
use crate::{ResponseActionItem, ResponseRuleItem};

pub(super) fn rules(specs: &[ResponseRule], findings: &mut Findings) -> Vec<ResponseRuleItem> {
    let mut rules = Vec::with_capacity(specs.len());
    let mut names = BTreeSet::new();
    for (at, spec) in specs.iter().enumerate() {
        let field = format!("spec.responseRules[{at}]");
        unique(&spec.name, &field, &mut names, findings);
        let place = format!("{field}.when");
        expression::condition(spec.when.as_ref(), Variables::Reply, &place, findings);
        if let Some(action) = action(spec, &field, findings) {
            rules.push(ResponseRuleItem {
                name: spec.name.clone(),
                when: spec.when.clone(),
                action,
            });
        }
    }
    note_holding(&rules, findings);
    rules
}

/// Whoever waits for a stream's first word wants to know why it does not come.
fn note_holding(rules: &[ResponseRuleItem], findings: &mut Findings) {
    let holding = rules.iter().filter(|rule| response_rule_holds(rule));
    let names: Vec<&str> = holding.map(|rule| rule.name.as_str()).collect();
    if !names.is_empty() {
        findings.note(format!(
            "replies are held back until their end by responseRules {}",
            names.join(", ")
        ));
    }
}

fn action(spec: &ResponseRule, field: &str, findings: &mut Findings) -> Option<ResponseActionItem> {
    let regex = spec.regex.as_ref();
    let compiled = regex.and_then(|regex| compiled(regex, field, findings));
    let needs = |what: &str| format!("action {:?} needs {what}", spec.action);
    Some(match spec.action {
        ResponseAction::Deny => ResponseActionItem::Deny {
            regex: spec.regex.clone(),
            message: spec.message.clone(),
        },
        ResponseAction::Replace => {
            let (Some(regex), Some(replacement)) = (regex, &spec.replacement) else {
                findings.invalid(field, needs("regex and replacement"));
                return None;
            };
            for group in unknown_groups(&compiled?, replacement) {
                let fault = format!("the regex has no group {group:?}; write $$ for a dollar sign");
                findings.invalid(&format!("{field}.replacement"), fault);
            }
            ResponseActionItem::Replace {
                regex: regex.clone(),
                replacement: replacement.clone(),
            }
        }
        ResponseAction::Set => {
            let Some([set]) = spec.set.as_deref() else {
                findings.invalid(field, needs("set with one expression for content"));
                return None;
            };
            let place = format!("{field}.set[0].expression");
            expression::value(&set.expression, Variables::Reply, &place, findings);
            ResponseActionItem::SetContent(set.expression.clone())
        }
        ResponseAction::Call => {
            let Some(spec) = &spec.call else {
                findings.invalid(field, needs("call"));
                return None;
            };
            ResponseActionItem::Call(call(spec, field, findings)?)
        }
    })
}

fn compiled(regex: &str, field: &str, findings: &mut Findings) -> Option<Regex> {
    let read = read_regex(regex).and_then(|_| {
        let compiled = RegexBuilder::new(regex).size_limit(LARGEST_REGEX).build();
        compiled.map_err(|fault| fault.to_string())
    });
    read.map_err(|fault| findings.invalid(&format!("{field}.regex"), fault))
        .ok()
}
