//! An LLMBackend's status. Its health is the proxies' word and does not make it unready.

use dragoman_config::Outcome;
use dragoman_crds::{BackendHealth, LLMBackendStatus, condition};
use jiff::Timestamp;

use super::{Draft, Merged};

/// What is said of an LLMBackend. `merged` is the proxies' word; without it, what was said before still stands.
#[must_use]
pub fn backend(
    outcome: &Outcome,
    used: bool,
    merged: Option<&Merged>,
    previous: &LLMBackendStatus,
    now: Timestamp,
) -> LLMBackendStatus {
    let mut draft = Draft::new(outcome, &previous.conditions, now);
    let mut models = previous.models;
    match (used, merged) {
        (false, _) => {
            models = None;
            draft.set(
                condition::HEALTHY,
                "Unknown",
                "NotUsed",
                "no route that is served uses this backend",
            );
        }
        (true, Some(merged)) => {
            models = merged.models.or(models);
            let (status, reason, message) = match merged.health {
                BackendHealth::Healthy => ("True", "Healthy", "it answers"),
                BackendHealth::Unhealthy => (
                    "False",
                    "Unhealthy",
                    merged.message.as_deref().unwrap_or("it does not answer"),
                ),
                BackendHealth::Unknown => ("Unknown", "Unknown", "nothing was asked of it yet"),
            };
            draft.set(condition::HEALTHY, status, reason, message);
        }
        (true, None) => match draft
            .before(condition::HEALTHY)
            .filter(|before| before.reason != "NotUsed")
        {
            Some(before) => draft.set(
                condition::HEALTHY,
                &before.status,
                &before.reason,
                &before.message,
            ),
            None => draft.set(
                condition::HEALTHY,
                "Unknown",
                "Unknown",
                "no proxy has reported on it yet",
            ),
        },
    }
    LLMBackendStatus {
        observed_generation: Some(outcome.generation),
        conditions: draft.finish("it may be used"),
        models,
    }
}

#[cfg(test)]
mod tests {
    use super::super::draft::tests::{at, find, outcome};
    use super::*;

    fn fine() -> Outcome {
        outcome(&[
            ("Accepted", true, "Accepted"),
            ("ResolvedRefs", true, "ResolvedRefs"),
        ])
    }

    fn merged(health: BackendHealth) -> Merged {
        Merged {
            health,
            models: Some(2),
            message: Some("refused".into()),
        }
    }

    #[test]
    fn a_backend_that_nobody_uses_is_ready_and_says_so() {
        let status = backend(&fine(), false, None, &LLMBackendStatus::default(), at(1));
        assert_eq!(find(&status.conditions, "Healthy").reason, "NotUsed");
        assert_eq!(find(&status.conditions, "Ready").status, "True");
    }

    #[test]
    fn an_upstream_that_is_down_is_told_and_does_not_make_ready_flap() {
        let down = merged(BackendHealth::Unhealthy);
        let status = backend(
            &fine(),
            true,
            Some(&down),
            &LLMBackendStatus::default(),
            at(1),
        );
        let healthy = find(&status.conditions, "Healthy");
        assert_eq!(
            (healthy.status.as_str(), healthy.message.as_str()),
            ("False", "refused")
        );
        assert_eq!(find(&status.conditions, "Ready").status, "True");
    }

    #[test]
    fn a_new_leader_that_has_heard_nothing_yet_keeps_the_last_word() {
        let up = merged(BackendHealth::Healthy);
        let before = backend(
            &fine(),
            true,
            Some(&up),
            &LLMBackendStatus::default(),
            at(1),
        );
        let after = backend(&fine(), true, None, &before, at(9));
        assert_eq!(
            (after.models, &after.conditions),
            (Some(2), &before.conditions)
        );
    }
}
