//! An LLMProxy's status, which alone holds counts.

use dragoman_config::Outcome;
use dragoman_crds::{LLMProxyStatus, ProxyCounts};
use jiff::Timestamp;

use super::{Draft, Rows, Standing};

/// What is known of an LLMProxy's proxies.
#[derive(Debug)]
pub struct Proxies<'a> {
    /// How many there are.
    pub counts: ProxyCounts,
    /// How many routes are attached.
    pub routes: usize,
    /// The labels of their Pods.
    pub selector: &'a str,
    /// The digest of what they run.
    pub digest: &'a str,
    /// How many addresses they have banned, once one of them said so.
    pub banned: Option<i32>,
    /// What they say of their rows of the request log.
    pub rows: Rows,
    /// How far they are with the LLMProxy's own item.
    pub standing: Standing,
}

/// What is said of an LLMProxy.
#[must_use]
pub fn proxy(
    outcome: &Outcome,
    proxies: &Proxies<'_>,
    previous: &LLMProxyStatus,
    now: Timestamp,
) -> LLMProxyStatus {
    let mut draft = Draft::new(outcome, &previous.conditions, now);
    proxies.standing.set(&mut draft);
    proxies.rows.set(&mut draft);
    let ProxyCounts {
        desired,
        programmed,
        ..
    } = proxies.counts;
    LLMProxyStatus {
        banned_addresses: proxies.banned,
        observed_generation: Some(outcome.generation),
        conditions: draft.finish(&format!(
            "{programmed} of {desired} proxies run the current config"
        )),
        proxies: Some(proxies.counts.clone()),
        routes: Some(i32::try_from(proxies.routes).unwrap_or(i32::MAX)),
        selector: Some(proxies.selector.to_owned()),
        config_digest: Some(proxies.digest.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::draft::tests::{at, find, outcome};
    use super::*;

    #[test]
    fn the_message_counts() {
        let proxies = Proxies {
            counts: ProxyCounts {
                desired: 40,
                connected: 40,
                programmed: 39,
            },
            routes: 3,
            selector: "a=b",
            digest: "d",
            banned: Some(2),
            rows: Rows::default(),
            standing: Standing::Everywhere,
        };
        let outcome = outcome(&[("Accepted", true, "Accepted")]);
        let status = proxy(&outcome, &proxies, &LLMProxyStatus::default(), at(1));
        let ready = find(&status.conditions, "Ready");
        assert_eq!(
            (ready.status.as_str(), &ready.message[..19]),
            ("True", "39 of 40 proxies ru")
        );
        assert_eq!(
            (status.routes, status.config_digest.as_deref()),
            (Some(3), Some("d"))
        );
        assert_eq!(status.selector.as_deref(), Some("a=b"));
        assert_eq!(status.banned_addresses, Some(2));
    }
}
