//! Rules on requests.

use std::collections::BTreeSet;

use dragoman_crds::{Rule, RuleAction, SetField};

use super::call::call;
use super::{Findings, expression};
use crate::cel::Variables;
use crate::{RuleActionItem, RuleItem};

/// The status of a refusal that names none.
const STATUS: u16 = 403;
/// Fields of a body that decide where a request goes and how its reply comes: they have been read by the time that rules run.
const SETTLED: [(&str, &str); 2] = [
    ("model", "the model is chosen by action SetModel"),
    ("stream", "whether the reply streams is the client's choice"),
];

pub(super) fn rules(specs: &[Rule], findings: &mut Findings) -> Vec<RuleItem> {
    let mut rules = Vec::with_capacity(specs.len());
    let mut names = BTreeSet::new();
    for (at, spec) in specs.iter().enumerate() {
        let field = format!("spec.rules[{at}]");
        unique(&spec.name, &field, &mut names, findings);
        let place = format!("{field}.when");
        expression::condition(spec.when.as_ref(), Variables::Request, &place, findings);
        if let Some(action) = action(spec, &field, findings) {
            rules.push(RuleItem {
                name: spec.name.clone(),
                when: spec.when.clone(),
                action,
            });
        }
    }
    rules
}

/// Log, metrics and refusals tell rules apart by their names.
pub(super) fn unique<'r>(
    name: &'r str,
    field: &str,
    names: &mut BTreeSet<&'r str>,
    findings: &mut Findings,
) {
    if !names.insert(name) {
        let fault = format!("{name:?} is the name of an earlier rule; name each one once");
        findings.invalid(&format!("{field}.name"), fault);
    }
}

fn action(spec: &Rule, field: &str, findings: &mut Findings) -> Option<RuleActionItem> {
    let mut needs = |name: &str| {
        let fault = format!("action {:?} needs {name}", spec.action);
        findings.invalid(field, fault);
    };
    Some(match spec.action {
        RuleAction::Allow => RuleActionItem::Allow,
        RuleAction::AllowBackendHeader => RuleActionItem::AllowBackendHeader,
        RuleAction::Deny => RuleActionItem::Deny {
            status: spec
                .status
                .and_then(|status| u16::try_from(status).ok())
                .unwrap_or(STATUS),
            message: spec.message.clone(),
        },
        RuleAction::Respond => match &spec.message {
            Some(message) => RuleActionItem::Respond(message.clone()),
            None => {
                needs("message");
                return None;
            }
        },
        RuleAction::SetModel => match &spec.model {
            Some(model) => RuleActionItem::SetModel(model.clone()),
            None => {
                needs("model");
                return None;
            }
        },
        RuleAction::Set => match &spec.set {
            Some(fields) => RuleActionItem::Set(set(fields, field, findings)),
            None => {
                needs("set");
                return None;
            }
        },
        RuleAction::Call => match &spec.call {
            Some(spec) => RuleActionItem::Call(call(spec, field, findings)?),
            None => {
                needs("call");
                return None;
            }
        },
    })
}

fn set(fields: &[SetField], field: &str, findings: &mut Findings) -> Vec<(String, String)> {
    let mut set = Vec::with_capacity(fields.len());
    for (at, SetField { path, expression }) in fields.iter().enumerate() {
        let field = format!("{field}.set[{at}]");
        let first = path.split('.').next().unwrap_or_default();
        if let Some((_, why)) = SETTLED.iter().find(|(name, _)| *name == first) {
            findings.invalid(&format!("{field}.path"), why);
        }
        let place = format!("{field}.expression");
        expression::value(expression, Variables::Request, &place, findings);
        set.push((path.clone(), expression.clone()));
    }
    set
}
