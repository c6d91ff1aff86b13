//! From what the parser found to a program. Nothing is evaluated.

use std::collections::HashMap;

use minijinja::machinery::ast::{self, BinOpKind, CallArg, CompareOpKind, Stmt, UnaryOpKind};

use super::fault::Faulty;
use super::syntax::{
    Applied, Argument, Arguments, Definition, Expr, For, Name, Node, Operator, Program, Step,
    Target,
};
use super::{checks, filters};

/// How deep statements and expressions may be nested.
const DEEPEST: usize = 100;

/// Makes the program of a template.
pub(super) fn compile(parsed: &Stmt<'_>) -> Compiled<Program> {
    let mut compiler = Compiler::default();
    let body = match parsed {
        Stmt::Template(template) => compiler.nodes(&template.children)?,
        other => compiler.nodes(std::slice::from_ref(other))?,
    };
    let places = compiler.places.into_iter();
    Ok(Program {
        body,
        macros: compiler.macros,
        names: compiler.names,
        places: places.map(|(name, at)| (name.to_owned(), at)).collect(),
    })
}

#[derive(Default)]
struct Compiler<'a> {
    names: Vec<String>,
    places: HashMap<&'a str, Name>,
    macros: Vec<Definition>,
    depth: usize,
    line: usize,
}

type Compiled<T> = Result<T, Faulty>;

impl<'a> Compiler<'a> {
    fn refuse<T>(&self, message: impl Into<String>) -> Compiled<T> {
        Err(Faulty::new(self.line, message))
    }

