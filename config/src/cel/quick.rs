//! Conditions of the common kind, decided without the interpreter: comparisons of what is known of a request with what is written out.
//!
//! It says only what the interpreter would say: where types do not fit, it leaves the word to that.

use std::borrow::Cow;

use http::HeaderName;
use kube_cel::cel::IdedExpr;
use kube_cel::cel::common::ast::{CallExpr, Expr, LiteralValue};
use regex::Regex;
use serde_json::Value;

use super::mapping::{Step, compile_regex, follow, path_of};
use super::rule::Facts;

/// A condition.
#[derive(Clone, Debug)]
pub(super) enum Quick {
    All(Vec<Quick>),
    Any(Vec<Quick>),
    Not(Box<Quick>),
    Same(Operand, Operand),
    Among(Operand, Vec<Operand>),
    Member(Operand, Operand),
    /// Whether the user is in a group.
    Group(Operand),
    Text(Operand, Test),
    Truth(Operand),
}

/// Something about a text.
#[derive(Clone, Debug)]
pub(super) enum Test {
    Starts(String),
    Ends(String),
    Contains(String),
    Matches(Regex),
}

/// One side of a comparison.
#[derive(Clone, Debug)]
pub(super) enum Operand {
    Null,
    Bool(bool),
    Int(i64),
    Text(String),
    Header(HeaderName),
    Model,
    Namespace,
    Route,
    Address,
    UserName,
    User(Vec<Step>),
    Request(Vec<Step>),
    Response(Vec<Step>),
}

