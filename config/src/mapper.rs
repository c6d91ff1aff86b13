//! A Mapper as it is run: what it makes of requests, replies, events, errors and paths.

use dragoman_crds::{MapperPhase, MapperStream};
use serde_json::Value;

use crate::MapperItem;
use crate::cel::{BadMapping, Mapping, MappingFault, Scope};

/// A field of a Mapper that makes no sense. The manifest's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {fault}")]
pub struct BadMapper {
    /// The field below `spec`.
    pub field: &'static str,
    /// What is wrong with it.
    pub fault: BadMapping,
}

/// An expression failed, or yields what has no meaning in its place. The Mapper's fault; a retry does not help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Mapper {mapper}: {field}: {fault}")]
pub struct MapperFault {
    /// Namespace and name.
    pub mapper: String,
    /// The field below `spec`.
    pub field: &'static str,
    /// What went wrong, without values of the body.
    pub fault: Failed,
}

/// What went wrong in an expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    /// It could not be evaluated.
    #[error(transparent)]
    Evaluation(#[from] MappingFault),
    /// What it yields has no meaning in its place.
    #[error("{0}")]
    Meaning(&'static str),
}

/// What becomes of an event.
#[derive(Clone, Debug, PartialEq)]
pub struct Events {
    /// What goes on, in order.
    pub events: Vec<Value>,
    /// Whether the stream has had its end.
    pub done: bool,
}

/// A Mapper whose expressions compiled.
#[derive(Clone, Debug)]
pub struct Mapper {
    name: String,
    request: Option<Mapping>,
    response: Option<Mapping>,
    stream_event: Option<Mapping>,
    error: Option<Mapping>,
    path: Option<Mapping>,
    stream: MapperStream,
    parameters: Value,
}

impl Mapper {
    /// Compiles every expression.
    ///
    /// # Errors
    /// Every fault; there is at least one.
    pub fn new(item: &MapperItem) -> Result<Self, Vec<BadMapper>> {
        let mut faults = Vec::new();
        let mut compile = |field, source: &Option<String>| {
            let compiled = source.as_deref().map(Mapping::compile).transpose();
            compiled.unwrap_or_else(|fault| {
                faults.push(BadMapper { field, fault });
                None
            })
        };
        let mapper = Self {
            name: item.name.clone(),
            request: compile("request", &item.request),
            response: compile("response", &item.response),
            stream_event: compile("streamEvent", &item.stream_event),
            error: compile("error", &item.error),
            path: compile("path", &item.path),
            stream: item.stream,
            parameters: Value::Object(item.parameters.clone()),
        };
        if faults.is_empty() {
            Ok(mapper)
        } else {
            Err(faults)
        }
    }

    /// Namespace and name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How a backend of dialect Custom sends streams.
    #[must_use]
    pub fn stream(&self) -> MapperStream {
        self.stream
    }

    /// The names of all headers that its expressions read, in lower case.
    pub fn headers(&self) -> impl Iterator<Item = &str> {
        let all = [
            &self.request,
            &self.response,
            &self.stream_event,
            &self.error,
            &self.path,
        ];
        all.into_iter().flatten().flat_map(Mapping::headers)
    }

    /// Whether it has an expression for the phase.
    #[must_use]
    pub fn maps(&self, phase: MapperPhase) -> bool {
        self.expression(phase).1.is_some()
    }

    fn expression(&self, phase: MapperPhase) -> (&'static str, Option<&Mapping>) {
        match phase {
            MapperPhase::Request => ("request", self.request.as_ref()),
            MapperPhase::Response => ("response", self.response.as_ref()),
            MapperPhase::StreamEvent => ("streamEvent", self.stream_event.as_ref()),
            MapperPhase::Error => ("error", self.error.as_ref()),
            MapperPhase::Path => ("path", self.path.as_ref()),
        }
    }

    fn fault(&self, field: &'static str, fault: impl Into<Failed>) -> MapperFault {
        MapperFault {
            mapper: self.name.clone(),
            field,
            fault: fault.into(),
        }
    }

    /// What the phase's expression yields; none where there is none. The scope's parameters are the Mapper's.
    pub fn evaluate(
        &self,
        phase: MapperPhase,
        scope: &Scope<'_>,
    ) -> Option<Result<Value, MapperFault>> {
        let (field, expression) = self.expression(phase);
        let scope = Scope {
            parameters: &self.parameters,
            ..*scope
        };
        let made = expression?.evaluate(&scope);
        Some(made.map_err(|fault| self.fault(field, fault)))
    }

    /// The path that is to be called; none where it stays.
    ///
    /// # Errors
    /// [`MapperFault`], also where it yields no path.
    pub fn path(&self, scope: &Scope<'_>) -> Result<Option<String>, MapperFault> {
        match self.evaluate(MapperPhase::Path, scope).transpose()? {
            None => Ok(None),
            Some(Value::String(path)) if path.is_empty() || path.starts_with(['/', '?']) => {
                Ok(Some(path))
            }
            Some(_) => Err(self.fault(
                "path",
                Failed::Meaning(
                    "it must yield text that begins with a slash, such as '/generate/' + model",
                ),
            )),
        }
    }

    /// What becomes of an event; none where events go on as they are.
    ///
    /// # Errors
    /// [`MapperFault`], also where it yields neither null, an event nor a list of events.
    pub fn events(&self, scope: &Scope<'_>) -> Result<Option<Events>, MapperFault> {
        let Some(made) = self.evaluate(MapperPhase::StreamEvent, scope).transpose()? else {
            return Ok(None);
        };
        let made = match made {
            Value::Null => Vec::new(),
            Value::Array(events) => events,
            event => vec![event],
        };
        let mut events = Vec::with_capacity(made.len());
        for event in made {
            match &event {
                Value::Object(members)
                    if members.get("done") == Some(&Value::Bool(true)) && members.len() == 1 =>
                {
                    return Ok(Some(Events { events, done: true }));
                }
                Value::Object(_) => events.push(event),
                _ => {
                    return Err(self.fault(
                        "streamEvent",
                        Failed::Meaning(
                            "it must yield null, an event, a list of events or {'done': true}",
                        ),
                    ));
                }
            }
        }
        Ok(Some(Events {
            events,
            done: false,
        }))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mapper(fields: Value) -> Mapper {
        let mut item = json!({"name": "team-a/own", "stream": "SSE", "parameters": {"a": 1}});
        item.as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        Mapper::new(&serde_json::from_value(item).unwrap()).unwrap()
    }

    #[test]
    fn an_event_becomes_nothing_one_several_or_the_end() {
        let own = mapper(json!({"stream_event": "body"}));
        let events = |body: Value| own.events(&Scope::of(&body));
        let some = |events: Vec<Value>, done| Ok(Some(Events { events, done }));
        assert_eq!(events(json!(null)), some(vec![], false));
        assert_eq!(events(json!({"a": 1})), some(vec![json!({"a": 1})], false));
        assert_eq!(
            events(json!([{"a": 1}, {"done": true}, {"b": 1}])),
            some(vec![json!({"a": 1})], true)
        );
        assert_eq!(events(json!({"done": true})), some(vec![], true));
        let event = json!({"done": true, "more": 1});
        assert_eq!(events(event.clone()), some(vec![event], false));
        assert!(events(json!("text")).is_err());
        assert!(events(json!([1])).is_err());
    }

    #[test]
    fn a_path_begins_with_a_slash_and_faults_name_mapper_field_and_column() {
        let own = mapper(json!({"path": "body.path", "request": "merge(body, parameters.a)"}));
        let path = |body: Value| own.path(&Scope::of(&body));
        assert_eq!(
            path(json!({"path": "/a?b=1"})),
            Ok(Some("/a?b=1".to_owned()))
        );
        assert!(path(json!({"path": "http://elsewhere"})).is_err());
        assert!(path(json!({})).is_err());
        let fault = own.evaluate(MapperPhase::Request, &Scope::of(&json!({})));
        let fault = fault.unwrap().unwrap_err().to_string();
        assert_eq!(
            fault,
            "Mapper team-a/own: request: column 1: merge takes objects, not a number"
        );
    }
}
