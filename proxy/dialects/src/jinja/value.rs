//! Values. Whatever holds bytes is paid for; nothing can hold itself, and nothing is nested without end.

use std::cell::Cell;
use std::rc::Rc;

use serde_json::Value as Json;

use super::fault::{Fault, Outcome};
use super::meter::{Held, Meter};

/// How deep values may be nested, so that walking and dropping one fits every stack. JSON is at most 128 deep.
const DEEPEST: usize = 150;

#[derive(Clone, Debug)]
pub(super) enum Value {
    Undefined,
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(Rc<Held<String>>),
    List(Rc<List>),
    Map(Rc<Map>),
    /// Its place among the rendering's namespaces, so that one may be a member of itself.
    Namespace(usize),
    Macro(Macro),
    Loop(Rc<Held<Loop>>),
    Function(Function),
}

/// A list, or a tuple.
#[derive(Debug)]
pub(super) struct List {
    pub(super) items: Held<Vec<Value>>,
    pub(super) is_tuple: bool,
    depth: usize,
}

#[derive(Debug)]
pub(super) struct Map {
    pub(super) entries: Held<Vec<(Value, Value)>>,
    depth: usize,
}

/// A macro, and where it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Macro {
    /// Its place among the program's macros.
    pub(super) index: usize,
    /// The frame whose variables it sees.
    pub(super) frame: usize,
    /// That frame's number, for its place may be another's by now.
    pub(super) serial: u64,
}

/// The variable `loop`.
#[derive(Debug)]
pub(super) struct Loop {
    pub(super) items: Rc<List>,
    pub(super) at: Cell<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Range,
    Dict,
    Namespace,
    RaiseException,
    StrftimeNow,
}

impl Value {
    pub(super) fn text(meter: &Rc<Meter>, text: &str) -> Outcome<Self> {
        let mut held: Held<String> = meter.empty()?;
        held.push(text)?;
        Ok(Self::from(held))
    }

    /// A list of what was collected.
    pub(super) fn list(items: Held<Vec<Self>>) -> Outcome<Self> {
        List::new(items, false).map(|list| Self::List(Rc::new(list)))
    }

    pub(super) fn tuple(items: Held<Vec<Self>>) -> Outcome<Self> {
        List::new(items, true).map(|list| Self::List(Rc::new(list)))
    }

    pub(super) fn map(entries: Held<Vec<(Self, Self)>>) -> Outcome<Self> {
        let deepest = entries.iter().map(|(_, value)| value.depth()).max();
        let depth = nested(deepest)?;
        Ok(Self::Map(Rc::new(Map { entries, depth })))
    }

    pub(super) fn from_json(meter: &Rc<Meter>, json: Json) -> Outcome<Self> {
        Ok(match json {
            Json::Null => Self::None,
            Json::Bool(is) => Self::Bool(is),
            Json::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(int), _) => Self::Int(int.into()),
                (None, Some(int)) => Self::Int(int.into()),
                _ => Self::Float(number.as_f64().unwrap_or_default()),
            },
            Json::String(text) => {
                let bytes = text.capacity();
                Self::from(meter.keep(text, bytes)?)
            }
            Json::Array(items) => {
                let mut list: Held<Vec<Self>> = meter.empty()?;
                for item in items {
                    list.push(Self::from_json(meter, item)?)?;
                }
                Self::list(list)?
            }
            Json::Object(members) => {
                let mut map: Held<Vec<(Self, Self)>> = meter.empty()?;
                for (key, value) in members {
                    let key = Self::from_json(meter, key.into())?;
                    map.push((key, Self::from_json(meter, value)?))?;
                }
                Self::map(map)?
            }
        })
    }

    fn depth(&self) -> usize {
        match self {
            Self::List(list) => list.depth,
            Self::Map(map) => map.depth,
            Self::Loop(state) => state.items.depth,
            _ => 0,
        }
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// What operators take for an integer.
    pub(super) fn as_int(&self) -> Option<i128> {
        match *self {
            Self::Int(int) => Some(int),
            Self::Bool(is) => Some(is.into()),
            _ => None,
        }
    }

    #[allow(clippy::cast_precision_loss)]
    pub(super) fn as_float(&self) -> Option<f64> {
        match *self {
            Self::Float(float) => Some(float),
            _ => self.as_int().map(|int| int as f64),
        }
    }

    pub(super) fn is_undefined(&self) -> bool {
        matches!(self, Self::Undefined)
    }

    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Undefined | Self::None => false,
            Self::Bool(is) => *is,
            Self::Int(int) => *int != 0,
            Self::Float(float) => *float != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::List(list) => !list.items.is_empty(),
            Self::Map(map) => !map.entries.is_empty(),
            Self::Namespace(_) | Self::Macro(_) | Self::Loop(_) | Self::Function(_) => true,
        }
    }

    /// The word for what it is.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Undefined => "undefined",
            Self::None => "none",
            Self::Bool(_) => "bool",
            Self::Int(_) | Self::Float(_) => "number",
            Self::Text(_) => "string",
            Self::List(_) => "sequence",
            Self::Map(_) => "map",
            Self::Namespace(_) => "namespace",
            Self::Macro(_) => "macro",
            Self::Loop(_) => "loop",
            Self::Function(_) => "function",
        }
    }

    /// What a loop over it goes through: items, keys, characters.
    pub(super) fn items(&self, meter: &Rc<Meter>) -> Outcome<Rc<List>> {
        if let Self::List(list) = self {
            return Ok(Rc::clone(list));
        }
        let mut items: Held<Vec<Self>> = meter.empty()?;
        match self {
            Self::Undefined | Self::None => {}
            Self::Text(text) => {
                for char in text.chars() {
                    items.push(Self::text(meter, char.encode_utf8(&mut [0; 4]))?)?;
                }
            }
            Self::Map(map) => {
                for (key, _) in map.entries.iter() {
                    items.push(key.clone())?;
                }
            }
            other => return Fault::said(format!("{} is not iterable", other.kind())),
        }
        List::new(items, false).map(Rc::new)
    }
}

impl From<Held<String>> for Value {
    fn from(text: Held<String>) -> Self {
        Self::Text(Rc::new(text))
    }
}

impl List {
    fn new(items: Held<Vec<Value>>, is_tuple: bool) -> Outcome<Self> {
        let depth = nested(items.iter().map(Value::depth).max())?;
        Ok(Self {
            items,
            is_tuple,
            depth,
        })
    }
}

/// How deep something is that holds something so deep.
fn nested(deepest: Option<usize>) -> Outcome<usize> {
    let depth = deepest.unwrap_or_default() + 1;
    if depth > DEEPEST {
        return Fault::said(format!("a value is nested more than {DEEPEST} deep"));
    }
    Ok(depth)
}
