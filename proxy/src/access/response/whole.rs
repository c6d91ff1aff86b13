//! A whole reply, judged.

use std::sync::Arc;

use dragoman_config::cel::EvaluationError;
use dragoman_dialects::form::{Choice, Failure, Finish, Part, Reply};
use serde_json::{Value, json};

use super::chain::{Chain, ContentDenied};
use super::told::Replied;
use super::{Action, Due, Judging};
use crate::access::call::{self, Asking};
use crate::access::rules::Failed;
use crate::access::service::{Action as Word, Answer, Service};

/// The longest text that is judged as a whole, in bytes.
pub const LONGEST: usize = 1 << 20;

/// What a reply is refused for that holds more than texts and pictures.
pub(super) const OTHER: &str = "holds what rules on text cannot judge";

/// Why a reply does not reach the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// A rule refuses it.
    Denied(ContentDenied),
    /// A rule could not be judged.
    Failed(Failed),
    /// It says more than is held back, or something else than text, which nobody can judge.
    Unjudged(&'static str),
}

impl Stopped {
    /// The error that ends a stream.
    #[must_use]
    pub fn failure(&self) -> Failure {
        match self {
            Self::Denied(denied) => denied.failure(),
            Self::Failed(failed) => Failure {
                code: Some("rule_failed".into()),
                ..Failure::new(failed.status, "A rule on this reply could not be judged.")
            },
            Self::Unjudged(what) => Failure {
                code: Some("content_unjudged".into()),
                ..Failure::new(502, unjudged(&format!("The reply {what}.")))
            },
        }
    }
}

/// What is said of a reply that rules apply to and nobody can judge.
#[must_use]
pub fn unjudged(what: &str) -> String {
    format!("{what} Rules apply to it, and what they have not judged is refused.")
}

impl From<ContentDenied> for Stopped {
    fn from(denied: ContentDenied) -> Self {
        Self::Denied(denied)
    }
}

impl Judging {
    /// The refusal of whatever the model says, where a rule does not even look at it.
    #[must_use]
    pub fn refuses(&self) -> Option<ContentDenied> {
        let blunt =
            |due: &&Due| !due.late && matches!(due.rule.action, Action::Deny { finder: None, .. });
        self.rules.iter().find(blunt).map(|due| due.rule.denied())
    }

    /// Judges a whole reply by all rules, in order, each choice by itself.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn whole(&self, reply: &mut Reply) -> Result<(), Stopped> {
        let length: usize = reply
            .choices
            .iter()
            .flat_map(|choice| &choice.parts)
            .map(length)
            .sum();
        if self.holds_whole() && length > LONGEST {
            return Err(Stopped::Unjudged(
                "is longer than the 1 MiB that a rule on whole replies can judge",
            ));
        }
        for choice in &mut reply.choices {
            if choice.parts.iter().any(|part| !is_judged(part)) {
                return Err(Stopped::Unjudged(OTHER));
            }
            // They spell the text out as it was.
            choice.logprobs = None;
            for due in self.rules.iter() {
                self.apply(due, choice).await?;
            }
        }
        Ok(())
    }

    async fn apply(&self, due: &Due, choice: &mut Choice) -> Result<(), Stopped> {
        let holds = due.rule.holds(due.late);
        let response = if holds { shown(choice) } else { Value::Null };
        let replied = Replied {
            told: &due.told,
            response: &response,
        };
        let failed = |status, why| {
            Stopped::Failed(Failed {
                policy: due.policy.clone(),
                rule: due.rule.name.clone(),
                why,
                status,
            })
        };
        let unevaluated = |EvaluationError(why)| failed(500, why);
        if let Some(when) = due.rule.when.as_ref().filter(|_| due.late)
            && !when.holds(&replied).map_err(unevaluated)?
        {
            return Ok(());
        }
        match &due.rule.action {
            Action::Deny { finder: None, .. } => Err(due.rule.denied().into()),
            Action::Deny { .. } | Action::Replace { .. } => Ok(due.texts(choice)?),
            Action::Set(value) => match value.evaluate(&replied).map_err(unevaluated)? {
                Value::String(text) => {
                    set(choice, text);
                    Ok(())
                }
                _ => Err(failed(500, "it gives no text".to_owned())),
            },
            Action::Call(service) => {
                let asked = self.ask(due, service, &response).await;
                let answer = match asked {
                    Ok(answer) => answer,
                    Err(why) if service.fails_open() => {
                        self.services.passed_over(&due.policy, &due.rule.name, &why);
                        return Ok(());
                    }
                    Err(why) => return Err(failed(503, why)),
                };
                if answer.action == Word::Deny {
                    let mut denied = due.rule.denied();
                    if let Some(message) = answer.message {
                        denied.message = message;
                    }
                    return Err(denied.into());
                }
                if let Some(Value::String(text)) = answer.set.get("content") {
                    set(choice, text.clone());
                }
                Ok(())
            }
        }
    }

    async fn ask(
        &self,
        due: &Due,
        service: &Arc<Service>,
        response: &Value,
    ) -> Result<Answer, String> {
        let request = due.told.request.to_string();
        let asking = Asking {
            phase: "response",
            policy: &due.policy,
            rule: &due.rule.name,
            route: &due.told.route,
            user: &due.told.user,
            address: &due.told.address,
            model: due.told.model.as_deref(),
            request: Some(request.as_bytes()),
            response: Some(response),
        };
        let answer = self.services.ask(service, call::written(&asking)).await?;
        let is_text = |(path, value): (&String, &Value)| path == "content" && value.is_string();
        if !answer.set.iter().all(is_text) {
            return Err("its answer sets something else than content to a text".to_owned());
        }
        Ok(answer)
    }
}

