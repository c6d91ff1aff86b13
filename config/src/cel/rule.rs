//! What rules of AccessPolicies are made of: conditions, and expressions that give a value.

use std::borrow::Cow;
use std::collections::BTreeSet;

use http::HeaderName;
use kube_cel::cel::Value as CelValue;
use serde_json::{Map, Value, json};

use super::mapping::{BadMapping, Mapping, OURS, Roots, Words, cost_of_json};
use super::parse;
use super::quick::Quick;
use super::{EvaluationError, now};

/// Headers that carry credentials, which rules are never shown.
const CREDENTIALS: [&str; 8] = [
    "api-key",
    "authorization",
    "cookie",
    "proxy-authorization",
    "x-amz-security-token",
    "x-api-key",
    "x-goog-api-key",
    "x-goog-iam-authorization-token",
];

/// What an expression is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variables {
    /// A request.
    Request,
    /// A reply, and the request before it.
    Reply,
}

impl Variables {
    fn words(self) -> Words {
        let variables: &[&str] = match self {
            Self::Request => &[
                "request", "headers", "user", "client", "route", "model", "now",
            ],
            Self::Reply => &[
                "request", "headers", "user", "client", "route", "model", "now", "response",
            ],
        };
        Words {
            variables,
            // `render` is the Mappers' alone.
            functions: OURS.get(1..).unwrap_or_default(),
            guard: "what a request lacks is null, so guard it as in request.max_tokens != null && request.max_tokens > 100",
        }
    }
}

/// What is known of a request, and of its reply where there is one. Each part is asked for only where an expression names it.
pub trait Facts {
    /// The request's body; null where it is no JSON.
    fn request(&self) -> &Value;
    /// A header. Several lines of it are one, with `, ` between them.
    fn header(&self, name: &HeaderName) -> Option<Cow<'_, str>>;
    /// The user: `name`, `groups` and `claims`; null for nobody.
    fn user(&self) -> &Value;
    /// The user's name; none for nobody.
    fn user_name(&self) -> Option<&str>;
    /// Whether the user is in a group; none for nobody.
    fn in_group(&self, group: &str) -> Option<bool>;
    /// The client's address.
    fn address(&self) -> &str;
    /// The route's namespace and name.
    fn route(&self) -> (&str, &str);
    /// The model that is called.
    fn model(&self) -> Option<&str>;
    /// The time.
    fn now(&self) -> jiff::Timestamp;
    /// The reply: `content`, `tool_calls` and `finish_reason`; null before there is one.
    fn response(&self) -> &Value;
}

/// An expression that gives a value.
#[derive(Clone, Debug)]
pub struct Expression {
    mapping: Mapping,
}

/// An expression that holds or does not.
#[derive(Clone, Debug)]
pub struct Condition {
    expression: Expression,
    quick: Option<Quick>,
}

impl Expression {
    /// Compiles `source`.
    ///
    /// # Errors
    /// [`BadMapping`], with the place of the fault.
    pub fn compile(source: &str, variables: Variables) -> Result<Self, BadMapping> {
        let mapping = Mapping::with(source, variables.words())?;
        if let Some(name) = mapping.headers().find(|name| CREDENTIALS.contains(name)) {
            let at = source.find(name).unwrap_or_default();
            let message = format!("{name} carries credentials, which rules are not shown");
            return Err(BadMapping::at(source, at, message));
        }
        Ok(Self { mapping })
    }

    /// Whether it names this variable.
    #[must_use]
    pub fn names(&self, variable: &str) -> bool {
        self.mapping.reads(variable)
    }

    /// The names of members that it reads of this variable, or of what a macro binds.
    #[must_use]
    pub fn members(&self, variable: &str) -> BTreeSet<&str> {
        self.mapping.members(variable)
    }

    /// What it gives.
    ///
    /// # Errors
    /// [`EvaluationError`] where it fails or costs too much. It holds no value of the request.
    pub fn evaluate(&self, facts: &dyn Facts) -> Result<Value, EvaluationError> {
        let read = Read::new(&self.mapping, facts);
        let made = self.mapping.over(&read);
        made.map_err(|fault| EvaluationError(fault.to_string()))
    }
}

