//! Services that rules ask: a POST of JSON, answered within a bound.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use dragoman_config::{CallItem, ObjectKey};
use dragoman_crds::CallFailure;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, header};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::upstream::{
    BadUrl, Cluster, Denied, Endpoint, Request, RequestBody, Settings, Timeouts,
};

/// The longest answer that is read, in bytes.
const LONGEST: usize = 64 << 10;
/// The most that one answer may set.
const MOST_SET: usize = 16;

/// A service.
#[derive(Debug)]
pub(super) struct Service {
    /// What threads know their connections by.
    id: u64,
    endpoint: Endpoint,
    path: PathAndQuery,
    timeout: Duration,
    failure: CallFailure,
}

/// What a service answered.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Answer {
    pub(super) action: Action,
    #[serde(default)]
    pub(super) status: Option<u16>,
    #[serde(default)]
    pub(super) message: Option<String>,
    #[serde(default)]
    pub(super) set: Map<String, Value>,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Action {
    Allow,
    Deny,
}

impl Service {
    /// Prepares a service.
    ///
    /// # Errors
    /// [`BadUrl`].
    pub(super) fn new(item: &CallItem) -> Result<Arc<Self>, BadUrl> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let (endpoint, path) = Endpoint::origin_and_path(&item.url.to_string())?;
        Ok(Arc::new(Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            endpoint,
            path,
            timeout: Duration::from_millis(item.timeout_ms),
            failure: item.failure,
        }))
    }

    /// Whether the rule is passed over when the service fails.
    pub(super) fn fails_open(&self) -> bool {
        self.failure == CallFailure::Open
    }

    fn settings(&self, denied: Denied) -> Settings {
        let mut settings = Settings::new(self.endpoint.clone());
        settings.denied = denied;
        settings.timeouts = Timeouts {
            connect: self.timeout,
            first_byte: self.timeout,
            idle: self.timeout,
            request: self.timeout,
        };
        settings
    }
}

/// What is told of a policy whose rule was passed over.
type Notes = Box<dyn Fn(&ObjectKey) -> bool>;

/// One thread's connections to services. They are reached as backends are: never at an address that the LLMProxy denies.
#[derive(Default)]
pub struct Services {
    /// Counts a rule that was passed over, and says whether the log is to tell.
    notes: Option<Notes>,
    denied: RefCell<Denied>,
    clusters: RefCell<HashMap<u64, (Weak<Service>, Cluster)>>,
}

impl std::fmt::Debug for Services {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Services").finish_non_exhaustive()
    }
}

impl Services {
    /// None yet. `denied`: what must not be called.
    #[must_use]
    pub fn new(denied: Denied) -> Self {
        Self {
            notes: None,
            denied: RefCell::new(denied),
            clusters: RefCell::default(),
        }
    }

    /// The same, which has `notes` count rules that were passed over and say whether the log is to tell.
    #[must_use]
    pub fn noting(self, notes: impl Fn(&ObjectKey) -> bool + 'static) -> Self {
        Self {
            notes: Some(Box::new(notes)),
            ..self
        }
    }

    /// Notes that a rule is passed over, since the service that it asks failed.
    pub(super) fn passed_over(&self, policy: &ObjectKey, rule: &str, why: &str) {
        if self.notes.as_ref().is_none_or(|notes| notes(policy)) {
            tracing::warn!(%policy, rule, "the service that a rule asks failed, and the rule is passed over: {why}");
        }
    }

    /// Takes what the configuration denies now, and lets go of services that no rule asks any more.
    pub fn update(&self, denied: &Denied) {
        let mut known = self.denied.borrow_mut();
        let mut clusters = self.clusters.borrow_mut();
        if *known == *denied {
            clusters.retain(|_, (service, _)| service.strong_count() > 0);
        } else {
            *known = denied.clone();
            clusters.clear();
        }
    }

    fn cluster(&self, service: &Arc<Service>) -> Result<Cluster, String> {
        if let Some((_, cluster)) = self.clusters.borrow().get(&service.id) {
            return Ok(cluster.clone());
        }
        let settings = service.settings(self.denied.borrow().clone());
        let cluster = Cluster::new(settings).map_err(|fault| fault.to_string())?;
        let kept = (Arc::downgrade(service), cluster.clone());
        self.clusters.borrow_mut().insert(service.id, kept);
        Ok(cluster)
    }

    /// Asks a service.
    ///
    /// # Errors
    /// Why there is no answer: it cannot be reached, is too slow, or says what nobody understands.
    pub(super) async fn ask(&self, service: &Arc<Service>, body: Bytes) -> Result<Answer, String> {
        let cluster = self.cluster(service)?;
        let json = HeaderValue::from_static("application/json");
        let headers = HeaderMap::from_iter([
            (header::CONTENT_TYPE, json.clone()),
            (header::ACCEPT, json),
            (
                header::USER_AGENT,
                HeaderValue::from_static(concat!("dragoman/", env!("CARGO_PKG_VERSION"))),
            ),
        ]);
        let request = Request {
            method: Method::POST,
            path: service.path.clone(),
            headers,
            body: RequestBody::Bytes(body),
        };
        let end = tokio::time::Instant::now() + service.timeout;
        let asked = async {
            let reply = cluster
                .send(request, Some(end))
                .await
                .map_err(|fault| fault.to_string())?;
            if reply.status != http::StatusCode::OK {
                return Err(format!("it answered {}, not 200", reply.status.as_u16()));
            }
            let body = reply.body.collect(LONGEST).await;
            body.map_err(|fault| fault.to_string())?
                .ok_or_else(|| format!("its answer is longer than {} KiB", LONGEST >> 10))
        };
        let body = tokio::time::timeout_at(end, asked).await;
        let body = body.map_err(|_| format!("no answer within {:?}", service.timeout))??;
        understand(&body)
    }
}

fn understand(body: &[u8]) -> Result<Answer, String> {
    let answer: Answer = serde_json::from_slice(body)
        .map_err(|fault| format!("its answer is not what was asked for: {fault}"))?;
    if answer
        .status
        .is_some_and(|status| !(400..=599).contains(&status))
    {
        return Err("its answer has a status that refuses nothing; write 400 to 599".to_owned());
    }
    if answer.set.len() > MOST_SET {
        return Err(format!("its answer sets more than {MOST_SET} fields"));
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_allow_or_deny_and_nothing_unknown() {
        let allow = understand(br#"{"action":"allow","set":{"a.b":1}}"#).unwrap();
        assert_eq!((allow.action, allow.set.len()), (Action::Allow, 1));
        let deny = understand(br#"{"action":"deny","status":451,"message":"No."}"#).unwrap();
        assert_eq!((deny.action, deny.status), (Action::Deny, Some(451)));
        for other in [
            "",
            "{}",
            "[]",
            r#"{"action":"ALLOW"}"#,
            r#"{"action":"allow","allowed":true}"#,
            r#"{"action":"deny","status":200}"#,
        ] {
            assert!(understand(other.as_bytes()).is_err(), "{other}");
        }
    }
}
