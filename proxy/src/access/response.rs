//! Rules on replies: on the text as it streams, or on the whole of it, held back until its end.

mod chain;
mod finder;
mod stream;
#[cfg(test)]
mod tests;
mod told;
mod whole;

use std::rc::Rc;
use std::sync::Arc;

use dragoman_config::cel::{Condition, Expression, Variables};
use dragoman_config::{ObjectKey, ResponseActionItem, ResponseRuleItem};

use super::caller::Caller;
use super::facts::{Facts, Known};
use super::rules::Failed;
use super::service::{Service, Services};
pub use chain::ContentDenied;
use finder::Finder;
pub use stream::StreamJudge;
use told::Told;
pub use whole::{LONGEST, Stopped, unjudged};

/// The rules of one policy.
#[derive(Debug, Default)]
pub struct ResponseRules {
    rules: Vec<Arc<Rule>>,
}

#[derive(Debug)]
struct Rule {
    policy: ObjectKey,
    name: String,
    when: Option<Condition>,
    action: Action,
}

#[derive(Debug)]
enum Action {
    Deny {
        finder: Option<Finder>,
        message: Option<String>,
    },
    Replace {
        finder: Finder,
        replacement: String,
    },
    Set(Expression),
    Call(Arc<Service>),
}

/// The rules that one reply is judged by.
#[derive(Debug, Clone)]
pub struct Judging {
    rules: Rc<[Due]>,
    services: Rc<Services>,
}

/// A rule that applies to a reply, as far as the request decides it.
#[derive(Debug, Clone)]
struct Due {
    policy: ObjectKey,
    rule: Arc<Rule>,
    /// Whether the reply decides it too.
    late: bool,
    /// The request, as the rule's policy knows it.
    told: Rc<Told>,
}

impl ResponseRules {
    /// Compiles rules.
    ///
    /// # Errors
    /// Every fault, with its rule's place in the list.
    pub fn new(
        policy: &ObjectKey,
        items: &[ResponseRuleItem],
    ) -> Result<Self, Vec<(usize, String)>> {
        let mut faults = Vec::new();
        let mut rules = Vec::with_capacity(items.len());
        for (at, item) in items.iter().enumerate() {
            match Rule::new(policy, item) {
                Ok(rule) => rules.push(Arc::new(rule)),
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

    /// Whether a rule may need the whole reply.
    #[must_use]
    pub fn holds_whole(&self) -> bool {
        self.rules.iter().any(|rule| rule.holds(rule.is_late()))
    }

    /// The rules of all `policies`, in order, each with the caller that its policy knows, by which the reply to this request is judged; none where none applies.
    ///
    /// # Errors
    /// [`Failed`], where a condition cannot be evaluated, or nobody can judge the body: the request is refused.
    pub fn begin(
        policies: &[(&ObjectKey, &Self, &Caller)],
        facts: Facts<'_>,
        services: &Rc<Services>,
    ) -> Result<Option<Judging>, Failed> {
        let mut known = Known::new(facts);
        let mut all = Vec::new();
        for (policy, of, caller) in policies {
            known.facts.caller = caller;
            let mut rules = Vec::new();
            for rule in &of.rules {
                let failed = |status, why| Failed {
                    policy: (*policy).clone(),
                    rule: rule.name.clone(),
                    why,
                    status,
                };
                if rule.reads("request") {
                    let read = known.read();
                    read.map_err(|fault| failed(400, fault.to_string()))?;
                }
                let late = rule.is_late();
                let applies = match &rule.when {
                    Some(when) if !late => {
                        when.holds(&known).map_err(|fault| failed(500, fault.0))?
                    }
                    _ => true,
                };
                if applies {
                    rules.push((Arc::clone(rule), late));
                }
            }
            if !rules.is_empty() {
                let told = Rc::new(Told::new(&known, &rules));
                all.extend(rules.into_iter().map(|(rule, late)| Due {
                    policy: (*policy).clone(),
                    rule,
                    late,
                    told: Rc::clone(&told),
                }));
            }
        }
        Ok((!all.is_empty()).then(|| Judging {
            rules: all.into(),
            services: Rc::clone(services),
        }))
    }
}

impl Rule {
    fn new(policy: &ObjectKey, item: &ResponseRuleItem) -> Result<Self, String> {
        let when = match &item.when {
            Some(when) => {
                let condition = Condition::compile(when, Variables::Reply);
                Some(condition.map_err(|fault| format!("when: {fault}"))?)
            }
            None => None,
        };
        let action = match &item.action {
            ResponseActionItem::Deny { regex, message } => Action::Deny {
                finder: regex.as_deref().map(Finder::new).transpose()?,
                message: message.clone(),
            },
            ResponseActionItem::Replace { regex, replacement } => Action::Replace {
                finder: Finder::new(regex)?,
                replacement: replacement.clone(),
            },
            ResponseActionItem::SetContent(value) => {
                let value = Expression::compile(value, Variables::Reply);
                Action::Set(value.map_err(|fault| format!("set content: {fault}"))?)
            }
            ResponseActionItem::Call(call) => {
                let service = Service::new(call);
                Action::Call(service.map_err(|fault| format!("call: {fault}"))?)
            }
        };
        Ok(Self {
            policy: policy.clone(),
            name: item.name.clone(),
            when,
            action,
        })
    }

    /// Whether an expression names the variable.
    fn reads(&self, variable: &str) -> bool {
        let when = self.when.as_ref().is_some_and(|it| it.names(variable));
        match &self.action {
            Action::Set(value) => when || value.names(variable),
            Action::Call(_) => when || variable != "headers",
            _ => when,
        }
    }

    /// Whether its condition can only be judged with the reply.
    fn is_late(&self) -> bool {
        let when = self.when.as_ref();
        when.is_some_and(|when| when.names("response"))
    }

    fn holds(&self, late: bool) -> bool {
        late || matches!(self.action, Action::Set(_) | Action::Call(_))
    }
}

impl Judging {
    /// These rules, then those of `more`.
    #[must_use]
    pub fn and(one: Option<Self>, more: Option<Self>) -> Option<Self> {
        let (one, more) = match (one, more) {
            (Some(one), Some(more)) => (one, more),
            (one, more) => return one.or(more),
        };
        let rules: Vec<Due> = one.rules.iter().chain(more.rules.iter()).cloned().collect();
        Some(Self {
            rules: rules.into(),
            services: one.services,
        })
    }

    /// Whether the reply is held back until its end.
    #[must_use]
    pub fn holds_whole(&self) -> bool {
        self.rules.iter().any(|due| due.rule.holds(due.late))
    }
}
