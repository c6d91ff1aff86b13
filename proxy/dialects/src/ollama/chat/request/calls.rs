//! Ids of tool calls. Ollama's clients mostly leave them out and name the tool in its result.

use std::collections::{HashSet, VecDeque};

use serde_json::Value;

use crate::fields::Fields;

/// What ids a conversation holds, and which calls wait for their results.
#[derive(Debug, Default)]
pub(super) struct Calls {
    taken: HashSet<String>,
    made: usize,
    open: VecDeque<(String, String)>,
}

impl Calls {
    /// Notes the ids that the client gave, so that no made-up one is the same.
    pub(super) fn of(messages: &[Fields]) -> Self {
        let each = messages.iter().flat_map(|message| {
            let calls = message.peek("tool_calls").and_then(Value::as_array);
            let of_calls = calls
                .into_iter()
                .flatten()
                .filter_map(|call| call.get("id"));
            of_calls.chain(message.peek("tool_call_id"))
        });
        let taken = each.filter_map(Value::as_str).map(str::to_owned).collect();
        Self {
            taken,
            ..Self::default()
        }
    }

    /// The id of a call: the client's, or one made from its place among the calls.
    pub(super) fn called(&mut self, given: Option<String>, name: &str) -> String {
        let id = given
            .filter(|id| !id.is_empty())
            .unwrap_or_else(|| self.make());
        self.open.push_back((id.clone(), name.to_owned()));
        id
    }

    /// The id of the call that a result belongs to, and the tool's name: the one named, else the oldest open call of that tool,
    /// else, if the result does not say the tool, the oldest open call; a result that answers no call gets an id of its own.
    pub(super) fn answered(
        &mut self,
        given: Option<String>,
        name: Option<String>,
    ) -> (String, Option<String>) {
        let given = given.filter(|id| !id.is_empty());
        let place = self
            .open
            .iter()
            .position(|(id, tool)| match (&given, &name) {
                (Some(given), _) => id == given,
                (None, Some(name)) => tool == name,
                (None, None) => true,
            });
        match place.and_then(|place| self.open.remove(place)) {
            Some((id, tool)) => (id, name.or(Some(tool))),
            None => (given.unwrap_or_else(|| self.make()), name),
        }
    }

    fn make(&mut self) -> String {
        loop {
            let id = format!("call_{}", self.made);
            self.made += 1;
            if self.taken.insert(id.clone()) {
                return id;
            }
        }
    }
}
