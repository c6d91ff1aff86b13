//! Expressions that make JSON of JSON, which a Mapper consists of.
//!
//! They are CEL with a few functions more. What differs from CEL: a key that is missing reads as null, wherever it is read, and so does a
//! key of null; objects come out with their keys sorted. Every evaluation is metered: what it reads, repeats and builds counts, and beyond
//! a bound that grows with the body it fails.

mod functions;
mod locate;
mod meter;
mod place;
mod rewrite;
mod scope;
mod value;

use std::collections::BTreeSet;
use std::sync::Arc;

use kube_cel::cel::common::ast::{Expr, LiteralValue};
use kube_cel::cel::{Context, ExecutionError, IdedExpr, Value as CelValue};
use serde_json::Value;

pub(super) use functions::{OURS, compile_regex};
use meter::Meter;
pub use place::{BadMapping, MappingFault, Place};
use rewrite::{Plan, Read};
pub(super) use rewrite::{Step, Words, path_of};
use scope::Resolver;
pub use scope::Scope;
pub(super) use scope::{Roots, follow};
pub(super) use value::cost_of_json;

/// What Mappers may name.
const WORDS: Words = Words {
    variables: &[
        "body",
        "operation",
        "model",
        "stream",
        "status",
        "parameters",
        "headers",
    ],
    functions: &OURS,
    guard: "what is missing is null, so guard it as in body.max_tokens != null ? body.max_tokens : 100",
};

thread_local! {
    /// CEL's functions and ours, and what an evaluation on this thread may still cost. Evaluations do not nest.
    static ENGINE: (Context<'static>, Meter) = {
        let meter = Meter::empty();
        let mut context = Context::default();
        functions::register(&mut context, &meter);
        (context, meter)
    };
}

/// The longest expression, in bytes.
const LONGEST: usize = 8 << 10;

/// An expression that yields JSON.
#[derive(Clone, Debug)]
pub struct Mapping {
    source: Arc<str>,
    plan: Arc<Plan>,
    guard: &'static str,
}

impl Mapping {
    /// Compiles `source`.
    ///
    /// ```
    /// use dragoman_config::cel::{Mapping, Scope};
    /// use serde_json::json;
    ///
    /// let mapping = Mapping::compile("{'prompt': body.messages.map(m, m.content).join(' ')}")?;
    /// let body = json!({"messages": [{"content": "one"}, {"content": "two"}]});
    /// assert_eq!(mapping.evaluate(&Scope::of(&body))?, json!({"prompt": "one two"}));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`BadMapping`], with the place of the fault.
    pub fn compile(source: &str) -> Result<Self, BadMapping> {
        Self::with(source, WORDS)
    }

    /// The same with other names.
    pub(in crate::cel) fn with(source: &str, words: Words) -> Result<Self, BadMapping> {
        let bad = |at: usize, message: String| BadMapping {
            place: Place::of(source, at),
            message,
        };
        if source.len() > LONGEST {
            let message = format!("{} bytes are more than {LONGEST}", source.len());
            return Err(bad(0, message));
        }
        let program = super::parse::parse(source).map_err(|(at, message)| bad(at, message))?;
        let guard = words.guard;
        let plan = Plan::of(program.expression(), source, words);
        Ok(Self {
            source: source.into(),
            plan: Arc::new(plan.map_err(|(at, message)| bad(at, message))?),
            guard,
        })
    }

    /// The names of the headers that it reads, in lower case.
    pub fn headers(&self) -> impl Iterator<Item = &str> {
        self.plan.reads.iter().filter_map(Read::header)
    }

    /// What it makes of `scope`.
    ///
    /// # Errors
    /// [`MappingFault`] where it fails, costs too much or gives what JSON has no form for.
    pub fn evaluate(&self, scope: &Scope<'_>) -> Result<Value, MappingFault> {
        self.over(scope)
    }

    /// Whether it reads the variable.
    pub(in crate::cel) fn reads(&self, variable: &str) -> bool {
        self.plan.reads.iter().any(|read| read.root == variable)
    }

