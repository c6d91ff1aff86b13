//! What rules may ask of a request, read once for all of them and only where one asks.

mod body;

use std::borrow::Cow;
use std::cell::OnceCell;

use bytes::Bytes;
use dragoman_config::ObjectKey;
use dragoman_config::cel;
use http::{HeaderMap, HeaderName};
use serde_json::Value;

use super::caller::Caller;
pub use body::Unreadable;

/// A request, as rules see it.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The body, where it is JSON.
    pub body: Option<&'a Bytes>,
    /// The client's headers.
    pub headers: &'a HeaderMap,
    /// Who sends it.
    pub caller: &'a Caller,
    /// The route that takes it.
    pub route: &'a ObjectKey,
    /// The model that is called.
    pub model: Option<&'a str>,
}

/// The same with what was read of it, and what rules have changed.
pub(crate) struct Known<'a> {
    pub(super) facts: Facts<'a>,
    /// The body as rules left it, where one changed it.
    pub(super) body: Option<Bytes>,
    /// The model that a rule chose.
    pub(super) model: Option<String>,
    request: OnceCell<Value>,
    address: OnceCell<String>,
    now: OnceCell<jiff::Timestamp>,
}

impl<'a> Known<'a> {
    pub(crate) fn new(facts: Facts<'a>) -> Self {
        Self {
            facts,
            body: None,
            model: None,
            request: OnceCell::new(),
            address: OnceCell::new(),
            now: OnceCell::new(),
        }
    }

    /// The body as it is now.
    pub(super) fn body(&self) -> Option<&Bytes> {
        self.body.as_ref().or(self.facts.body)
    }

    /// Reads the body, which [`cel::Facts::request`] gives from then on.
    ///
    /// # Errors
    /// [`Unreadable`], where nobody can say what it asks for.
    pub(crate) fn read(&self) -> Result<(), Unreadable> {
        if self.request.get().is_some() {
            return Ok(());
        }
        let read = self
            .body()
            .map_or(Ok(Value::Null), |body| body::read(body))?;
        let _ = self.request.set(read);
        Ok(())
    }

    /// Takes another body.
    pub(super) fn change(&mut self, body: Bytes) {
        self.body = Some(body);
        self.request = OnceCell::new();
    }
}

impl cel::Facts for Known<'_> {
    fn request(&self) -> &Value {
        const NULL: &Value = &Value::Null;
        self.request.get().unwrap_or(NULL)
    }

    fn header(&self, name: &HeaderName) -> Option<Cow<'_, str>> {
        header(self.facts.headers, name)
    }

    fn user(&self) -> &Value {
        self.facts.caller.seen()
    }

    fn user_name(&self) -> Option<&str> {
        Some(&self.facts.caller.user.as_ref()?.name)
    }

    fn in_group(&self, group: &str) -> Option<bool> {
        let groups = &self.facts.caller.user.as_ref()?.groups;
        Some(groups.iter().any(|one| one == group))
    }

    fn address(&self) -> &str {
        let address = || self.facts.caller.address.to_string();
        self.address.get_or_init(address)
    }

    fn route(&self) -> (&str, &str) {
        (&self.facts.route.namespace, &self.facts.route.name)
    }

    fn model(&self) -> Option<&str> {
        self.model.as_deref().or(self.facts.model)
    }

    fn now(&self) -> jiff::Timestamp {
        *self.now.get_or_init(jiff::Timestamp::now)
    }

    fn response(&self) -> &Value {
        &Value::Null
    }
}

/// A header, all lines of it.
pub(super) fn header<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<Cow<'h, str>> {
    let mut lines = headers.get_all(name).iter();
    let first = String::from_utf8_lossy(lines.next()?.as_bytes());
    Some(lines.fold(first, |joined, line| {
        let line = String::from_utf8_lossy(line.as_bytes());
        Cow::Owned(joined.into_owned() + ", " + &line)
    }))
}
