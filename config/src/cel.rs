//! CEL expressions: compiled once, names checked, macros bounded, and evaluated over just the fields that they read.
//!
//! Source: [the CEL language](https://github.com/google/cel-spec/blob/master/doc/langdef.md). What differs: a key that is missing
//! reads as null. The paths that an expression reads are known from its syntax, so nulls are put where data has none.

mod mapping;
mod parse;
mod paths;
mod quick;
mod rule;

use std::sync::Arc;

use kube_cel::cel::objects::ValueType;
use kube_cel::cel::{Context, ExecutionError, Program, Value as CelValue, to_value};
use serde_json::Value;

pub use mapping::{BadMapping, Mapping, MappingFault, Place, Scope};
use paths::Paths;
pub use rule::{Condition, Expression, Facts, Variables};

/// The deepest nesting of macros (`all`, `exists`, `map`, `filter`) that is compiled.
const DEEPEST_MACROS: usize = 2;

/// The variables that an expression may name.
const VARIABLES: [&str; 7] = [
    "request", "headers", "user", "client", "model", "route", "now",
];

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

/// An expression that does not compile. The manifest's fault.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadExpression {
    /// It does not parse.
    #[error("column {column}: {message}")]
    Syntax {
        /// Counted from 1.
        column: usize,
        /// The parser's word.
        message: String,
    },
    /// It names something that does not exist.
    #[error("column {column}: unknown {what} {name:?}; there are {known}")]
    Unknown {
        /// Counted from 1.
        column: usize,
        /// `variable` or `function`.
        what: &'static str,
        /// The name.
        name: String,
        /// What may be named.
        known: String,
    },
    /// Macros within macros, deeper than the bound.
    #[error("macros are nested {0} deep; at most {DEEPEST_MACROS} are evaluated")]
    Deep(usize),
    /// `headers` as a whole.
    #[error("name the header that is meant, as in headers['x-team']")]
    AllHeaders,
}

/// An expression that could not be evaluated, or gave no boolean. It counts as a refusal.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EvaluationError(pub String);

/// What an expression is evaluated over. Each part is only read when the expression names it.
pub struct Input<'a> {
    /// The request's body.
    pub request: &'a dyn Fn() -> Value,
    /// A header's value by its lower-case name.
    pub header: &'a dyn Fn(&str) -> Option<String>,
    /// Who calls: `name`, `groups` and `claims`; null for nobody.
    pub user: &'a dyn Fn() -> Value,
    /// The client's address.
    pub address: std::net::IpAddr,
    /// The route's namespace and name.
    pub route: (&'a str, &'a str),
    /// The time.
    pub now: jiff::Timestamp,
}

/// A condition.
#[derive(Clone, Debug)]
pub struct Predicate {
    program: Arc<Program>,
    paths: Paths,
}

impl Predicate {
    /// Compiles `source`.
    ///
    /// # Errors
    /// [`BadExpression`], with the column.
    pub fn compile(source: &str) -> Result<Self, BadExpression> {
        let program = parse::parse(source).map_err(|(at, message)| BadExpression::Syntax {
            column: source[..source.floor_char_boundary(at)].chars().count() + 1,
            message,
        })?;
        let paths = Paths::of(program.expression());
        if paths.macros > DEEPEST_MACROS {
            return Err(BadExpression::Deep(paths.macros));
        }
        let column = |name: &str| source.find(name).unwrap_or_default() + 1;
        let unknown = |what, name: &str, known: &[&str]| BadExpression::Unknown {
            column: column(name),
            what,
            name: name.to_owned(),
            known: known.join(", "),
        };
        if let Some(name) = paths.variables().find(|name| !VARIABLES.contains(name)) {
            return Err(unknown("variable", name, &VARIABLES));
        }
        if let Some(name) = paths
            .functions
            .iter()
            .find(|name| !FUNCTIONS.contains(&name.as_str()))
        {
            let named: Vec<&str> = FUNCTIONS
                .into_iter()
                .filter(|name| name.starts_with(char::is_alphabetic))
                .collect();
            return Err(unknown("function", name, &named));
        }
        if paths.whole("headers") {
            return Err(BadExpression::AllHeaders);
        }
        Ok(Self {
            program: Arc::new(program),
            paths,
        })
    }

    /// Whether the condition holds for a call of `model`.
    ///
    /// # Errors
    /// [`EvaluationError`] when it fails, or gives something else than true or false.
    pub fn holds(&self, input: &Input<'_>, model: &str) -> Result<bool, EvaluationError> {
        let mut context = Context::default();
        for name in self.paths.variables() {
            let data = match name {
                "request" => (input.request)(),
                "headers" => self
                    .paths
                    .members("headers")
                    .map(|header| {
                        (
                            header.to_owned(),
                            (input.header)(header).map_or(Value::Null, Value::from),
                        )
                    })
                    .collect::<serde_json::Map<_, _>>()
                    .into(),
                "user" => (input.user)(),
                "client" => serde_json::json!({"address": input.address.to_string()}),
                "model" => Value::from(model),
                "route" => serde_json::json!({"namespace": input.route.0, "name": input.route.1}),
                _ => {
                    context.add_variable_from_value(name, now(input.now));
                    continue;
                }
            };
            let read = self.paths.read(name, data);
            let value = to_value(read).map_err(|fault| EvaluationError(fault.to_string()))?;
            context.add_variable_from_value(name, value);
        }
        match self.program.execute(&context) {
            Ok(CelValue::Bool(holds)) => Ok(holds),
            Ok(other) => Err(EvaluationError(format!(
                "it gives {:?}, not true or false",
                other.type_of()
            ))),
            Err(fault) => Err(EvaluationError(explain(&fault))),
        }
    }
}

fn now(now: jiff::Timestamp) -> CelValue {
    let nanoseconds = u32::try_from(now.subsec_nanosecond()).unwrap_or_default();
    let time = chrono::DateTime::from_timestamp(now.as_second(), nanoseconds).unwrap_or_default();
    CelValue::Timestamp(time.fixed_offset())
}

/// The cure of most failures: what a request may lack is null.
const GUARD: &str = "what a request lacks is null, so guard it as in request.max_tokens != null && request.max_tokens > 100";

/// Two values that do not go together.
fn misfit(one: &ValueType, other: &ValueType, guard: &str) -> String {
    let cure = match (one, other) {
        (ValueType::Null, _) | (_, ValueType::Null) => guard,
        _ => "compare like with like, as in int(headers['x-level']) > 3",
    };
    format!("{one} does not go with {other}; {cure}")
}

/// The fault without values of the request, which may be anything.
fn explain(fault: &ExecutionError) -> String {
    explain_without(fault, GUARD)
}

/// The fault without any value, and `guard`, the cure of those that come of a null.
fn explain_without(fault: &ExecutionError, guard: &str) -> String {
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

#[cfg(test)]
mod tests;
