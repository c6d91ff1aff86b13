//! From an expression as it was written to one that is cheap and safe to evaluate.
//!
//! Paths that begin at a variable become one read each, so that nothing else of the variable is converted. Reading a key or an item
//! elsewhere becomes a call that yields null for what is missing. `map` and `filter` become a loop of ours, since CEL's own copies its
//! result with each turn, and the other macros count their turns.

use std::collections::HashMap;

use kube_cel::cel::IdedExpr;
use kube_cel::cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, ListExpr, LiteralValue, MapExpr, SelectExpr,
};

use super::functions;
use super::locate::Words as Located;
use crate::cel::parse::{Fault, parts};
use crate::cel::{DEEPEST_MACROS, FUNCTIONS};

/// What an expression may name.
#[derive(Clone, Copy, Debug)]
pub(in crate::cel) struct Words {
    /// The variables.
    pub(in crate::cel) variables: &'static [&'static str],
    /// Functions besides CEL's own.
    pub(in crate::cel) functions: &'static [&'static str],
    /// The cure of most faults, which come of a null.
    pub(in crate::cel) guard: &'static str,
}

/// `map` and `filter`: a list, the name of its items, a condition, what each becomes.
pub(super) const EACH: &str = "@each";
pub(super) const GET: &str = "@get";
pub(super) const HAS: &str = "@has";
pub(super) const AT: &str = "@at";
pub(super) const READ: &str = "@read";
pub(super) const TICK: &str = "@tick";

/// The variable whose values the author of a Mapper writes.
const PARAMETERS: &str = "parameters";

/// A step of a path.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::cel) enum Step {
    Member(String),
    Item(usize),
}

/// A path that is read.
#[derive(Clone, Debug)]
pub(in crate::cel) struct Read {
    pub(in crate::cel) root: &'static str,
    pub(super) path: Vec<Step>,
    /// Asks whether this member is there instead.
    pub(super) test: Option<String>,
}

impl Read {
    /// The header that it reads.
    pub(in crate::cel) fn header(&self) -> Option<&str> {
        match (self.root, self.path.first(), &self.test) {
            ("headers", Some(Step::Member(name)), _) | ("headers", None, Some(name)) => Some(name),
            _ => None,
        }
    }

    /// The names of members that it reads.
    pub(super) fn members(&self) -> impl Iterator<Item = &str> {
        let names = self.path.iter().filter_map(|step| match step {
            Step::Member(name) => Some(name.as_str()),
            Step::Item(_) => None,
        });
        names.chain(self.test.as_deref())
    }

    /// The path's first `depth` steps, as they are written.
    pub(super) fn shown(&self, depth: usize) -> String {
        let mut shown = self.root.to_owned();
        for step in self.path.iter().take(depth) {
            match step {
                Step::Member(name) => shown.push_str(&format!(".{name}")),
                Step::Item(place) => shown.push_str(&format!("[{place}]")),
            }
        }
        shown
    }
}

/// An expression that can be evaluated.
#[derive(Debug)]
pub(in crate::cel) struct Plan {
    pub(in crate::cel) root: IdedExpr,
    pub(in crate::cel) reads: Vec<Read>,
    /// The bytes at which parts begin, by their ids.
    places: HashMap<u64, usize>,
}

impl Plan {
    pub(in crate::cel) fn of(
        written: &IdedExpr,
        source: &str,
        known: Words,
    ) -> Result<Self, Fault> {
        let mut rewriting = Rewriting {
            known,
            words: Located::of(source),
            reads: Vec::new(),
            places: HashMap::new(),
            bound: Vec::new(),
        };
        let root = rewriting.expr(written, 0)?;
        Ok(Self {
            root,
            reads: rewriting.reads,
            places: rewriting.places,
        })
    }

    /// Where a part begins, as far as names tell.
    pub(in crate::cel) fn place(&self, expr: &IdedExpr) -> usize {
        self.find(expr).unwrap_or_default()
    }

