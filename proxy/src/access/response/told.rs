//! What is kept of a request for the rules on its reply.

use std::borrow::Cow;
use std::sync::Arc;

use dragoman_config::ObjectKey;
use dragoman_config::cel::Facts;
use serde_json::Value;

use super::Rule;
use crate::access::facts::Known;

/// The facts of a request, as far as a rule on its reply asks for them.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) request: Value,
    headers: http::HeaderMap,
    pub(super) user: Value,
    pub(super) address: String,
    pub(super) route: ObjectKey,
    pub(super) model: Option<String>,
    now: jiff::Timestamp,
}

impl Told {
    pub(super) fn new(known: &Known<'_>, rules: &[(Arc<Rule>, bool)]) -> Self {
        // What the request alone decided is decided.
        let reads = |variable| {
            let mut asking = rules.iter().filter(|(rule, late)| rule.holds(*late));
            asking.any(|(rule, _)| rule.reads(variable))
        };
        let some = |wanted: bool, value: &dyn Fn() -> Value| match wanted {
            true => value(),
            false => Value::Null,
        };
        let headers = reads("headers");
        Self {
            request: some(reads("request"), &|| known.request().clone()),
            user: some(reads("user"), &|| known.user().clone()),
            headers: match headers {
                true => known.facts.headers.clone(),
                false => http::HeaderMap::new(),
            },
            address: known.address().to_owned(),
            route: known.facts.route.clone(),
            model: known.model().map(str::to_owned),
            now: known.now(),
        }
    }
}

/// The same with the reply.
pub(super) struct Replied<'a> {
    pub(super) told: &'a Told,
    pub(super) response: &'a Value,
}

impl Facts for Replied<'_> {
    fn request(&self) -> &Value {
        &self.told.request
    }

    fn header(&self, name: &http::HeaderName) -> Option<Cow<'_, str>> {
        crate::access::facts::header(&self.told.headers, name)
    }

    fn user(&self) -> &Value {
        &self.told.user
    }

    fn user_name(&self) -> Option<&str> {
        self.told.user.get("name")?.as_str()
    }

    fn in_group(&self, group: &str) -> Option<bool> {
        let groups = self.told.user.get("groups")?.as_array()?;
        Some(groups.iter().any(|one| one == group))
    }

    fn address(&self) -> &str {
        &self.told.address
    }

    fn route(&self) -> (&str, &str) {
        (&self.told.route.namespace, &self.told.route.name)
    }

    fn model(&self) -> Option<&str> {
        self.told.model.as_deref()
    }

    fn now(&self) -> jiff::Timestamp {
        self.told.now
    }

    fn response(&self) -> &Value {
        self.response
    }
}