/// What stands on one side.
enum Seen<'f> {
    Null,
    Bool(bool),
    Int(i64),
    Text(Cow<'f, str>),
    Json(&'f Value),
}

impl Quick {
    /// The condition, if it is of this kind.
    pub(super) fn of(written: &IdedExpr) -> Option<Self> {
        let Expr::Call(call) = &written.expr else {
            return Operand::of(written).map(Self::Truth);
        };
        match (call.func_name.as_str(), call.args.as_slice()) {
            ("_&&_", [one, other]) => Some(Self::All(vec![Self::of(one)?, Self::of(other)?])),
            ("_||_", [one, other]) => Some(Self::Any(vec![Self::of(one)?, Self::of(other)?])),
            ("!_", [one]) => Some(Self::Not(Box::new(Self::of(one)?))),
            ("_==_", [one, other]) => Some(Self::Same(Operand::of(one)?, Operand::of(other)?)),
            ("_!=_", [one, other]) => {
                let same = Self::Same(Operand::of(one)?, Operand::of(other)?);
                Some(Self::Not(Box::new(same)))
            }
            ("@in", [one, other]) => {
                let one = Operand::of(one)?;
                match &other.expr {
                    Expr::List(list) => {
                        let among: Option<Vec<_>> = list.elements.iter().map(Operand::of).collect();
                        Some(Self::Among(one, among?))
                    }
                    _ => Some(match Operand::of(other)? {
                        Operand::User(path) if is_member(&path, "groups") => Self::Group(one),
                        other => Self::Member(one, other),
                    }),
                }
            }
            ("_[_]", _) => Operand::of(written).map(Self::Truth),
            _ => Self::text(call),
        }
    }

    fn text(call: &CallExpr) -> Option<Self> {
        let (Some(target), [argument]) = (&call.target, call.args.as_slice()) else {
            return None;
        };
        let target = Operand::of(target)?;
        let Operand::Text(text) = Operand::of(argument)? else {
            return None;
        };
        let test = match call.func_name.as_str() {
            "startsWith" => Test::Starts(text),
            "endsWith" => Test::Ends(text),
            "contains" => Test::Contains(text),
            "matches" => Test::Matches(compile_regex(&text).ok()?),
            _ => return None,
        };
        Some(Self::Text(target, test))
    }

    /// Whether it holds; none where the interpreter has to say it.
    pub(super) fn holds(&self, facts: &dyn Facts) -> Option<bool> {
        match self {
            Self::All(parts) => {
                for part in parts {
                    if !part.holds(facts)? {
                        return Some(false);
                    }
                }
                Some(true)
            }
            Self::Any(parts) => {
                for part in parts {
                    if part.holds(facts)? {
                        return Some(true);
                    }
                }
                Some(false)
            }
            Self::Not(part) => part.holds(facts).map(|holds| !holds),
            Self::Same(one, other) => one.seen(facts)?.same(&other.seen(facts)?),
            Self::Among(one, others) => {
                let one = one.seen(facts)?;
                for other in others {
                    if one.same(&other.seen(facts)?)? {
                        return Some(true);
                    }
                }
                Some(false)
            }
            Self::Member(one, list) => {
                let (Seen::Text(one), Seen::Json(Value::Array(items))) =
                    (one.seen(facts)?, list.seen(facts)?)
                else {
                    return None;
                };
                for item in items {
                    if item.as_str()? == one {
                        return Some(true);
                    }
                }
                Some(false)
            }
            Self::Group(group) => match group.seen(facts)? {
                Seen::Text(group) => facts.in_group(&group),
                _ => None,
            },
            Self::Text(text, test) => {
                let Seen::Text(text) = text.seen(facts)? else {
                    return None;
                };
                Some(match test {
                    Test::Starts(start) => text.starts_with(start.as_str()),
                    Test::Ends(end) => text.ends_with(end.as_str()),
                    Test::Contains(part) => text.contains(part.as_str()),
                    Test::Matches(regex) => regex.is_match(&text),
                })
            }
            Self::Truth(operand) => match operand.seen(facts)? {
                Seen::Bool(truth) => Some(truth),
                _ => None,
            },
        }
    }
}

impl Operand {
    fn of(written: &IdedExpr) -> Option<Self> {
        if let Expr::Literal(literal) = &written.expr {
            return match literal {
                LiteralValue::Null => Some(Self::Null),
                LiteralValue::Boolean(truth) => Some(Self::Bool(*truth.inner())),
                LiteralValue::Int(whole) => Some(Self::Int(*whole.inner())),
                LiteralValue::String(text) => Some(Self::Text(text.inner().to_owned())),
                _ => None,
            };
        }
        let (root, mut path) = path_of(&written.expr)?;
        match (root.as_str(), path.as_slice()) {
            ("model", []) => Some(Self::Model),
            ("headers", [Step::Member(name)]) => {
                let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
                Some(Self::Header(name))
            }
            ("client", [Step::Member(name)]) if name == "address" => Some(Self::Address),
            ("route", [Step::Member(name)]) if name == "namespace" => Some(Self::Namespace),
            ("route", [Step::Member(name)]) if name == "name" => Some(Self::Route),
            ("user", path) if is_member(path, "name") => Some(Self::UserName),
            ("user", _) => Some(Self::User(std::mem::take(&mut path))),
            ("request", _) => Some(Self::Request(std::mem::take(&mut path))),
            ("response", _) => Some(Self::Response(std::mem::take(&mut path))),
            _ => None,
        }
    }

    fn seen<'f>(&'f self, facts: &'f dyn Facts) -> Option<Seen<'f>> {
        let text = |text: &'f str| Seen::Text(Cow::Borrowed(text));
        Some(match self {
            Self::Null => Seen::Null,
            Self::Bool(truth) => Seen::Bool(*truth),
            Self::Int(whole) => Seen::Int(*whole),
            Self::Text(written) => text(written),
            Self::Header(name) => facts.header(name).map_or(Seen::Null, Seen::Text),
            Self::Model => facts.model().map_or(Seen::Null, text),
            Self::Namespace => text(facts.route().0),
            Self::Route => text(facts.route().1),
            Self::Address => text(facts.address()),
            Self::UserName => facts.user_name().map_or(Seen::Null, text),
            Self::User(path) => at(facts.user(), path)?,
            Self::Request(path) => at(facts.request(), path)?,
            Self::Response(path) => at(facts.response(), path)?,
        })
    }
}

fn is_member(path: &[Step], name: &str) -> bool {
    matches!(path, [Step::Member(member)] if member == name)
}

fn at<'f>(root: &'f Value, path: &[Step]) -> Option<Seen<'f>> {
    let found = follow(root, path).ok()?;
    Some(match found {
        None | Some(Value::Null) => Seen::Null,
        Some(Value::Bool(truth)) => Seen::Bool(*truth),
        Some(Value::String(text)) => Seen::Text(Cow::Borrowed(text)),
        Some(Value::Number(number)) => Seen::Int(number.as_i64()?),
        Some(other) => Seen::Json(other),
    })
}

impl Seen<'_> {
    fn same(&self, other: &Self) -> Option<bool> {
        match (self, other) {
            (Self::Null, Self::Null) => Some(true),
            (Self::Null, _) | (_, Self::Null) => Some(false),
            (Self::Bool(one), Self::Bool(other)) => Some(one == other),
            (Self::Int(one), Self::Int(other)) => Some(one == other),
            (Self::Text(one), Self::Text(other)) => Some(one == other),
            _ => None,
        }
    }
}
