//! An AccessPolicy's status: whether it can be run, and with whom proxies count its limits and bans.

use dragoman_config::Outcome;
use dragoman_crds::{AccessPolicyStatus, condition};
use jiff::Timestamp;

use super::Draft;

/// With whom the proxies that run a policy count its limits and bans.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// No proxy runs it.
    NotUsed,
    /// There is one proxy alone.
    OneProxy,
    /// All of them count in one Redis.
    Together,
    /// There are several, of which these LLMProxies name no Redis that can be used.
    Apart {
        /// How many proxies there are.
        pods: i32,
        /// The LLMProxies whose proxies count each for itself.
        proxies: Vec<String>,
    },
    /// These LLMProxies do not name the same Redis.
    TwoStores(Vec<String>),
    /// The Redis does not answer; a proxy's words.
    Away(String),
}

/// What is said of an AccessPolicy. Where nothing is counted, nothing is said of it.
#[must_use]
pub fn policy(
    outcome: &Outcome,
    sharing: Option<&Sharing>,
    previous: &AccessPolicyStatus,
    now: Timestamp,
) -> AccessPolicyStatus {
    let mut draft = Draft::new(outcome, &previous.conditions, now);
    if let Some(sharing) = sharing {
        let (status, reason, message) = said(sharing);
        draft.set(condition::LIMITS_SHARED, status, reason, &message);
    }
    AccessPolicyStatus {
        observed_generation: Some(outcome.generation),
        conditions: draft.finish("every rule is sound, and every Secret is there"),
    }
}

fn said(sharing: &Sharing) -> (&'static str, &'static str, String) {
    match sharing {
        Sharing::NotUsed => (
            "Unknown",
            "NotUsed",
            "nothing that an LLMProxy serves refers to it, so nobody counts".into(),
        ),
        Sharing::OneProxy => ("True", "OneProxy", "one proxy alone counts".into()),
        Sharing::Together => (
            "True",
            "SharedState",
            "all proxies count together in one Redis".into(),
        ),
        Sharing::Apart { pods, proxies } => (
            "False",
            "LocalToEachProxy",
            format!(
                "{pods} proxies count each for itself, so together they may admit {pods} times as much, and a ban holds where it began; set spec.sharedState.redis of LLMProxy {}, or run one replica",
                proxies.join(", ")
            ),
        ),
        Sharing::TwoStores(proxies) => (
            "False",
            "LocalToEachProxy",
            format!(
                "LLMProxies {} count in different places; name the same URL in the Secret of spec.sharedState.redis of each",
                proxies.join(", ")
            ),
        ),
        Sharing::Away(why) => (
            "False",
            "RedisUnreachable",
            format!("while Redis does not answer, proxies count each for itself ({why})"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::draft::tests::{at, find, outcome};
    use super::*;

    fn drawn(sharing: Option<&Sharing>) -> AccessPolicyStatus {
        let sound = outcome(&[("Accepted", true, "Accepted")]);
        policy(&sound, sharing, &AccessPolicyStatus::default(), at(1))
    }

    #[test]
    fn where_nothing_is_counted_nothing_is_said_of_it() {
        let conditions = drawn(None).conditions;
        assert!(conditions.iter().all(|it| it.type_ != "LimitsShared"));
    }

    #[test]
    fn proxies_that_count_apart_are_told_with_the_cure_and_leave_the_policy_ready() {
        let apart = Sharing::Apart {
            pods: 3,
            proxies: vec!["a/edge".into()],
        };
        let conditions = drawn(Some(&apart)).conditions;
        let shared = find(&conditions, "LimitsShared");
        assert_eq!(
            (shared.status.as_str(), shared.reason.as_str()),
            ("False", "LocalToEachProxy")
        );
        for part in ["3 proxies", "spec.sharedState.redis", "a/edge"] {
            assert!(shared.message.contains(part), "{}", shared.message);
        }
        assert_eq!(find(&conditions, "Ready").status, "True");
    }

    #[test]
    fn a_redis_that_is_away_is_told_in_a_proxys_words() {
        let conditions = drawn(Some(&Sharing::Away("proxy a/b: timed out".into()))).conditions;
        let shared = find(&conditions, "LimitsShared");
        assert_eq!(
            (shared.status.as_str(), shared.reason.as_str()),
            ("False", "RedisUnreachable")
        );
        assert!(shared.message.contains("timed out"));
    }
}
