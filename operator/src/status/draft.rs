//! Conditions in the making: times kept while nothing changes, Ready and Stalled drawn from the rest.

use dragoman_config::{Outcome, reason};
use dragoman_crds::{Condition, condition};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::Value;

/// The conditions that `kubectl wait` and GitOps tools look at: a change of one is written at once.
const URGENT: [&str; 6] = [
    condition::ACCEPTED,
    condition::RESOLVED_REFS,
    condition::TESTS_PASSED,
    condition::PROGRAMMED,
    condition::READY,
    condition::STALLED,
];
/// The longest message that a condition may carry.
const LONGEST_MESSAGE: usize = 32768;

/// A status in the making.
#[derive(Debug)]
pub struct Draft<'a> {
    generation: i64,
    now: Timestamp,
    previous: &'a [Condition],
    conditions: Vec<Condition>,
    /// The first condition that keeps the resource from being ready, and whether only an edit helps.
    obstacle: Option<(String, String, bool)>,
}

impl<'a> Draft<'a> {
    /// Begins with what the compiler found; its false verdicts are obstacles.
    #[must_use]
    pub fn new(outcome: &Outcome, previous: &'a [Condition], now: Timestamp) -> Self {
        let generation = outcome.generation;
        let mut draft = Self {
            generation,
            now,
            previous,
            conditions: Vec::new(),
            obstacle: None,
        };
        for verdict in &outcome.verdicts {
            let status = if verdict.status { "True" } else { "False" };
            draft.set(verdict.type_, status, verdict.reason, &verdict.message);
            if !verdict.status {
                draft.obstacle(
                    verdict.reason,
                    &verdict.message,
                    verdict.reason != reason::PENDING,
                );
            }
        }
        draft
    }

    /// The generation that the status speaks of.
    #[must_use]
    pub fn generation(&self) -> i64 {
        self.generation
    }

    /// The condition as it stood before.
    #[must_use]
    pub fn before(&self, type_: &str) -> Option<&'a Condition> {
        self.previous
            .iter()
            .find(|condition| condition.type_ == type_)
    }

    /// Adds a condition. Its time is kept while its status is.
    pub fn set(&mut self, type_: &str, status: &str, reason: &str, message: &str) {
        let since = self
            .before(type_)
            .filter(|before| before.status == status)
            .map_or(Time(self.now), |before| before.last_transition_time.clone());
        let mut message = message.to_owned();
        if message.len() > LONGEST_MESSAGE {
            let end = (0..=LONGEST_MESSAGE)
                .rev()
                .find(|at| message.is_char_boundary(*at));
            message.truncate(end.unwrap_or_default());
        }
        self.conditions.push(Condition {
            type_: type_.to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            message,
            last_transition_time: since,
            observed_generation: Some(self.generation),
        });
    }

    /// Something keeps the resource from being ready. The first one counts; `stalled`: nothing but an edit helps.
    pub fn obstacle(&mut self, reason: &str, message: &str, stalled: bool) {
        if self.obstacle.is_none() {
            self.obstacle = Some((reason.to_owned(), message.to_owned(), stalled));
        }
    }

    /// Ends with Ready, and Stalled where it applies. `message` is what a ready resource says.
    #[must_use]
    pub fn finish(mut self, message: &str) -> Vec<Condition> {
        match self.obstacle.take() {
            None => self.set(condition::READY, "True", "Ready", message),
            Some((reason, obstacle, stalled)) => {
                self.set(condition::READY, "False", &reason, &obstacle);
                if stalled {
                    self.set(condition::STALLED, "True", &reason, &obstacle);
                }
            }
        }
        self.conditions
    }
}

/// A status with its conditions in the order of their types, so that two can be compared.
#[must_use]
pub fn normal(mut status: Value) -> Value {
    if let Some(conditions) = status.get_mut("conditions").and_then(Value::as_array_mut) {
        conditions.sort_by(|a, b| a["type"].as_str().cmp(&b["type"].as_str()));
    }
    status
}

fn condition_of<'a>(status: &'a Value, type_: &str) -> Option<&'a Value> {
    status["conditions"]
        .as_array()?
        .iter()
        .find(|condition| condition["type"] == type_)
}

/// A status's Ready condition: status, reason and message.
#[must_use]
pub fn ready_of(status: &Value) -> Option<(&str, &str, &str)> {
    let ready = condition_of(status, condition::READY)?;
    Some((
        ready["status"].as_str()?,
        ready["reason"].as_str()?,
        ready["message"].as_str()?,
    ))
}

