//! Rules on requests, in order, until one admits, refuses or answers.

#[cfg(test)]
mod asking;
mod judge;
mod set;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;
use dragoman_config::cel::{Condition, Expression, Variables};
use dragoman_config::{ObjectKey, RuleActionItem, RuleItem};

use super::service::Service;
pub use judge::judge;
pub(super) use set::{Path, set};

/// The rules of one policy.
#[derive(Debug, Default)]
pub struct Rules {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    name: String,
    when: Option<Condition>,
    action: Action,
    /// Whether an expression names `request`.
    reads: bool,
}

#[derive(Debug)]
enum Action {
    Allow,
    Deny {
        status: u16,
        message: Option<String>,
    },
    Respond(String),
    SetModel(String),
    Set(Vec<(Path, Expression)>),
    Call(Arc<Service>),
    AllowBackendHeader,
}

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It goes on.
    Admit(Admitted),
    /// It is refused.
    Deny(Denied),
    /// It is answered in the model's place.
    Respond {
        /// The policy.
        policy: ObjectKey,
        /// The rule that answers.
        rule: String,
        /// What it says.
        text: String,
    },
}

/// How a request goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Admitted {
    /// The model that is called instead.
    pub model: Option<String>,
    /// The body, where rules changed it.
    pub body: Option<Bytes>,
    /// Whether the client may choose a backend.
    pub backend_header: bool,
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// The policy.
    pub policy: ObjectKey,
    /// The rule.
    pub rule: String,
    /// The status, 400 to 599.
    pub status: u16,
    /// What the client is told.
    pub message: String,
}

/// A rule that could not be judged: the request is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rule {rule:?} of AccessPolicy {policy} failed: {why}")]
pub struct Failed {
    /// The policy.
    pub policy: ObjectKey,
    /// The rule.
    pub rule: String,
    /// What went wrong, without any value of the request. For logs.
    pub why: String,
    /// 500; 503 where a service failed; 400 for a body that nobody can judge, which `why` may be told to the client.
    pub status: u16,
}

impl Rules {
    /// Compiles rules.
    ///
    /// # Errors
    /// Every fault, with its rule's place in the list.
    pub fn new(items: &[RuleItem]) -> Result<Self, Vec<(usize, String)>> {
        let mut faults = Vec::new();
        let mut rules = Vec::with_capacity(items.len());
        for (at, item) in items.iter().enumerate() {
            match Rule::new(item) {
                Ok(rule) => rules.push(rule),
                Err(fault) => faults.push((at, fault)),
            }
        }
        if faults.is_empty() {
            Ok(Self { rules })
        } else {
            Err(faults)
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether a rule may look at the body or change it.
    #[must_use]
    pub fn reads_body(&self) -> bool {
        let changes = |rule: &Rule| matches!(rule.action, Action::Set(_) | Action::Call(_));
        self.rules.iter().any(|rule| rule.reads || changes(rule))
    }

    /// The first rule that a backend's policy cannot have: the backend is chosen by then.
    #[must_use]
    pub fn chooses(&self) -> Option<&str> {
        let chooses = |rule: &&Rule| {
            matches!(
                rule.action,
                Action::SetModel(_) | Action::AllowBackendHeader
            )
        };
        self.rules.iter().find(chooses).map(|rule| &*rule.name)
    }
}

impl Rule {
    fn new(item: &RuleItem) -> Result<Self, String> {
        let when = match &item.when {
            Some(when) => {
                let condition = Condition::compile(when, Variables::Request);
                Some(condition.map_err(|fault| format!("when: {fault}"))?)
            }
            None => None,
        };
        let action = Action::new(&item.action)?;
        let sets = match &action {
            Action::Set(fields) => fields.iter().any(|(_, value)| value.names("request")),
            _ => false,
        };
        let asks = when.as_ref().is_some_and(|when| when.names("request"));
        Ok(Self {
            name: item.name.clone(),
            reads: sets || asks || matches!(action, Action::Call(_)),
            when,
            action,
        })
    }
}

impl Action {
    fn new(item: &RuleActionItem) -> Result<Self, String> {
        Ok(match item {
            RuleActionItem::Allow => Self::Allow,
            RuleActionItem::Deny { status, message } => Self::Deny {
                status: *status,
                message: message.clone(),
            },
            RuleActionItem::Respond(text) => Self::Respond(text.clone()),
            RuleActionItem::SetModel(model) => Self::SetModel(model.clone()),
            RuleActionItem::Set(fields) => {
                let field = |(path, value): &(String, String)| {
                    let place = Path::parse(path)?;
                    let value = Expression::compile(value, Variables::Request);
                    let value = value.map_err(|fault| format!("set {path}: {fault}"))?;
                    Ok::<_, String>((place, value))
                };
                Self::Set(fields.iter().map(field).collect::<Result<_, _>>()?)
            }
            RuleActionItem::Call(call) => {
                let service = Service::new(call);
                Self::Call(service.map_err(|fault| format!("call: {fault}"))?)
            }
            RuleActionItem::AllowBackendHeader => Self::AllowBackendHeader,
        })
    }
}
