//! A request, judged.

use std::sync::Arc;

use dragoman_config::ObjectKey;
use dragoman_config::cel::{Condition, EvaluationError, Facts as _};
use serde_json::Value;

use super::{Action, Admitted, Decision, Denied, Failed, Path, Rule, Rules, set};
use crate::access::call::{self, Asking};
use crate::access::caller::Caller;
use crate::access::facts::{Facts, Known};
use crate::access::service::{Action as Word, Service, Services};

/// Judges a request by the rules of all `policies`, in order, each by the caller that it knows. Each policy's rules run until one allows; what one policy changed the next sees.
///
/// # Errors
/// [`Failed`], where a rule cannot be evaluated, or the service that it asks fails: the request is refused.
pub async fn judge(
    policies: &[(&ObjectKey, &Rules, &Caller)],
    facts: Facts<'_>,
    services: &Services,
) -> Result<Decision, Failed> {
    let mut known = Known::new(facts);
    let mut backend_header = false;
    for (policy, rules, caller) in policies {
        known.facts.caller = caller;
        for rule in &rules.rules {
            let at = At { policy, rule };
            if let Some(denied) = at.unreadable(&known) {
                return Ok(Decision::Deny(denied));
            }
            if !at.holds(&known)? {
                continue;
            }
            match &rule.action {
                Action::Allow => break,
                Action::Deny { status, message } => {
                    return Ok(Decision::Deny(at.denied(*status, message.clone())));
                }
                Action::Respond(text) => {
                    return Ok(Decision::Respond {
                        policy: (*policy).clone(),
                        rule: rule.name.clone(),
                        text: text.clone(),
                    });
                }
                Action::SetModel(model) => known.model = Some(model.clone()),
                Action::AllowBackendHeader => backend_header = true,
                // Lists and forms have no fields to set, and pass.
                Action::Set(_) if known.body().is_none() => {}
                Action::Set(fields) => {
                    let mut values = Vec::with_capacity(fields.len());
                    for (path, value) in fields {
                        values.push((path, at.evaluated(value.evaluate(&known))?));
                    }
                    if let Some(denied) = at.set(values.iter().map(|(at, v)| (*at, v)), &mut known)
                    {
                        return Ok(Decision::Deny(denied));
                    }
                }
                Action::Call(service) => {
                    let refused = Box::pin(at.call(service, &mut known, services)).await?;
                    if let Some(denied) = refused {
                        return Ok(Decision::Deny(denied));
                    }
                }
            }
        }
    }
    Ok(Decision::Admit(Admitted {
        model: known.model,
        body: known.body,
        backend_header,
    }))
}

/// The rule that is at work.
struct At<'r> {
    policy: &'r ObjectKey,
    rule: &'r Rule,
}

impl At<'_> {
    /// The refusal of a body that the rule would look at, and that cannot be read.
    fn unreadable(&self, known: &Known<'_>) -> Option<Denied> {
        let fault = self.rule.reads.then(|| known.read())?.err()?;
        Some(self.denied(400, Some(fault.to_string())))
    }

    fn holds(&self, known: &Known<'_>) -> Result<bool, Failed> {
        let holds = |when: &Condition| when.holds(known);
        self.evaluated(self.rule.when.as_ref().map_or(Ok(true), holds))
    }

    fn set<'v>(
        &self,
        values: impl Iterator<Item = (&'v Path, &'v Value)>,
        known: &mut Known<'_>,
    ) -> Option<Denied> {
        for (path, value) in values {
            // What is no JSON has no fields to set.
            let body = known.body()?;
            match set(body, path, value) {
                Ok(changed) => known.change(changed),
                Err(fault) => return Some(self.denied(400, Some(fault.to_string()))),
            }
        }
        None
    }

    async fn call(
        &self,
        service: &Arc<Service>,
        known: &mut Known<'_>,
        services: &Services,
    ) -> Result<Option<Denied>, Failed> {
        let asking = Asking {
            phase: "request",
            policy: self.policy,
            rule: &self.rule.name,
            route: known.facts.route,
            user: known.user(),
            address: known.address(),
            model: known.model(),
            request: known.body().map(|body| &**body),
            response: None,
        };
        let asked = services.ask(service, call::written(&asking)).await;
        let answer = asked.and_then(|answer| {
            let paths = answer.set.iter().map(|(path, value)| {
                let path = Path::parse(path);
                path.map(|path| (path, value.clone()))
            });
            let paths: Vec<_> = paths.collect::<Result<_, _>>()?;
            Ok((answer, paths))
        });
        let (answer, paths) = match answer {
            Ok(answer) => answer,
            Err(why) if service.fails_open() => {
                services.passed_over(self.policy, &self.rule.name, &why);
                return Ok(None);
            }
            Err(why) => return Err(self.failed(503, why)),
        };
        if answer.action == Word::Deny {
            let status = answer.status.unwrap_or(403);
            return Ok(Some(self.denied(status, answer.message)));
        }
        Ok(self.set(paths.iter().map(|(path, value)| (path, value)), known))
    }

    fn denied(&self, status: u16, message: Option<String>) -> Denied {
        let rule = self.rule.name.clone();
        Denied {
            policy: self.policy.clone(),
            status,
            message: message.unwrap_or_else(|| format!("The rule {rule:?} refuses this request.")),
            rule,
        }
    }

    fn failed(&self, status: u16, why: String) -> Failed {
        Failed {
            policy: self.policy.clone(),
            rule: self.rule.name.clone(),
            why,
            status,
        }
    }

    fn evaluated<T>(&self, outcome: Result<T, EvaluationError>) -> Result<T, Failed> {
        outcome.map_err(|EvaluationError(why)| self.failed(500, why))
    }
}