/// Whether a new status must not wait: it answers an edit, or one of the conditions that people wait for turned.
#[must_use]
pub fn is_urgent(before: &Value, after: &Value) -> bool {
    let verdict = |status: &Value, type_: &str| {
        condition_of(status, type_)
            .and_then(|condition| condition["status"].as_str())
            .map(str::to_owned)
    };
    // The first word on health is what somebody who just applied the object waits for; later ones may gather.
    let first_word = |type_: &str| {
        let reason =
            |status: &Value| condition_of(status, type_).map(|found| found["reason"].clone());
        verdict(before, type_).is_none_or(|status| status == "Unknown")
            && reason(before) != reason(after)
    };
    before["observedGeneration"] != after["observedGeneration"]
        || before["url"] != after["url"]
        || before["access"] != after["access"]
        || [condition::HEALTHY, condition::BACKENDS_HEALTHY]
            .into_iter()
            .any(first_word)
        || URGENT
            .iter()
            .any(|type_| verdict(before, type_) != verdict(after, type_))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use dragoman_config::Verdict;
    use serde_json::json;

    pub(crate) fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    pub(crate) fn outcome(verdicts: &[(&'static str, bool, &'static str)]) -> Outcome {
        let verdict = |(type_, status, reason): &(&'static str, bool, &'static str)| Verdict {
            type_,
            status: *status,
            reason,
            message: format!("{reason} message"),
            faults: Vec::new(),
        };
        Outcome {
            item: Err("none".into()),
            verdicts: verdicts.iter().map(verdict).collect(),
            generation: 4,
            attached: Vec::new(),
            uses: Vec::new(),
            canonical: Vec::new().into(),
            pending: false,
        }
    }

    pub(crate) fn find<'a>(conditions: &'a [Condition], type_: &str) -> &'a Condition {
        conditions
            .iter()
            .find(|condition| condition.type_ == type_)
            .unwrap()
    }

    #[test]
    fn a_condition_keeps_its_time_while_its_status_stays() {
        let first =
            Draft::new(&outcome(&[("Accepted", true, "Accepted")]), &[], at(100)).finish("fine");
        let second =
            Draft::new(&outcome(&[("Accepted", true, "Other")]), &first, at(200)).finish("fine");
        assert_eq!(find(&second, "Accepted").last_transition_time.0, at(100));
        let third = Draft::new(
            &outcome(&[("Accepted", false, "Invalid")]),
            &second,
            at(300),
        )
        .finish("");
        assert_eq!(find(&third, "Accepted").last_transition_time.0, at(300));
    }

    #[test]
    fn a_refusal_is_not_ready_and_stalled_with_the_same_words() {
        let refused = outcome(&[
            ("Accepted", false, "Invalid"),
            ("ResolvedRefs", false, "RefNotFound"),
        ]);
        let conditions = Draft::new(&refused, &[], at(1)).finish("");
        let ready = find(&conditions, "Ready");
        assert_eq!(
            (ready.status.as_str(), ready.reason.as_str()),
            ("False", "Invalid")
        );
        assert_eq!(find(&conditions, "Stalled").message, ready.message);
    }

    #[test]
    fn a_ready_resource_and_one_that_waits_are_not_stalled() {
        let fine =
            Draft::new(&outcome(&[("Accepted", true, "Accepted")]), &[], at(1)).finish("fine");
        let waits =
            Draft::new(&outcome(&[("ResolvedRefs", false, "Pending")]), &[], at(1)).finish("");
        for conditions in [fine, waits] {
            assert!(
                conditions
                    .iter()
                    .all(|condition| condition.type_ != "Stalled")
            );
        }
    }

    #[test]
    fn an_edit_and_a_turn_of_ready_are_urgent_and_health_is_not() {
        let status = |generation: i64, ready: &str, healthy: &str| {
            json!({"observedGeneration": generation, "conditions": [
                {"type": "Ready", "status": ready}, {"type": "Healthy", "status": healthy},
            ]})
        };
        let before = status(1, "True", "True");
        assert!(is_urgent(&before, &status(2, "True", "True")));
        assert!(is_urgent(&before, &status(1, "False", "True")));
        assert!(!is_urgent(&before, &status(1, "True", "False")));
    }
}
