//! A request as a rule's `when` sees it: the model is the name that the rule is asked for, a fallback's too.

use std::borrow::Cow;

use http::HeaderName;
use serde_json::Value;

use crate::cel::Facts;

/// A request that is taken for a call of `name`.
pub(super) struct Called<'f> {
    pub(super) facts: &'f dyn Facts,
    pub(super) name: &'f str,
}

impl Facts for Called<'_> {
    fn request(&self) -> &Value {
        self.facts.request()
    }

    fn header(&self, name: &HeaderName) -> Option<Cow<'_, str>> {
        self.facts.header(name)
    }

    fn user(&self) -> &Value {
        self.facts.user()
    }

    fn user_name(&self) -> Option<&str> {
        self.facts.user_name()
    }

    fn in_group(&self, group: &str) -> Option<bool> {
        self.facts.in_group(group)
    }

    fn address(&self) -> &str {
        self.facts.address()
    }

    fn route(&self) -> (&str, &str) {
        self.facts.route()
    }

    fn model(&self) -> Option<&str> {
        Some(self.name)
    }

    fn now(&self) -> jiff::Timestamp {
        self.facts.now()
    }

    fn response(&self) -> &Value {
        self.facts.response()
    }
}
