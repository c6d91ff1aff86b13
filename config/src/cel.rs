//! CEL expressions: compiled once, names checked, macros bounded, and evaluated over just the fields that they read.
//!
//! Source: [the CEL language](https://github.com/google/cel-spec/blob/master/doc/langdef.md). What differs: a key that is missing
//! reads as null. The paths that an expression reads are known from its syntax, so nulls are put where data has none.

mod mapping;
mod parse;
mod quick;
mod rule;

use kube_cel::cel::objects::ValueType;
use kube_cel::cel::{ExecutionError, Value as CelValue};

pub use mapping::{BadMapping, Mapping, MappingFault, Place, Scope};
pub use rule::{Condition, Expression, Facts, Variables};

/// The deepest nesting of macros (`all`, `exists`, `map`, `filter`) that is compiled.
const DEEPEST_MACROS: usize = 2;

/// Functions and operators of the language and its standard library.
const FUNCTIONS: [&str; 56] = [
    "_?_:_",
    "_&&_",
    "_||_",
    "!_",
    "_-_",
    "_+_",
    "_*_",
    "_/_",
    "_%_",
    "_==_",
    "_!=_",
    "_>=_",
    "_<=_",
    "_>_",
    "_<_",
    "-_",
    "_[_]",
    "@not_strictly_false",
    "@in",
    "contains",
    "size",
    "max",
    "min",
    "startsWith",
    "endsWith",
    "string",
    "bytes",
    "double",
    "int",
    "uint",
    "matches",
    "duration",
    "timestamp",
    "getFullYear",
    "getMonth",
    "getDayOfYear",
    "getDayOfMonth",
    "getDate",
    "getDayOfWeek",
    "getHours",
    "getMinutes",
    "getSeconds",
    "getMilliseconds",
    "has",
    "all",
    "exists",
    "exists_one",
    "map",
    "filter",
    "in",
    "bool",
    "dyn",
    "type",
    "lowerAscii",
    "upperAscii",
    "trim",
];

/// An expression that could not be evaluated, or gave no boolean. It counts as a refusal.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EvaluationError(pub String);

fn now(now: jiff::Timestamp) -> CelValue {
    let nanoseconds = u32::try_from(now.subsec_nanosecond()).unwrap_or_default();
    let time = chrono::DateTime::from_timestamp(now.as_second(), nanoseconds).unwrap_or_default();
    CelValue::Timestamp(time.fixed_offset())
}

/// Two values that do not go together.
fn misfit(one: &ValueType, other: &ValueType, guard: &str) -> String {
    let cure = match (one, other) {
        (ValueType::Null, _) | (_, ValueType::Null) => guard,
        _ => "compare like with like, as in int(headers['x-level']) > 3",
    };
    format!("{one} does not go with {other}; {cure}")
}

/// The fault without any value, and `guard`, the cure of those that come of a null.
fn explain(fault: &ExecutionError, guard: &str) -> String {
    match fault {
        ExecutionError::NoSuchKey(key) => format!("no such key: {key}"),
        ExecutionError::UndeclaredReference(name) => format!("unknown name: {name}"),
        ExecutionError::ValuesNotComparable(one, other)
        | ExecutionError::UnsupportedBinaryOperator(_, one, other) => {
            misfit(&one.type_of(), &other.type_of(), guard)
        }
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => {
            "it divides by zero".to_owned()
        }
        ExecutionError::Overflow(..) => "a number became too large".to_owned(),
        ExecutionError::IndexOutOfBounds(_) => "it asks for more than a list has".to_owned(),
        ExecutionError::FunctionError { function, .. } => {
            format!("{function}() fails; {guard}")
        }
        _ => format!("types do not fit; {guard}"),
    }
}
