//! The tool calls of a choice while they come, whatever a server leaves out.

use std::borrow::Cow;

use super::chunk::CallDelta;
use crate::form::Event;
use crate::json::Text;
use crate::openai::chat::reply::made_id;

/// The calls of a choice, in order of appearance.
#[derive(Debug, Default)]
pub(super) struct Calls(Vec<Call>);

#[derive(Debug)]
struct Call {
    /// The server's number of it, where it says one.
    index: Option<u32>,
    id: String,
    started: bool,
    /// Arguments that came before the name.
    early: String,
}

impl Calls {
    pub(super) fn any(&self) -> bool {
        !self.0.is_empty()
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
            self.0.push(Call {
                index: delta.index,
                id: String::new(),
                started: false,
                early: String::new(),
            });
            self.0.len() - 1
        });
        let number = u32::try_from(place).unwrap_or(u32::MAX);
        let call = &mut self.0[place];
        if let Some(id) = id.filter(|_| call.id.is_empty()) {
            call.id = id.into_owned();
        }
        let json = arguments.and_then(|raw| match Text::of(raw) {
            Some(text) => text.filled(),
            None => Some(Cow::Borrowed(raw.get())),
        });
        if !call.started {
            let Some(name) = name else {
                call.early.push_str(&json.unwrap_or_default());
                return;
            };
            call.started = true;
            if call.id.is_empty() {
                call.id = made_id(reply, choice, number);
            }
            emit(Event::ToolStart {
                choice,
                call: number,
                id: call.id.clone().into(),
                name,
                signature: None,
            });
            if !call.early.is_empty() {
                emit(Event::ToolArguments {
                    choice,
                    call: number,
                    json: std::mem::take(&mut call.early).into(),
                });
            }
        }
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
        let begins = |call: &Call| named && call.started && id.is_some_and(|id| call.id != id);
        if let Some(index) = index {
            let found = self.0.iter().rposition(|call| call.index == Some(index))?;
            return (!begins(&self.0[found])).then_some(found);
        }
        if let Some(id) = id {
            let same = self.0.iter().position(|call| call.id == id);
            return same.or_else(|| {
                let last = self.0.len().checked_sub(1)?;
                (!self.0[last].started || !named).then_some(last)
            });
        }
        let last = self.0.len().checked_sub(1)?;
        // A name alone begins a call.
        (!(named && self.0[last].started)).then_some(last)
    }
}
