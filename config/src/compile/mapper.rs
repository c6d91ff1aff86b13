//! Mapper → item, with the tests that it carries run.

use dragoman_crds::{Mapper as Resource, MapperPhase, MapperTest};
use serde_json::Value;

use super::map::LARGEST_FREE_FORM;
use super::route::absent;
use super::{Findings, Outcome};
use crate::cel::Scope;
use crate::mapper::{BadMapper, Mapper};
use crate::world::Lookup;
use crate::{Item, Key, Kind, MapperItem, ObjectKey, reason};

/// What a failing test quotes of what was expected and given, in bytes each.
const QUOTED: usize = 512;

pub(crate) fn mapper(resource: &Resource) -> Outcome {
    let mut findings = Findings::new();
    let spec = &resource.spec;
    let parameters = spec.parameters.clone().unwrap_or_default();
    let bytes = serde_json::to_string(&parameters).map_or(0, |json| json.len());
    if bytes > LARGEST_FREE_FORM {
        findings.invalid(
            "spec.parameters",
            format_args!("{bytes} bytes are more than {LARGEST_FREE_FORM}"),
        );
    }
    let metadata = &resource.metadata;
    let item = MapperItem {
        name: format!(
            "{}/{}",
            metadata.namespace.as_deref().unwrap_or_default(),
            metadata.name.as_deref().unwrap_or_default()
        ),
        request: spec.request.clone(),
        response: spec.response.clone(),
        stream_event: spec.stream_event.clone(),
        error: spec.error.clone(),
        path: spec.path.clone(),
        stream: spec.stream.unwrap_or_default(),
        parameters,
    };
    let failed = match Mapper::new(&item) {
        Ok(mapper) => run(&mapper, &spec.tests),
        Err(faults) => {
            for BadMapper { field, fault } in faults {
                findings.invalid(&format!("spec.{field}"), fault);
            }
            Vec::new()
        }
    };
    let broken = findings.refused() || !failed.is_empty();
    // Tests of what does not compile neither pass nor fail.
    if !findings.refused() {
        findings.tested(failed);
    }
    let item = if broken {
        Err(findings.summary())
    } else {
        Ok(Item::Mapper(item))
    };
    findings.finish(metadata.generation.unwrap_or_default(), item)
}

/// What becomes a part of an item that names the Mapper `key`.
///
/// # Errors
/// The reason and the words of a fault.
pub(super) fn used(
    key: &ObjectKey,
    world: &Lookup<'_>,
) -> Result<MapperItem, (&'static str, String)> {
    if world.mapper(key).is_none() {
        return Err(absent(Kind::Mapper, key, world));
    }
    let item = Key {
        kind: Kind::Mapper,
        object: key.clone(),
    };
    world.mapper_item(&item).cloned().ok_or_else(|| {
        let why = world.fault_of(&item);
        let why = why.map_or("its conditions say why", |fault| &fault.message);
        let message = format!("Mapper {key} cannot be used: {why}");
        (reason::REF_INVALID, message)
    })
}

/// What the tests that fail say.
fn run(mapper: &Mapper, tests: &[MapperTest]) -> Vec<String> {
    tests
        .iter()
        .filter_map(|test| {
            let fault = judge(mapper, test).err()?;
            Some(format!("spec.tests[{}]: {fault}", test.name))
        })
        .collect()
}

fn judge(mapper: &Mapper, test: &MapperTest) -> Result<(), String> {
    let input = &test.input;
    let headers = Value::Object(input.headers.clone().unwrap_or_default());
    let body = input.body.clone().unwrap_or_default();
    let scope = Scope {
        operation: input.operation.as_deref().unwrap_or("chat"),
        model: input.model.as_deref().unwrap_or_default(),
        stream: input.stream,
        status: input.status.and_then(|status| u16::try_from(status).ok()),
        headers: &headers,
        ..Scope::of(&body)
    };
    let Some(made) = mapper.evaluate(test.phase, &scope) else {
        return Err(format!(
            "tries the phase {:?}, for which the Mapper has no expression; write {}, or leave the test out",
            test.phase,
            field(test.phase)
        ));
    };
    let made = made.map_err(|fault| fault.to_string())?;
    let expected = test.expect.clone().unwrap_or_default();
    if alike(&made, &expected) {
        return Ok(());
    }
    Err(format!(
        "{} gives {}, and {} is expected",
        field(test.phase),
        quoted(&made),
        quoted(&expected)
    ))
}

fn field(phase: MapperPhase) -> &'static str {
    match phase {
        MapperPhase::Request => "request",
        MapperPhase::Response => "response",
        MapperPhase::StreamEvent => "streamEvent",
        MapperPhase::Error => "error",
        MapperPhase::Path => "path",
    }
}

/// Whether two values are the same to a reader of JSON: 1 and 1.0 are.
fn alike(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(name, a)| b.get(name).is_some_and(|b| alike(a, b)))
        }
        _ => one == other,
    }
}

fn quoted(value: &Value) -> String {
    let mut text = value.to_string();
    if text.len() > QUOTED {
        text.truncate(text.floor_char_boundary(QUOTED));
        text.push('…');
    }
    text
}
