//! What an expression is evaluated over, read path by path: nothing that it does not name is converted.

use std::borrow::Cow;

use kube_cel::cel::Value as CelValue;
use kube_cel::cel::context::VariableResolver;
use serde_json::Value;

use super::meter::Meter;
use super::rewrite::{Read, Step};
use super::value::{cost_of_json, from_json};

/// What an expression is evaluated over.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The body that would go on.
    pub body: &'a Value,
    /// What is asked for, such as `chat`.
    pub operation: &'a str,
    /// The model by the upstream's name.
    pub model: &'a str,
    /// Whether the reply is a stream.
    pub stream: bool,
    /// The reply's status; none before there is a reply.
    pub status: Option<u16>,
    /// The Mapper's parameters, an object.
    pub parameters: &'a Value,
    /// The client's headers by their lower-case names, an object.
    pub headers: &'a Value,
}

impl<'a> Scope<'a> {
    /// A body, with nothing beside it.
    #[must_use]
    pub fn of(body: &'a Value) -> Self {
        Self {
            body,
            operation: "",
            model: "",
            stream: false,
            status: None,
            parameters: &Value::Null,
            headers: &Value::Null,
        }
    }
}

/// Where an expression's variables are.
pub(in crate::cel) trait Roots: Sync {
    /// The variable of this name.
    fn root(&self, name: &str) -> Cow<'_, Value>;

    /// The time, where the variable is `now`.
    fn now(&self) -> Option<CelValue> {
        None
    }

    /// What it costs to read everything once.
    fn cost(&self) -> usize;
}

impl Roots for Scope<'_> {
    fn root(&self, name: &str) -> Cow<'_, Value> {
        match name {
            "body" => Cow::Borrowed(self.body),
            "parameters" => Cow::Borrowed(self.parameters),
            "headers" => Cow::Borrowed(self.headers),
            "operation" => Cow::Owned(self.operation.into()),
            "model" => Cow::Owned(self.model.into()),
            "stream" => Cow::Owned(self.stream.into()),
            "status" => Cow::Owned(self.status.map_or(Value::Null, Value::from)),
            _ => Cow::Owned(Value::Null),
        }
    }

    fn cost(&self) -> usize {
        cost_of_json(self.body)
    }
}

/// Gives an expression the values of the paths that it reads.
pub(super) struct Resolver<'a> {
    roots: &'a dyn Roots,
    reads: &'a [Read],
    meter: &'a Meter,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(roots: &'a dyn Roots, reads: &'a [Read], meter: &'a Meter) -> Self {
        Self {
            roots,
            reads,
            meter,
        }
    }

    fn read(&self, name: &str) -> Option<&'a Read> {
        self.reads
            .get(name.strip_prefix('@')?.parse::<usize>().ok()?)
    }

    /// Why a path could not be read.
    pub(super) fn explain(&self, name: &str) -> Option<String> {
        let read = self.read(name)?;
        let root = self.roots.root(read.root);
        follow(&root, &read.path).err().map(|misfit| {
            format!(
                "{} is {}, which has no {}",
                read.shown(misfit.depth),
                misfit.is,
                misfit.lacks
            )
        })
    }
}

impl VariableResolver for Resolver<'_> {
    fn resolve(&self, name: &str) -> Option<CelValue> {
        let read = self.read(name)?;
        if read.root == "now" && read.path.is_empty() && read.test.is_none() {
            return self.roots.now();
        }
        let root = self.roots.root(read.root);
        if let Some(field) = &read.test {
            let there = follow(&root, &read.path).ok()?;
            let there = match there {
                Some(Value::Object(members)) => members.contains_key(field),
                _ => false,
            };
            return Some(CelValue::Bool(there));
        }
        match follow(&root, &read.path).ok()? {
            None => Some(CelValue::Null),
            Some(value) => {
                self.meter.spend(cost_of_json(value)).ok()?;
                Some(from_json(value))
            }
        }
    }
}

/// Where a path leads through what has no such part.
pub(in crate::cel) struct Misfit {
    /// Steps that could be gone.
    depth: usize,
    is: &'static str,
    lacks: String,
}

/// What stands at the end of a path; none where a key on the way is missing.
pub(in crate::cel) fn follow<'v>(
    root: &'v Value,
    path: &[Step],
) -> Result<Option<&'v Value>, Misfit> {
    let mut at = root;
    for (depth, step) in path.iter().enumerate() {
        let misfit = |is, lacks| Misfit { depth, is, lacks };
        at = match (at, step) {
            (Value::Null, _) => return Ok(None),
            (Value::Object(members), Step::Member(name)) => match members.get(name) {
                Some(member) => member,
                None => return Ok(None),
            },
            (Value::Array(items), Step::Item(place)) => items
                .get(*place)
                .ok_or_else(|| misfit("a list", format!("item {place}; look at size() first")))?,
            (other, Step::Member(name)) => {
                return Err(misfit(word(other), format!("member {name:?}")));
            }
            (other, Step::Item(place)) => {
                return Err(misfit(word(other), format!("item {place}")));
            }
        };
    }
    Ok(Some(at))
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
