//! Templates mean here what they mean in the engine that vendors' templates run in elsewhere.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests may fail loudly, their fixtures too"
)]

mod anything;
mod chat;
mod expressions;
mod meaning;
mod refused;

use dragoman_dialects::jinja::{Blocks, Bounds, Failed, Program};
use jiff::Timestamp;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Serde};
use minijinja::{AutoEscape, Environment, Error, ErrorKind};
use serde_json::Value;

const AMPLE: Bounds = Bounds {
    held: 8 << 20,
    work: 64 << 20,
};

fn variables(of: &Value) -> Vec<(String, Value)> {
    let of = of.as_object().unwrap().iter();
    of.map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// What a template writes here.
fn ours(source: &str, of: &Value) -> Result<String, Failed> {
    let program = Program::compile(source, Blocks::Trimmed);
    let program = program.unwrap_or_else(|fault| panic!("{source}: {fault}"));
    let now = Some(Timestamp::UNIX_EPOCH);
    program
        .render(variables(of), now, AMPLE)
        .map(|rendered| rendered.text)
}

fn written(source: &str) -> String {
    ours(source, &serde_json::json!({})).unwrap_or_else(|failed| failed.to_string())
}

/// What it writes in minijinja's own engine.
fn theirs(source: &str, of: &Value) -> Result<String, Error> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()?;
    environment.set_syntax(syntax);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.add_filter("tojson", to_json);
    environment.add_function("raise_exception", |message: String| {
        Err::<minijinja::Value, _>(Error::new(ErrorKind::InvalidOperation, message))
    });
    environment.add_function("strftime_now", |_: String| "01 Jan 1970");
    let template = environment.template_from_str(source)?;
    template.render(minijinja::Value::from(Serde(of)))
}

/// Python's JSON, which has a space after colons and commas.
fn to_json(value: minijinja::Value, options: Kwargs) -> Result<String, Error> {
    let indent: Option<usize> = options.get("indent")?;
    let value = serde_json::to_value(value).unwrap();
    Ok(match indent {
        Some(indent) => {
            let spaces = " ".repeat(indent);
            let mut out = Vec::new();
            let formatter = serde_json::ser::PrettyFormatter::with_indent(spaces.as_bytes());
            let mut serializer = serde_json::Serializer::with_formatter(&mut out, formatter);
            serde::Serialize::serialize(&value, &mut serializer).unwrap();
            String::from_utf8(out).unwrap()
        }
        None => python(&value),
    })
}

fn python(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(python).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(members) => {
            let members = members.iter();
            let members = members
                .map(|(key, value)| format!("{}: {}", Value::from(key.as_str()), python(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// Where the two differ: both write the same, or neither can.
fn difference(source: &str, of: &Value) -> Option<String> {
    match (ours(source, of), theirs(source, of)) {
        (Ok(ours), Ok(theirs)) if ours == theirs => None,
        (Err(_), Err(_)) => None,
        (ours, theirs) => Some(format!("{source}\n  ours   {ours:?}\n  theirs {theirs:?}")),
    }
}

fn same(source: &str, of: &Value) {
    if let Some(difference) = difference(source, of) {
        panic!("{difference}");
    }
}
