//! Which fields an expression reads, from its syntax.

use std::collections::{BTreeMap, BTreeSet};

use kube_cel::cel::IdedExpr;
use kube_cel::cel::common::ast::{EntryExpr, Expr, LiteralValue};
use serde_json::{Map, Value};

/// A tree of fields: for each name, what is read below it.
#[derive(Clone, Debug, Default)]
struct Fields {
    /// Whether the value itself is read, not only fields of it.
    whole: bool,
    below: BTreeMap<String, Fields>,
}

/// What an expression reads.
#[derive(Clone, Debug, Default)]
pub(super) struct Paths {
    roots: BTreeMap<String, Fields>,
    pub(super) functions: BTreeSet<String>,
    /// The deepest nesting of macros.
    pub(super) macros: usize,
}

impl Paths {
    pub(super) fn of(expression: &IdedExpr) -> Self {
        let mut paths = Self::default();
        paths.visit(expression, &mut Vec::new(), 0);
        paths
    }

    pub(super) fn variables(&self) -> impl Iterator<Item = &str> {
        self.roots.keys().map(String::as_str)
    }

    /// Whether the variable is read as a whole.
    pub(super) fn whole(&self, variable: &str) -> bool {
        self.roots.get(variable).is_some_and(|fields| fields.whole)
    }

    /// The fields that are read of a variable.
    pub(super) fn members(&self, variable: &str) -> impl Iterator<Item = &str> {
        self.roots
            .get(variable)
            .into_iter()
            .flat_map(|fields| fields.below.keys().map(String::as_str))
    }

    /// The part of a variable's value that is read, with null where it has nothing.
    pub(super) fn read(&self, variable: &str, value: Value) -> Value {
        match self.roots.get(variable) {
            Some(fields) => fields.read(value),
            None => value,
        }
    }

    fn visit(&mut self, expression: &IdedExpr, bound: &mut Vec<String>, depth: usize) {
        if let Some((root, path)) = path_of(&expression.expr) {
            if !bound.contains(root) {
                let mut fields = self.roots.entry(root.clone()).or_default();
                for name in path {
                    fields = fields.below.entry(name.to_owned()).or_default();
                }
                fields.whole = true;
            }
            return;
        }
        match &expression.expr {
            Expr::Call(call) => {
                self.functions.insert(call.func_name.clone());
                call.target
                    .iter()
                    .for_each(|target| self.visit(target, bound, depth));
                call.args
                    .iter()
                    .for_each(|argument| self.visit(argument, bound, depth));
            }
            Expr::Comprehension(comprehension) => {
                self.macros = self.macros.max(depth + 1);
                self.visit(&comprehension.iter_range, bound, depth);
                self.visit(&comprehension.accu_init, bound, depth);
                let outer = bound.len();
                bound.push(comprehension.iter_var.clone());
                bound.extend(comprehension.iter_var2.clone());
                bound.push(comprehension.accu_var.clone());
                self.visit(&comprehension.loop_cond, bound, depth + 1);
                self.visit(&comprehension.loop_step, bound, depth + 1);
                self.visit(&comprehension.result, bound, depth + 1);
                bound.truncate(outer);
            }
            Expr::List(list) => list
                .elements
                .iter()
                .for_each(|element| self.visit(element, bound, depth)),
            Expr::Map(map) => {
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        self.visit(&entry.key, bound, depth);
                        self.visit(&entry.value, bound, depth);
                    }
                }
            }
            Expr::Select(select) => self.visit(&select.operand, bound, depth),
            Expr::Struct(structure) => {
                self.functions.insert(structure.type_name.clone());
            }
            Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => {}
        }
    }
}

impl Fields {
    fn read(&self, value: Value) -> Value {
        match value {
            Value::Object(mut members) => {
                let mut read = if self.whole {
                    members.clone()
                } else {
                    Map::new()
                };
                for (name, fields) in &self.below {
                    let member = members.shift_remove(name).unwrap_or(Value::Null);
                    read.insert(name.clone(), fields.read(member));
                }
                Value::Object(read)
            }
            // A field of nothing is null too, so what only serves as a way there becomes an object of nulls.
            Value::Null if !self.whole && !self.below.is_empty() => self
                .below
                .iter()
                .map(|(name, fields)| (name.clone(), fields.read(Value::Null)))
                .collect::<Map<_, _>>()
                .into(),
            other => other,
        }
    }
}

/// `root.a.b` or `root['a'].b` as root and path. `has(root.a)` is none: whether a key is there must stay visible.
fn path_of(expression: &Expr) -> Option<(&String, Vec<&str>)> {
    match expression {
        Expr::Ident(root) => Some((root, Vec::new())),
        Expr::Select(select) if !select.test => {
            let (root, mut path) = path_of(&select.operand.expr)?;
            path.push(&select.field);
            Some((root, path))
        }
        Expr::Call(call) if call.func_name == "_[_]" => {
            let [operand, index] = call.args.as_slice() else {
                return None;
            };
            let Expr::Literal(LiteralValue::String(name)) = &index.expr else {
                return None;
            };
            let (root, mut path) = path_of(&operand.expr)?;
            path.push(name.inner());
            Some((root, path))
        }
        _ => None,
    }
}