    fn find(&self, expr: &IdedExpr) -> Option<usize> {
        let own = self.places.get(&expr.id).copied();
        own.or_else(|| parts(expr).into_iter().find_map(|part| self.find(part)))
    }
}

struct Rewriting<'s> {
    known: Words,
    words: Located<'s>,
    reads: Vec<Read>,
    places: HashMap<u64, usize>,
    /// The names that macros bind.
    bound: Vec<String>,
}

impl Rewriting<'_> {
    fn expr(&mut self, written: &IdedExpr, depth: usize) -> Result<IdedExpr, Fault> {
        let id = written.id;
        let made = |expr| Ok(IdedExpr { id, expr });
        if let Some(read) = self.read(&written.expr, id)? {
            return made(read);
        }
        match &written.expr {
            Expr::Ident(name) if name.starts_with('@') => Ok(written.clone()),
            Expr::Ident(_) => made(call(READ, vec![written.clone()])),
            Expr::Literal(_) | Expr::Unspecified => Ok(written.clone()),
            Expr::Call(called) => self.call(called, id, depth),
            Expr::Select(select) => {
                let operand = self.operand(&select.operand, depth)?;
                let function = if select.test { HAS } else { GET };
                made(call(function, vec![operand, text(id, &select.field)]))
            }
            Expr::List(list) => {
                let elements = self.all(&list.elements, depth)?;
                let optional = list.optional_indices.clone();
                made(Expr::List(ListExpr::new_with_optionals(elements, optional)))
            }
            Expr::Map(map) => {
                let mut entries = Vec::with_capacity(map.entries.len());
                for entry in &map.entries {
                    let mut made = entry.clone();
                    if let EntryExpr::MapEntry(pair) = &mut made.expr {
                        pair.key = self.expr(&pair.key, depth)?;
                        pair.value = self.expr(&pair.value, depth)?;
                    }
                    entries.push(made);
                }
                made(Expr::Map(MapExpr { entries }))
            }
            Expr::Comprehension(loops) => self.loops(loops, id, depth),
            Expr::Struct(structure) => Err((
                0,
                format!(
                    "{:?} is no type that is known; write an object as in {{'key': value}}",
                    structure.type_name
                ),
            )),
        }
    }

    fn all(&mut self, written: &[IdedExpr], depth: usize) -> Result<Vec<IdedExpr>, Fault> {
        written.iter().map(|each| self.expr(each, depth)).collect()
    }

    /// What a key is read of: an item of a macro's list as it stands, without a copy that would be paid for.
    fn operand(&mut self, written: &IdedExpr, depth: usize) -> Result<IdedExpr, Fault> {
        match &written.expr {
            Expr::Ident(name) if self.bound.contains(name) => Ok(written.clone()),
            _ => self.expr(written, depth),
        }
    }

    fn call(&mut self, called: &CallExpr, id: u64, depth: usize) -> Result<IdedExpr, Fault> {
        let name = called.func_name.as_str();
        let target = match &called.target {
            Some(target) => Some(Box::new(self.expr(target, depth)?)),
            None => None,
        };
        let is_word = name.starts_with(|first: char| first.is_alphabetic() || first == '_')
            && !name.starts_with("_")
            && name != "in";
        if is_word && let Some(at) = self.words.function(name) {
            self.places.insert(id, at);
        }
        if !FUNCTIONS.contains(&name) && !self.known.functions.contains(&name) {
            let at = self.places.get(&id).copied().unwrap_or_default();
            let known = FUNCTIONS.iter().chain(self.known.functions);
            let known: Vec<&str> = known
                .copied()
                .filter(|name| name.starts_with(char::is_alphabetic))
                .collect();
            let known = known.join(", ");
            return Err((at, format!("unknown function {name:?}; there are {known}")));
        }
        if name == "_[_]"
            && let [operand, index] = called.args.as_slice()
        {
            let operand = self.operand(operand, depth)?;
            let index = self.expr(index, depth)?;
            let expr = call(AT, vec![operand, index]);
            return Ok(IdedExpr { id, expr });
        }
        if name == "render" {
            self.template(called, id)?;
        }
        if name == "matches" {
            self.regex(called, id)?;
        }
        let args = self.all(&called.args, depth)?;
        let expr = Expr::Call(CallExpr {
            func_name: called.func_name.clone(),
            target,
            args,
        });
        Ok(IdedExpr { id, expr })
    }

    /// A regular expression is the author's own: a literal that compiles, or a parameter.
    fn regex(&self, called: &CallExpr, id: u64) -> Result<(), Fault> {
        let at = self.places.get(&id).copied().unwrap_or_default();
        match called.args.last().map(|regex| &regex.expr) {
            Some(Expr::Literal(LiteralValue::String(regex))) => {
                functions::check_regex(regex.inner()).map_err(|fault| (at, fault))
            }
            // One that a request brought would cost more to compile than any meter tells.
            Some(regex) if self.is_parameter(regex) => Ok(()),
            _ => {
                let from = if self.known.variables.contains(&PARAMETERS) {
                    " or is one of the parameters"
                } else {
                    ""
                };
                Err((
                    at,
                    format!(
                        "matches takes a regular expression that is written out{from}, as in matches('^team-')"
                    ),
                ))
            }
        }
    }

    /// Whether it is read of the parameters, which the Mapper's author writes.
    fn is_parameter(&self, expression: &Expr) -> bool {
        let path = path_of(expression);
        let bound = |root: &String| self.bound.contains(root);
        path.is_some_and(|(root, path)| root == PARAMETERS && !path.is_empty() && !bound(root))
    }

    /// A template is the Mapper's own: a literal that compiles, or one of its parameters.
    fn template(&self, called: &CallExpr, id: u64) -> Result<(), Fault> {
        let at = self.places.get(&id).copied().unwrap_or_default();
        let template = called.target.as_deref().or(called.args.first());
        let template = template.map(|template| &template.expr);
        if let Some(Expr::Literal(LiteralValue::String(literal))) = template {
            return functions::check_template(literal.inner()).map_err(|fault| (at, fault));
        }
        if template.is_some_and(|template| self.is_parameter(template)) {
            return Ok(());
        }
        let message = "render takes its template as a literal or from parameters, as in render(parameters.template, {'messages': body.messages})";
        Err((at, message.to_owned()))
    }

    fn loops(
        &mut self,
        loops: &ComprehensionExpr,
        id: u64,
        depth: usize,
    ) -> Result<IdedExpr, Fault> {
        let iter_range = self.expr(&loops.iter_range, depth)?;
        if depth >= DEEPEST_MACROS {
            let plan = self.places.get(&iter_range.id).copied();
            let message = format!(
                "macros are nested {} deep; at most {DEEPEST_MACROS} are evaluated",
                depth + 1
            );
            return Err((plan.unwrap_or_default(), message));
        }
        let outer = self.bound.len();
        self.bound.push(loops.iter_var.clone());
        let made = self.body(loops, iter_range, depth + 1);
        self.bound.truncate(outer);
        Ok(IdedExpr { id, expr: made? })
    }

    fn body(
        &mut self,
        loops: &ComprehensionExpr,
        iter_range: IdedExpr,
        depth: usize,
    ) -> Result<Expr, Fault> {
        let id = iter_range.id;
        if let Some((condition, element)) = collects(loops) {
            let condition = match condition {
                Some(condition) => self.expr(condition, depth)?,
                None => truth(id),
            };
            // The name that `filter` binds is no read of its own.
            let element = self.expr(element, depth)?;
            let name = IdedExpr {
                id,
                expr: Expr::Ident(loops.iter_var.clone()),
            };
            return Ok(call(EACH, vec![iter_range, name, condition, element]));
        }
        let tick = IdedExpr {
            id,
            expr: call(TICK, Vec::new()),
        };
        let loop_cond = IdedExpr {
            id,
            expr: call("_&&_", vec![tick, loops.loop_cond.clone()]),
        };
        Ok(Expr::Comprehension(Box::new(ComprehensionExpr {
            iter_range,
            iter_var: loops.iter_var.clone(),
            iter_var2: loops.iter_var2.clone(),
            accu_var: loops.accu_var.clone(),
            accu_init: loops.accu_init.clone(),
            loop_cond,
            loop_step: self.expr(&loops.loop_step, depth)?,
            result: loops.result.clone(),
        })))
    }

    /// One read for a path that begins at a variable.
    fn read(&mut self, written: &Expr, id: u64) -> Result<Option<Expr>, Fault> {
        let (path, test) = match written {
            Expr::Select(SelectExpr {
                operand,
                field,
                test: true,
            }) => (path_of(&operand.expr), Some(field.clone())),
            other => (path_of(other), None),
        };
        let Some((name, path)) = path else {
            return Ok(None);
        };
        if self.bound.iter().any(|bound| bound == name) || name.starts_with('@') {
            return Ok(None);
        }
        let at = self.words.variable(name).unwrap_or_default();
        let known = self.known.variables;
        let Some(root) = known.iter().copied().find(|known| known == name) else {
            let known = known.join(", ");
            return Err((at, format!("unknown variable {name:?}; there are {known}")));
        };
        if root == "headers" && path.is_empty() && test.is_none() {
            let message = "name the header that is meant, as in headers['x-team']";
            return Err((at, message.to_owned()));
        }
        self.places.insert(id, at);
        self.reads.push(Read { root, path, test });
        Ok(Some(Expr::Ident(format!("@{}", self.reads.len() - 1))))
    }
}

