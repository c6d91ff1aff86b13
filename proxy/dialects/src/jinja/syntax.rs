//! Programs: what is left of a template's source.

use std::collections::HashMap;

/// A compiled template.
#[derive(Debug, Default)]
pub struct Program {
    pub(super) body: Vec<Node>,
    pub(super) macros: Vec<Definition>,
    /// The names of variables, and the place of each.
    pub(super) names: Vec<String>,
    pub(super) places: HashMap<String, Name>,
}

/// A variable's place among the names.
pub(super) type Name = usize;

/// A statement with its line.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) step: Step,
}

#[derive(Debug)]
pub(super) enum Step {
    Raw(String),
    Emit(Expr),
    For(Box<For>),
    /// Conditions with what each leads to, and what is done otherwise.
    If(Vec<(Expr, Vec<Node>)>, Vec<Node>),
    With(Vec<(Target, Expr)>, Vec<Node>),
    Set(Target, Expr),
    /// What is written goes through filters into a variable.
    Capture(Target, Vec<Applied>, Vec<Node>),
    /// What is written goes through filters.
    Filtered(Vec<Applied>, Vec<Node>),
    /// A macro by its place.
    Macro(Name, usize),
    /// A call with the macro `caller`.
    Call(Expr, usize),
    Do(Expr),
    Continue,
    Break,
}

#[derive(Debug)]
pub(super) struct For {
    pub(super) target: Target,
    pub(super) items: Expr,
    pub(super) filter: Option<Expr>,
    pub(super) body: Vec<Node>,
    pub(super) otherwise: Vec<Node>,
}

#[derive(Debug)]
pub(super) struct Definition {
    pub(super) parameters: Vec<(Name, Option<Expr>)>,
    pub(super) body: Vec<Node>,
}

/// What is assigned to.
#[derive(Debug)]
pub(super) enum Target {
    Name(Name),
    Member(Expr, String),
    Each(Vec<Target>),
}

/// A filter with its arguments.
#[derive(Debug)]
pub(super) struct Applied {
    pub(super) name: String,
    pub(super) arguments: Arguments,
}

#[derive(Debug)]
pub(super) enum Expr {
    Text(String),
    Int(i128),
    Float(f64),
    Bool(bool),
    None,
    Variable(Name),
    List(Vec<Expr>),
    Tuple(Vec<Expr>),
    Map(Vec<(Expr, Expr)>),
    Not(Box<Expr>),
    Negative(Box<Expr>),
    /// Operators of any kind, from left to right: `a + b + c` is no deeper than `a + b`.
    Chain(Box<Expr>, Vec<(Operator, Expr)>),
    /// `a < b < c`.
    Compare(Box<Expr>, Vec<(Operator, Expr)>),
    /// Condition, then, otherwise.
    If(Box<(Expr, Expr, Option<Expr>)>),
    Member(Box<Expr>, String),
    Item(Box<(Expr, Expr)>),
    Slice(Box<(Expr, [Option<Expr>; 3])>),
    Filter(Box<Expr>, Box<Applied>),
    Test(Box<Expr>, Box<Applied>),
    Call(Box<Expr>, Arguments),
    Method(Box<Expr>, String, Arguments),
}

#[derive(Debug, Default)]
pub(super) struct Arguments {
    pub(super) by_place: Vec<Argument>,
    pub(super) by_name: Vec<(String, Expr)>,
    /// `**`.
    pub(super) more: Vec<Expr>,
}

#[derive(Debug)]
pub(super) enum Argument {
    One(Expr),
    /// `*`.
    Each(Expr),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    And,
    Or,
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
    In,
    NotIn,
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Remainder,
    Power,
    Concat,
}

impl Operator {
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::And => "and",
            Self::Or => "or",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
            Self::In => "in",
            Self::NotIn => "not in",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::FloorDivide => "//",
            Self::Remainder => "%",
            Self::Power => "**",
            Self::Concat => "~",
        }
    }
}
