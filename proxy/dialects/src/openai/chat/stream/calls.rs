//! The tool calls of a choice while they come, whatever a server leaves out. Those of custom tools, which OpenAI's dialect alone has, are gathered
//! until the choice ends.

use std::borrow::Cow;

use serde_json::json;

use super::chunk::{CallDelta, CustomDelta};
use crate::form::{Event, Part};
use crate::json::Text;
use crate::openai::chat::reply::made_id;

/// The most that is kept of a call's arguments until its name comes, in bytes. No server says so much of a call that it has not named.
const EARLY: usize = 1024 * 1024;

/// The most that is kept of the inputs of a choice's custom calls, in bytes: more than any model says in one answer.
const INPUT: usize = 4 * 1024 * 1024;

/// The calls of a choice, in order of appearance.
#[derive(Debug, Default)]
pub(super) struct Calls {
    all: Vec<Call>,
    /// How many of them have begun.
    begun: u32,
    /// How many bytes of input are kept of those of custom tools.
    kept: usize,
}

#[derive(Debug)]
struct Call {
    /// The server's number of it, where it says one.
    index: Option<u32>,
    id: String,
    /// Its number among those that have begun.
    number: Option<u32>,
    /// Arguments that came before the name.
    early: String,
    /// The name and the input so far, of a custom tool.
    custom: Option<(String, String)>,
}

impl Calls {
    pub(super) fn any(&self) -> bool {
        self.begun > 0 || self.all.iter().any(|call| call.custom.is_some())
    }

    /// Whether more would have to be kept than may be.
    pub(super) fn is_too_long(&self) -> bool {
        self.kept > INPUT
    }

    /// Tells the calls of custom tools: the choice ends.
    pub(super) fn end(
        &mut self,
        reply: Option<&str>,
        choice: u32,
        emit: &mut dyn FnMut(Event<'_>),
    ) {
        for (place, call) in (0..).zip(&mut self.all) {
            let Some((name, input)) = call.custom.take() else {
                continue;
            };
            if call.id.is_empty() {
                call.id = made_id(reply, choice, place);
            }
            let custom = json!({"name": name, "input": input});
            let part = Part::Other {
                kind: "custom".into(),
                value: json!({"id": call.id, "type": "custom", "custom": custom}),
            };
            let part = Box::new(part);
            emit(Event::Part { choice, part });
        }
    }

    /// How many there are, begun or not.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Reads one delta. A call begins when its name is known.
    pub(super) fn read<'a>(
        &mut self,
        delta: CallDelta<'a>,
        reply: Option<&str>,
        choice: u32,
        emit: &mut dyn FnMut(Event<'_>),
    ) {
        let id = delta.id.filled();
        let (name, arguments) = match delta.function {
            Some(function) => (function.name.filled(), function.arguments),
            None => (None, None),
        };
        let custom = delta.custom.as_ref();
        let named = name.is_some() || custom.is_some_and(|custom| custom.name.0.is_some());
        let place = self.place(delta.index, id.as_deref(), named);
        let place = place.unwrap_or_else(|| {
            self.all.push(Call {
                index: delta.index,
                id: String::new(),
                number: None,
                early: String::new(),
                custom: None,
            });
            self.all.len() - 1
        });
        let call = &mut self.all[place];
        if let Some(id) = id.filter(|_| call.id.is_empty()) {
            call.id = id.into_owned();
        }
        if let Some(custom) = delta.custom {
            self.kept += call.gather(*custom);
            return;
        }
        let json = arguments.and_then(|raw| match Text::of(raw) {
            Some(text) => text.filled(),
            None => Some(Cow::Borrowed(raw.get())),
        });
        let number = match (call.number, name) {
            (Some(number), _) => number,
            (None, Some(name)) => {
                let number = self.begun;
                self.begun += 1;
                call.begin(number, name, reply, choice, emit);
                number
            }
            (None, None) => {
                let json = json.unwrap_or_default();
                if call.early.len() + json.len() <= EARLY {
                    call.early.push_str(&json);
                }
                return;
            }
        };
        if let Some(json) = json {
            emit(Event::ToolArguments {
                choice,
                call: number,
                json,
            });
        }
    }

    /// Which call a delta goes on with; none: it begins one. Some servers give all calls the same index and each its own id, others give no index.
    fn place(&self, index: Option<u32>, id: Option<&str>, named: bool) -> Option<usize> {
        let begins = |call: &Call| named && call.is_named() && id.is_some_and(|id| call.id != id);
        if let Some(index) = index {
            let found = self
                .all
                .iter()
                .rposition(|call| call.index == Some(index))?;
            return (!begins(&self.all[found])).then_some(found);
        }
        if let Some(id) = id {
            let same = self.all.iter().position(|call| call.id == id);
            return same.or_else(|| {
                let last = self.all.len().checked_sub(1)?;
                (!self.all[last].is_named() || !named).then_some(last)
            });
        }
        let last = self.all.len().checked_sub(1)?;
        // A name alone begins a call.
        (!(named && self.all[last].is_named())).then_some(last)
    }
}

impl Call {
    fn is_named(&self) -> bool {
        self.number.is_some() || self.custom.is_some()
    }

    /// Keeps a piece of a custom tool's call; how many bytes it has.
    fn gather(&mut self, piece: CustomDelta<'_>) -> usize {
        let (name, input) = self.custom.get_or_insert_default();
        let mut length = 0;
        for (so_far, piece) in [(name, piece.name), (input, piece.input)] {
            let piece = piece.0.unwrap_or_default();
            length += piece.len();
            so_far.push_str(&piece);
        }
        length
    }

    /// Its name is known: it begins, with the arguments that came before.
    fn begin(
        &mut self,
        number: u32,
        name: Cow<'_, str>,
        reply: Option<&str>,
        choice: u32,
        emit: &mut dyn FnMut(Event<'_>),
    ) {
        self.number = Some(number);
        if self.id.is_empty() {
            self.id = made_id(reply, choice, number);
        }
        emit(Event::ToolStart {
            choice,
            call: number,
            id: self.id.clone().into(),
            name,
            signature: None,
        });
        if !self.early.is_empty() {
            emit(Event::ToolArguments {
                choice,
                call: number,
                json: std::mem::take(&mut self.early).into(),
            });
        }
    }
}
