//! The tool calls of a choice while they come, whatever a server leaves out.

use std::borrow::Cow;

use super::chunk::CallDelta;
use crate::form::Event;
use crate::json::Text;
use crate::openai::chat::reply::made_id;

/// The most that is kept of a call's arguments until its name comes, in bytes. No server says so much of a call that it has not named.
const EARLY: usize = 1024 * 1024;

/// The calls of a choice, in order of appearance.
#[derive(Debug, Default)]
pub(super) struct Calls {
    all: Vec<Call>,
    /// How many of them have begun.
    begun: u32,
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
}

impl Calls {
    pub(super) fn any(&self) -> bool {
        self.begun > 0
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
        let place = self.place(delta.index, id.as_deref(), name.is_some());
        let place = place.unwrap_or_else(|| {
            self.all.push(Call {
                index: delta.index,
                id: String::new(),
                number: None,
                early: String::new(),
            });
            self.all.len() - 1
        });
        let call = &mut self.all[place];
        if let Some(id) = id.filter(|_| call.id.is_empty()) {
            call.id = id.into_owned();
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
        let begins =
            |call: &Call| named && call.number.is_some() && id.is_some_and(|id| call.id != id);
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
                (self.all[last].number.is_none() || !named).then_some(last)
            });
        }
        let last = self.all.len().checked_sub(1)?;
        // A name alone begins a call.
        (!(named && self.all[last].number.is_some())).then_some(last)
    }
}

impl Call {
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
