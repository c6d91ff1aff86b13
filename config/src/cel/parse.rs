//! Parsing without harm: the parser goes down with each bracket, a hundred kilobytes of stack and more.

use std::thread;

use kube_cel::cel::common::ast::{EntryExpr, Expr};
use kube_cel::cel::{IdedExpr, Program};

/// Brackets within brackets, and conditions (`?`) one after another, that are read.
pub(super) const DEEPEST: usize = 24;

/// Parts within parts that are evaluated: the interpreter goes down with each, on the stack of whoever asks it to.
const DEEPEST_PARTS: usize = 32;

/// Stack for an expression of that depth, several times over. What is not used costs nothing.
const STACK: usize = 64 << 20;

/// A byte of the text, and what is wrong there.
pub(super) type Fault = (usize, String);

/// Parses an expression.
pub(super) fn parse(source: &str) -> Result<Program, Fault> {
    if let Some(at) = too_deep(source) {
        let message =
            format!("brackets and conditions are nested too deep; at most {DEEPEST} are read");
        return Err((at, message));
    }
    let parsed = thread::scope(|scope| {
        let builder = thread::Builder::new().stack_size(STACK);
        let thread = builder.spawn_scoped(scope, || compile(source));
        thread
            .map_err(|fault| format!("it could not be parsed: {fault}"))?
            .join()
            .map_err(|_| "it makes the parser fail".to_owned())
    });
    parsed.map_err(|message| (0, message))?
}

fn compile(source: &str) -> Result<Program, Fault> {
    let program = Program::compile(source).map_err(|faults| {
        let first = faults.errors.first();
        let message = first.map(|fault| fault.msg.clone()).unwrap_or_default();
        (
            first.map_or(0, |fault| offset_of(source, fault.pos)),
            message,
        )
    })?;
    if depth(program.expression()) <= DEEPEST_PARTS {
        return Ok(program);
    }
    let message = format!(
        "its parts are nested too deep, or too many are chained; at most {DEEPEST_PARTS} are evaluated"
    );
    Err((0, message))
}

/// How far down the deepest part is.
fn depth(expr: &IdedExpr) -> usize {
    1 + parts(expr).into_iter().map(depth).max().unwrap_or_default()
}

/// What an expression consists of, in the order of the text.
pub(super) fn parts(expr: &IdedExpr) -> Vec<&IdedExpr> {
    match &expr.expr {
        Expr::Call(call) => call
            .target
            .as_deref()
            .into_iter()
            .chain(&call.args)
            .collect(),
        Expr::List(list) => list.elements.iter().collect(),
        Expr::Map(map) => map
            .entries
            .iter()
            .filter_map(|entry| match &entry.expr {
                EntryExpr::MapEntry(entry) => Some([&entry.key, &entry.value]),
                EntryExpr::StructField(_) => None,
            })
            .flatten()
            .collect(),
        Expr::Comprehension(loops) => vec![&loops.iter_range, &loops.loop_step],
        Expr::Select(select) => vec![&select.operand],
        _ => Vec::new(),
    }
}

/// The byte that the parser's line and column, both counted from 1, speak of.
fn offset_of(source: &str, (line, column): (isize, isize)) -> usize {
    let line = usize::try_from(line).unwrap_or(1).max(1);
    let column = usize::try_from(column).unwrap_or(1).max(1);
    let before: usize = source
        .split_inclusive('\n')
        .take(line - 1)
        .map(str::len)
        .sum();
    let rest = source.get(before..).unwrap_or_default();
    let within = rest.char_indices().nth(column - 1);
    before + within.map_or(rest.trim_end().len(), |(at, _)| at)
}

/// The byte at which the text is nested deeper than [`DEEPEST`].
fn too_deep(source: &str) -> Option<usize> {
    let bytes = source.as_bytes();
    let (mut at, mut brackets, mut conditions) = (0, 0_usize, 0_usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' | b'\'' => {
                let raw = at > 0 && matches!(bytes[at - 1], b'r' | b'R');
                at = after_text(bytes, at, raw);
                continue;
            }
            b'(' | b'[' | b'{' => brackets += 1,
            b')' | b']' | b'}' => brackets = brackets.saturating_sub(1),
            b'?' => conditions += 1,
            _ => {}
        }
        if brackets > DEEPEST || conditions > DEEPEST {
            return Some(at);
        }
        at += 1;
    }
    None
}

/// The byte behind a text that begins at `at`.
pub(super) fn after_text(bytes: &[u8], at: usize, raw: bool) -> usize {
    let quote = bytes[at];
    let long = bytes[at..].starts_with(&[quote; 3]);
    let end: &[u8] = if long { &[quote; 3] } else { &[quote] };
    let mut at = at + end.len();
    while at < bytes.len() {
        if bytes[at] == b'\\' && !raw {
            at += 2;
        } else if bytes[at..].starts_with(end) {
            return at + end.len();
        } else {
            at += 1;
        }
    }
    bytes.len()
}