    /// The names of members that it reads of `variable`, or of what a macro binds.
    pub(in crate::cel) fn members(&self, variable: &str) -> BTreeSet<&str> {
        let reads = self.plan.reads.iter().filter(|it| it.root == variable);
        let mut members: BTreeSet<&str> = reads.flat_map(Read::members).collect();
        add_members(&self.plan.root, &mut members);
        members
    }

    /// The same over variables of another kind.
    pub(in crate::cel) fn over(&self, roots: &dyn Roots) -> Result<Value, MappingFault> {
        ENGINE.with(|(functions, meter)| self.within(functions, meter, roots))
    }

    fn within(
        &self,
        functions: &Context<'static>,
        meter: &Meter,
        roots: &dyn Roots,
    ) -> Result<Value, MappingFault> {
        meter.begin(roots.cost());
        let fault = |at: usize, message: String| MappingFault {
            place: Place::of(&self.source, at),
            message,
        };
        let resolver = Resolver::new(roots, &self.plan.reads, meter);
        let mut context = functions.new_inner_scope();
        context.set_variable_resolver(&resolver);
        match CelValue::resolve(&self.plan.root, &context) {
            Ok(found) => {
                let json = meter
                    .spend(value::cost(&found))
                    .map_err(|_| fault(0, meter::TOO_MUCH.to_owned()))
                    .and_then(|()| value::to_json(found).map_err(|what| fault(0, what)))?;
                Ok(json)
            }
            Err(_) if meter.is_spent() => Err(fault(0, meter::TOO_MUCH.to_owned())),
            Err(failed) => {
                // Looking for the culprit is worth no more than the evaluation was.
                meter.refill();
                let culprit = self
                    .culprit(&self.plan.root, &context)
                    .unwrap_or(&self.plan.root);
                let at = self.plan.place(culprit);
                Err(fault(at, explain(&failed, &resolver, self.guard)))
            }
        }
    }

    /// The innermost part that fails although its own parts do not; the inside of a macro counts as one with it.
    fn culprit<'e>(&self, expr: &'e IdedExpr, context: &Context<'_>) -> Option<&'e IdedExpr> {
        CelValue::resolve(expr, context).err()?;
        let parts: Vec<&IdedExpr> = match &expr.expr {
            Expr::Call(call) if call.func_name == "_?_:_" => {
                match CelValue::resolve(&call.args[0], context) {
                    Ok(CelValue::Bool(true)) => vec![&call.args[1]],
                    Ok(CelValue::Bool(false)) => vec![&call.args[2]],
                    _ => vec![&call.args[0]],
                }
            }
            Expr::Call(call) if call.func_name == rewrite::EACH => vec![&call.args[0]],
            Expr::Comprehension(loops) => vec![&loops.iter_range],
            _ => super::parse::parts(expr),
        };
        let inner = parts
            .into_iter()
            .find_map(|part| self.culprit(part, context));
        Some(inner.unwrap_or(expr))
    }
}

/// The names by which `expr` reads members elsewhere than along a path from a variable.
fn add_members<'e>(expr: &'e IdedExpr, members: &mut BTreeSet<&'e str>) {
    if let Expr::Call(call) = &expr.expr
        && matches!(
            call.func_name.as_str(),
            rewrite::GET | rewrite::HAS | rewrite::AT | "@in"
        )
    {
        members.extend(call.args.iter().filter_map(|arg| match &arg.expr {
            Expr::Literal(LiteralValue::String(name)) => Some(name.inner()),
            _ => None,
        }));
    }
    for part in super::parse::parts(expr) {
        add_members(part, members);
    }
}

/// The fault without values of the body, which may be anything; `guard` is the cure of most, which come of a null.
fn explain(fault: &ExecutionError, resolver: &Resolver<'_>, guard: &str) -> String {
    match fault {
        ExecutionError::UndeclaredReference(name) => resolver
            .explain(name)
            .unwrap_or_else(|| format!("unknown name: {name}")),
        ExecutionError::FunctionError { function, message } if functions::is_ours(function) => {
            message.clone()
        }
        _ => super::explain(fault, guard),
    }
}

#[cfg(test)]
mod tests;