/// `root.a[0]['b']` as root and path.
pub(in crate::cel) fn path_of(expression: &Expr) -> Option<(&String, Vec<Step>)> {
    match expression {
        Expr::Ident(root) => Some((root, Vec::new())),
        Expr::Select(select) if !select.test => {
            let (root, mut path) = path_of(&select.operand.expr)?;
            path.push(Step::Member(select.field.clone()));
            Some((root, path))
        }
        Expr::Call(call) if call.func_name == "_[_]" => {
            let [operand, index] = call.args.as_slice() else {
                return None;
            };
            let step = match &index.expr {
                Expr::Literal(LiteralValue::String(name)) => Step::Member(name.inner().to_owned()),
                Expr::Literal(LiteralValue::Int(place)) => {
                    Step::Item(usize::try_from(*place.inner()).ok()?)
                }
                _ => return None,
            };
            let (root, mut path) = path_of(&operand.expr)?;
            path.push(step);
            Some((root, path))
        }
        _ => None,
    }
}

/// Condition and element of a loop that collects a list, as `map` and `filter` do.
fn collects(loops: &ComprehensionExpr) -> Option<(Option<&IdedExpr>, &IdedExpr)> {
    let element = |step: &'_ IdedExpr| -> Option<()> {
        let Expr::Call(add) = &step.expr else {
            return None;
        };
        (add.func_name == "_+_").then_some(())
    };
    let Expr::List(init) = &loops.accu_init.expr else {
        return None;
    };
    if !init.elements.is_empty() {
        return None;
    }
    let Expr::Call(step) = &loops.loop_step.expr else {
        return None;
    };
    let (condition, adds) = match step.func_name.as_str() {
        "_?_:_" => (Some(step.args.first()?), step.args.get(1)?),
        _ => (None, &loops.loop_step),
    };
    element(adds)?;
    let Expr::Call(add) = &adds.expr else {
        return None;
    };
    let Expr::List(one) = &add.args.get(1)?.expr else {
        return None;
    };
    Some((condition, one.elements.first()?))
}

fn call(name: &str, args: Vec<IdedExpr>) -> Expr {
    Expr::Call(CallExpr {
        func_name: name.to_owned(),
        target: None,
        args,
    })
}

fn text(id: u64, text: &str) -> IdedExpr {
    IdedExpr {
        id,
        expr: Expr::Literal(LiteralValue::String(text.into())),
    }
}

fn truth(id: u64) -> IdedExpr {
    IdedExpr {
        id,
        expr: Expr::Literal(LiteralValue::Boolean(true.into())),
    }
}