    fn name(&mut self, name: &'a str) -> Name {
        *self.places.entry(name).or_insert_with(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        })
    }

    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Compiled<T>) -> Compiled<T> {
        if self.depth >= DEEPEST {
            return self.refuse(format!("it is nested more than {DEEPEST} deep"));
        }
        self.depth += 1;
        let made = inner(self);
        self.depth -= 1;
        made
    }

    fn nodes(&mut self, statements: &[Stmt<'a>]) -> Compiled<Vec<Node>> {
        let mut nodes = Vec::with_capacity(statements.len());
        for statement in statements {
            let node = self.deeper(|own| {
                own.line = line_of(statement);
                let line = own.line;
                Ok(Node {
                    line,
                    step: own.step(statement)?,
                })
            });
            nodes.push(node?);
        }
        Ok(nodes)
    }

    fn step(&mut self, statement: &Stmt<'a>) -> Compiled<Step> {
        Ok(match statement {
            Stmt::EmitRaw(raw) => Step::Raw(raw.raw.to_owned()),
            Stmt::EmitExpr(emit) => Step::Emit(self.expr(&emit.expr)?),
            Stmt::ForLoop(loops) => self.loops(loops)?,
            Stmt::IfCond(condition) => self.conditions(condition)?,
            Stmt::WithBlock(with) => {
                let mut assignments = Vec::with_capacity(with.assignments.len());
                for (target, value) in &with.assignments {
                    assignments.push((self.target(target)?, self.expr(value)?));
                }
                Step::With(assignments, self.nodes(&with.body)?)
            }
            Stmt::Set(set) => Step::Set(self.target(&set.target)?, self.expr(&set.expr)?),
            Stmt::SetBlock(set) => {
                let filters = set.filter.as_ref().map(|filter| self.filters(filter));
                let filters = filters.transpose()?.unwrap_or_default();
                Step::Capture(self.target(&set.target)?, filters, self.nodes(&set.body)?)
            }
            Stmt::FilterBlock(block) => {
                Step::Filtered(self.filters(&block.filter)?, self.nodes(&block.body)?)
            }
            Stmt::Macro(definition) => {
                let name = self.name(definition.name);
                Step::Macro(name, self.definition(definition)?)
            }
            Stmt::CallBlock(block) => {
                let call = self.call(&block.call)?;
                Step::Call(call, self.definition(&block.macro_decl)?)
            }
            Stmt::Do(statement) => Step::Do(self.call(&statement.call)?),
            Stmt::Continue(_) => Step::Continue,
            Stmt::Break(_) => Step::Break,
            Stmt::AutoEscape(_) => return self.refuse("autoescape is not supported"),
            Stmt::Template(_) => return self.refuse("a template within a template"),
        })
    }

    fn loops(&mut self, loops: &ast::ForLoop<'a>) -> Compiled<Step> {
        if loops.recursive {
            return self.refuse("recursive loops are not supported; write a macro");
        }
        let filter = loops.filter_expr.as_ref().map(|filter| self.expr(filter));
        Ok(Step::For(Box::new(For {
            target: self.target(&loops.target)?,
            items: self.expr(&loops.iter)?,
            filter: filter.transpose()?,
            body: self.nodes(&loops.body)?,
            otherwise: self.nodes(&loops.else_body)?,
        })))
    }

    /// `elif` is an `if` that is all of an `else`.
    fn conditions(&mut self, first: &ast::IfCond<'a>) -> Compiled<Step> {
        let mut branches = vec![(self.expr(&first.expr)?, self.nodes(&first.true_body)?)];
        let mut otherwise = &first.false_body;
        while let [Stmt::IfCond(next)] = otherwise.as_slice() {
            self.line = next.span().start_line.into();
            branches.push((self.expr(&next.expr)?, self.nodes(&next.true_body)?));
            otherwise = &next.false_body;
        }
        Ok(Step::If(branches, self.nodes(otherwise)?))
    }

    fn definition(&mut self, definition: &ast::Macro<'a>) -> Compiled<usize> {
        let mut parameters = Vec::with_capacity(definition.args.len());
        let without = definition.args.len() - definition.defaults.len();
        for (place, argument) in definition.args.iter().enumerate() {
            let ast::Expr::Var(name) = argument else {
                return self.refuse("a parameter is a name");
            };
            let default = place
                .checked_sub(without)
                .and_then(|place| definition.defaults.get(place));
            let default = default.map(|default| self.expr(default)).transpose()?;
            parameters.push((self.name(name.id), default));
        }
        let body = self.nodes(&definition.body)?;
        self.macros.push(Definition { parameters, body });
        Ok(self.macros.len() - 1)
    }

    fn target(&mut self, target: &ast::Expr<'a>) -> Compiled<Target> {
        self.deeper(|own| {
            Ok(match target {
                ast::Expr::Var(name) => Target::Name(own.name(name.id)),
                ast::Expr::GetAttr(of) => Target::Member(own.expr(&of.expr)?, of.name.to_owned()),
                ast::Expr::List(list) => {
                    let each = list.items.iter().map(|item| own.target(item));
                    Target::Each(each.collect::<Compiled<_>>()?)
                }
                other => {
                    let what = other.description();
                    return own.refuse(format!("cannot assign to a {what}"));
                }
            })
        })
    }

    /// A chain of filters without what they are applied to, the first of them first.
    fn filters(&mut self, filter: &ast::Expr<'a>) -> Compiled<Vec<Applied>> {
        let mut chain = Vec::new();
        let mut next = Some(filter);
        while let Some(ast::Expr::Filter(filter)) = next {
            chain.push(self.filter(filter)?);
            next = filter.expr.as_ref();
        }
        chain.reverse();
        Ok(chain)
    }

    fn filter(&mut self, filter: &ast::Filter<'a>) -> Compiled<Applied> {
        if !filters::NAMES.contains(&filter.name) {
            let known = filters::NAMES.join(", ");
            return self.refuse(format!("unknown filter {}; there are {known}", filter.name));
        }
        Ok(Applied {
            name: filter.name.to_owned(),
            arguments: self.arguments(&filter.args)?,
        })
    }

    fn test(&mut self, test: &ast::Test<'a>) -> Compiled<Applied> {
        if !checks::NAMES.contains(&test.name) {
            let known = checks::NAMES.join(", ");
            return self.refuse(format!("unknown test {}; there are {known}", test.name));
        }
        Ok(Applied {
            name: test.name.to_owned(),
            arguments: self.arguments(&test.args)?,
        })
    }

    fn call(&mut self, call: &ast::Call<'a>) -> Compiled<Expr> {
        let arguments = self.arguments(&call.args)?;
        Ok(match &call.expr {
            ast::Expr::GetAttr(of) => {
                Expr::Method(self.boxed(&of.expr)?, of.name.to_owned(), arguments)
            }
            called => Expr::Call(self.boxed(called)?, arguments),
        })
    }

    fn arguments(&mut self, written: &[CallArg<'a>]) -> Compiled<Arguments> {
        let mut arguments = Arguments::default();
        for argument in written {
            match argument {
                CallArg::Pos(one) => {
                    let one = Argument::One(self.expr(one)?);
                    arguments.by_place.push(one);
                }
                CallArg::PosSplat(each) => {
                    let each = Argument::Each(self.expr(each)?);
                    arguments.by_place.push(each);
                }
                CallArg::Kwarg(name, value) => {
                    let value = self.expr(value)?;
                    arguments.by_name.push(((*name).to_owned(), value));
                }
                CallArg::KwargSplat(more) => {
                    let more = self.expr(more)?;
                    arguments.more.push(more);
                }
            }
        }
        Ok(arguments)
    }

    fn boxed(&mut self, expr: &ast::Expr<'a>) -> Compiled<Box<Expr>> {
        self.expr(expr).map(Box::new)
    }

    fn optional(&mut self, expr: Option<&ast::Expr<'a>>) -> Compiled<Option<Expr>> {
        expr.map(|expr| self.expr(expr)).transpose()
    }

    fn exprs(&mut self, exprs: &[ast::Expr<'a>]) -> Compiled<Vec<Expr>> {
        exprs.iter().map(|expr| self.expr(expr)).collect()
    }

    fn expr(&mut self, expr: &ast::Expr<'a>) -> Compiled<Expr> {
        self.deeper(|own| own.made(expr))
    }

    fn made(&mut self, expr: &ast::Expr<'a>) -> Compiled<Expr> {
        Ok(match expr {
            ast::Expr::Var(name) => Expr::Variable(self.name(name.id)),
            ast::Expr::Const(constant) => self.constant(&constant.value)?,
            ast::Expr::List(list) => Expr::List(self.exprs(&list.items)?),
            ast::Expr::Tuple(tuple) => Expr::Tuple(self.exprs(&tuple.items)?),
            ast::Expr::Map(map) => {
                let (keys, values) = (self.exprs(&map.keys)?, self.exprs(&map.values)?);
                Expr::Map(keys.into_iter().zip(values).collect())
            }
            ast::Expr::UnaryOp(unary) => {
                let operand = self.boxed(&unary.expr)?;
                match unary.op {
                    UnaryOpKind::Not => Expr::Not(operand),
                    UnaryOpKind::Neg => Expr::Negative(operand),
                }
            }
            ast::Expr::BinOp(_) => self.chain(expr)?,
            ast::Expr::Compare(compare) => {
                let mut ops = Vec::with_capacity(compare.ops.len());
                for op in &compare.ops {
                    ops.push((comparison(op.op), self.expr(&op.expr)?));
                }
                Expr::Compare(self.boxed(&compare.expr)?, ops)
            }
            ast::Expr::IfExpr(condition) => {
                let test = self.expr(&condition.test_expr)?;
                let then = self.expr(&condition.true_expr)?;
                let otherwise = self.optional(condition.false_expr.as_ref())?;
                Expr::If(Box::new((test, then, otherwise)))
            }
            ast::Expr::GetAttr(of) => Expr::Member(self.boxed(&of.expr)?, of.name.to_owned()),
            ast::Expr::GetItem(of) => {
                let operands = (self.expr(&of.expr)?, self.expr(&of.subscript_expr)?);
                Expr::Item(Box::new(operands))
            }
            ast::Expr::Slice(slice) => {
                let of = self.expr(&slice.expr)?;
                let start = self.optional(slice.start.as_ref())?;
                let stop = self.optional(slice.stop.as_ref())?;
                let step = self.optional(slice.step.as_ref())?;
                Expr::Slice(Box::new((of, [start, stop, step])))
            }
            ast::Expr::Filter(filter) => {
                let Some(of) = &filter.expr else {
                    return self.refuse("a filter of nothing");
                };
                Expr::Filter(self.boxed(of)?, Box::new(self.filter(filter)?))
            }
            ast::Expr::Test(test) => {
                Expr::Test(self.boxed(&test.expr)?, Box::new(self.test(test)?))
            }
            ast::Expr::Call(call) => self.call(call)?,
        })
    }

    fn constant(&self, value: &minijinja::Value) -> Compiled<Expr> {
        use minijinja::value::ValueKind;
        let float = || f64::try_from(value.clone()).ok().map(Expr::Float);
        let made = match value.kind() {
            ValueKind::None => Some(Expr::None),
            ValueKind::Bool => Some(Expr::Bool(value.is_true())),
            ValueKind::String => value.as_str().map(|text| Expr::Text(text.to_owned())),
            ValueKind::Number if value.is_integer() => {
                i128::try_from(value.clone()).ok().map(Expr::Int)
            }
            ValueKind::Number => float(),
            _ => None,
        };
        match made {
            Some(made) => Ok(made),
            None => self.refuse("a constant that is none"),
        }
    }

    fn chain(&mut self, expr: &ast::Expr<'a>) -> Compiled<Expr> {
        let mut ops = Vec::new();
        let mut first = expr;
        while let ast::Expr::BinOp(op) = first {
            ops.push((binary(op.op), self.expr(&op.right)?));
            first = &op.left;
        }
        ops.reverse();
        Ok(Expr::Chain(self.boxed(first)?, ops))
    }
}

fn comparison(kind: CompareOpKind) -> Operator {
    match kind {
        CompareOpKind::Eq => Operator::Equal,
        CompareOpKind::Ne => Operator::NotEqual,
        CompareOpKind::Lt => Operator::Less,
        CompareOpKind::Lte => Operator::AtMost,
        CompareOpKind::Gt => Operator::Greater,
        CompareOpKind::Gte => Operator::AtLeast,
        CompareOpKind::In => Operator::In,
        CompareOpKind::NotIn => Operator::NotIn,
    }
}

fn binary(kind: BinOpKind) -> Operator {
    match kind {
        BinOpKind::Eq => Operator::Equal,
        BinOpKind::Ne => Operator::NotEqual,
        BinOpKind::Lt => Operator::Less,
        BinOpKind::Lte => Operator::AtMost,
        BinOpKind::Gt => Operator::Greater,
        BinOpKind::Gte => Operator::AtLeast,
        BinOpKind::ScAnd => Operator::And,
        BinOpKind::ScOr => Operator::Or,
        BinOpKind::Add => Operator::Add,
        BinOpKind::Sub => Operator::Subtract,
        BinOpKind::Mul => Operator::Multiply,
        BinOpKind::Div => Operator::Divide,
        BinOpKind::FloorDiv => Operator::FloorDivide,
        BinOpKind::Rem => Operator::Remainder,
        BinOpKind::Pow => Operator::Power,
        BinOpKind::Concat => Operator::Concat,
        BinOpKind::In => Operator::In,
    }
}

fn line_of(statement: &Stmt<'_>) -> usize {
    let span = match statement {
        Stmt::Template(of) => of.span(),
        Stmt::EmitExpr(of) => of.expr.span(),
        Stmt::EmitRaw(of) => of.span(),
        Stmt::ForLoop(of) => of.span(),
        Stmt::IfCond(of) => of.span(),
        Stmt::WithBlock(of) => of.span(),
        Stmt::Set(of) => of.span(),
        Stmt::SetBlock(of) => of.span(),
        Stmt::AutoEscape(of) => of.span(),
        Stmt::FilterBlock(of) => of.span(),
        Stmt::Macro(of) => of.span(),
        Stmt::CallBlock(of) => of.span(),
        Stmt::Continue(of) => of.span(),
        Stmt::Break(of) => of.span(),
        Stmt::Do(of) => of.span(),
    };
    usize::from(span.start_line).max(1)
}