impl Due {
    /// Puts every text of a choice through the rule.
    fn texts(&self, choice: &mut Choice) -> Result<(), ContentDenied> {
        let chain = |replaces| Chain::new(std::iter::once(&self.rule), replaces);
        // A match may reach over several parts of the text, up to a call.
        let mut run = chain(true);
        let mut last = None;
        for at in 0..choice.parts.len() {
            match &mut choice.parts[at] {
                Part::Text {
                    text, citations, ..
                } => {
                    *text = run.push(text)?.into_owned();
                    *citations = None;
                    last = Some(at);
                }
                Part::Refusal(text) => *text = chain(true).whole(text)?,
                Part::Reasoning {
                    text, signature, ..
                } => {
                    let judged = chain(true).whole(text)?;
                    if judged != *text {
                        // It no longer signs this.
                        *signature = None;
                    }
                    *text = judged;
                }
                Part::ToolCall(call) => {
                    chain(false).whole(call.arguments.as_text())?;
                    end(&mut run, &mut choice.parts, last)?;
                }
                _ => {}
            }
        }
        end(&mut run, &mut choice.parts, last)
    }
}

/// Adds what is held back to the part that it comes from.
fn end(run: &mut Chain, parts: &mut [Part], last: Option<usize>) -> Result<(), ContentDenied> {
    let rest = run.finish()?;
    if let Some(Part::Text { text, .. }) = last.and_then(|at| parts.get_mut(at)) {
        text.push_str(&rest);
    }
    Ok(())
}

/// Makes a text all that a choice says.
fn set(choice: &mut Choice, said: String) {
    let is_text = |part: &Part| matches!(part, Part::Text { .. });
    let at = choice.parts.iter().position(is_text);
    // Behind what was thought, and before what is called.
    let first = choice
        .parts
        .iter()
        .position(|part| !matches!(part, Part::Reasoning { .. }));
    let at = at.or(first).unwrap_or(choice.parts.len());
    choice.parts.retain(|part| !is_text(part));
    let part = Part::Text {
        text: said,
        citations: None,
        cache: None,
    };
    choice.parts.insert(at.min(choice.parts.len()), part);
}

fn is_judged(part: &Part) -> bool {
    matches!(
        part,
        Part::Text { .. }
            | Part::Reasoning { .. }
            | Part::Refusal(_)
            | Part::ToolCall(_)
            | Part::Image { .. }
    )
}

fn length(part: &Part) -> usize {
    match part {
        Part::Text { text, .. } | Part::Reasoning { text, .. } | Part::Refusal(text) => text.len(),
        Part::ToolCall(call) => call.arguments.as_text().len(),
        _ => 0,
    }
}

/// A choice as rules and services see it.
fn shown(choice: &Choice) -> Value {
    let text = |wanted: fn(&Part) -> Option<&str>| {
        let texts: Vec<&str> = choice.parts.iter().filter_map(wanted).collect();
        texts.concat()
    };
    let content = text(|part| match part {
        Part::Text { text, .. } | Part::Refusal(text) => Some(text),
        _ => None,
    });
    let reasoning = text(|part| match part {
        Part::Reasoning { text, .. } => Some(text),
        _ => None,
    });
    let calls = choice.parts.iter().filter_map(|part| match part {
        Part::ToolCall(call) => {
            let arguments = call.arguments.as_text();
            Some(json!({"id": call.id, "name": call.name, "arguments": arguments}))
        }
        _ => None,
    });
    json!({
        "content": content,
        "reasoning": reasoning,
        "tool_calls": calls.collect::<Vec<_>>(),
        "finish_reason": choice.finish.as_ref().map(word),
    })
}

fn word(finish: &Finish) -> &str {
    match finish {
        Finish::Stop | Finish::StopSequence(_) => "stop",
        Finish::Length => "length",
        Finish::ToolCalls => "tool_calls",
        Finish::ContentFilter | Finish::Refusal => "content_filter",
        Finish::Pause => "pause",
        Finish::Other(other) => other,
    }
}