impl Condition {
    /// Compiles `source`.
    ///
    /// # Errors
    /// [`BadMapping`], with the place of the fault.
    ///
    /// ```
    /// use dragoman_config::cel::{Condition, Variables};
    /// assert!(Condition::compile("user.name == 'ann'", Variables::Request).is_ok());
    /// let fault = Condition::compile("true && usr == 1", Variables::Request).unwrap_err();
    /// assert!(fault.to_string().starts_with("column 9: unknown variable \"usr\""));
    /// ```
    pub fn compile(source: &str, variables: Variables) -> Result<Self, BadMapping> {
        let expression = Expression::compile(source, variables)?;
        let quick = parse::parse(source)
            .ok()
            .and_then(|program| Quick::of(program.expression()));
        Ok(Self { expression, quick })
    }

    /// Whether it names this variable.
    #[must_use]
    pub fn names(&self, variable: &str) -> bool {
        self.expression.names(variable)
    }

    /// As for [`Expression::members`].
    #[must_use]
    pub fn members(&self, variable: &str) -> BTreeSet<&str> {
        self.expression.members(variable)
    }

    /// Whether it holds.
    ///
    /// # Errors
    /// [`EvaluationError`] where it fails, costs too much or gives something else than true or false.
    pub fn holds(&self, facts: &dyn Facts) -> Result<bool, EvaluationError> {
        if let Some(known) = self.quick.as_ref().and_then(|quick| quick.holds(facts)) {
            return Ok(known);
        }
        self.interpreted(facts)
    }

    pub(super) fn interpreted(&self, facts: &dyn Facts) -> Result<bool, EvaluationError> {
        match self.expression.evaluate(facts)? {
            Value::Bool(holds) => Ok(holds),
            other => Err(EvaluationError(format!(
                "it gives {}, not true or false",
                word(&other)
            ))),
        }
    }

    /// Whether it is decided without the interpreter as a rule.
    #[cfg(test)]
    pub(super) fn is_quick(&self) -> bool {
        self.quick.is_some()
    }
}

fn word(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The facts that an expression reads, as JSON.
struct Read<'f> {
    request: &'f Value,
    user: &'f Value,
    response: &'f Value,
    headers: Value,
    client: Value,
    route: Value,
    model: Value,
    now: CelValue,
}

impl<'f> Read<'f> {
    fn new(mapping: &Mapping, facts: &'f dyn Facts) -> Self {
        const NULL: &Value = &Value::Null;
        let reads = |name| mapping.reads(name);
        let headers: Map<String, Value> = mapping
            .headers()
            .map(|name| {
                // What cannot be a header's name is the name of none.
                let name_of = HeaderName::from_bytes(name.as_bytes()).ok();
                let value = name_of.as_ref().and_then(|name| facts.header(name));
                let value = value.map_or(Value::Null, |value| value.into_owned().into());
                (name.to_owned(), value)
            })
            .collect();
        let route = facts.route();
        Self {
            request: if reads("request") {
                facts.request()
            } else {
                NULL
            },
            user: if reads("user") { facts.user() } else { NULL },
            response: if reads("response") {
                facts.response()
            } else {
                NULL
            },
            headers: headers.into(),
            client: json!({"address": facts.address()}),
            route: json!({"namespace": route.0, "name": route.1}),
            model: facts.model().map_or(Value::Null, Value::from),
            now: now(facts.now()),
        }
    }
}

impl Roots for Read<'_> {
    fn root(&self, name: &str) -> Cow<'_, Value> {
        match name {
            "request" => Cow::Borrowed(self.request),
            "user" => Cow::Borrowed(self.user),
            "response" => Cow::Borrowed(self.response),
            "headers" => Cow::Borrowed(&self.headers),
            "client" => Cow::Borrowed(&self.client),
            "route" => Cow::Borrowed(&self.route),
            "model" => Cow::Borrowed(&self.model),
            _ => Cow::Owned(Value::Null),
        }
    }

    fn now(&self) -> Option<CelValue> {
        Some(self.now.clone())
    }

    fn cost(&self) -> usize {
        cost_of_json(self.request) + cost_of_json(self.response)
    }
}

#[cfg(test)]
mod tests;
