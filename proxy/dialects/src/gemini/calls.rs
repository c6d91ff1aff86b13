//! Ids of calls. Clients and models before Gemini 3 leave them out, and match a call and its result by name and order.

use std::collections::{HashSet, VecDeque};

use crate::openai::chat::reply::made_id;

/// The calls so far, of a conversation or of one reply's choice.
#[derive(Debug, Default)]
pub struct Calls {
    /// The reply's id and the choice's index.
    reply: Option<(Option<String>, u32)>,
    count: u32,
    given: HashSet<String>,
    /// Ids and names of calls without a result.
    waiting: VecDeque<(String, String)>,
}

impl Calls {
    /// The calls of one choice of a reply: ids that are made up are of the reply's id, so that no other turn's call has them.
    #[must_use]
    pub fn of_reply(id: Option<&str>, choice: u32) -> Self {
        Self {
            reply: Some((id.map(str::to_owned), choice)),
            ..Self::default()
        }
    }

    /// The id of a call, made up if it has none.
    pub fn made(&mut self, id: Option<String>, name: &str) -> String {
        let id = id.filter(|id| !id.is_empty()).unwrap_or_else(|| {
            loop {
                let made = match &self.reply {
                    Some((reply, choice)) => made_id(reply.as_deref(), *choice, self.count),
                    None => format!("call_{}", self.count),
                };
                self.count += 1;
                if !self.given.contains(&made) {
                    break made;
                }
            }
        });
        self.given.insert(id.clone());
        self.waiting.push_back((id.clone(), name.to_owned()));
        id
    }

    /// The call that a result answers: that of its id or, without one, the oldest of its function's that waits for a result.
    pub fn answered(&mut self, id: Option<String>, name: &str) -> Option<String> {
        let id = id.filter(|id| !id.is_empty());
        let found = self.waiting.iter().position(|(of, called)| match &id {
            Some(id) => of == id,
            None => called == name,
        });
        let of = found.and_then(|place| self.waiting.remove(place));
        id.or(of.map(|(id, _)| id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_without_ids_are_their_functions_oldest_calls() {
        let mut calls = Calls::default();
        assert_eq!(calls.made(Some("call_0".into()), "a"), "call_0");
        assert_eq!(calls.made(None, "b"), "call_1");
        assert_eq!(calls.made(Some(String::new()), "a"), "call_2");
        assert_eq!(calls.answered(None, "b").unwrap(), "call_1");
        assert_eq!(calls.answered(None, "a").unwrap(), "call_0");
        assert_eq!(calls.answered(None, "a").unwrap(), "call_2");
        assert_eq!(calls.answered(None, "a"), None);
        assert_eq!(calls.answered(Some("x".into()), "a").unwrap(), "x");
    }
}
