//! What the documentation of events promises of their order.

use std::collections::{BTreeMap, BTreeSet};

use dragoman_dialects::form::Event;

/// Watches the events of one stream.
#[derive(Debug, Default)]
pub struct Order {
    started: bool,
    usage: bool,
    ended: bool,
    finished: BTreeSet<u32>,
    calls: BTreeMap<u32, u32>,
}

impl Order {
    /// Takes the next event.
    ///
    /// # Panics
    /// If it may not stand here.
    pub fn see(&mut self, event: &Event<'_>) {
        assert!(!self.ended, "after the end: {event:?}");
        match event {
            Event::Ping => {}
            Event::Start { .. } => {
                assert!(!self.started, "a second start");
                self.started = true;
            }
            Event::Failed(failure) => {
                assert!(failure.status >= 400, "an error of no error's status");
                self.ended = true;
            }
            _ => assert!(self.started, "before the start: {event:?}"),
        }
        match event {
            Event::Text { text, logprobs, .. } => {
                assert!(!text.is_empty() || logprobs.is_some(), "an empty text");
            }
            Event::Reasoning { text, .. } | Event::Refusal { text, .. } => {
                assert!(!text.is_empty(), "an empty piece");
            }
            Event::ToolStart {
                choice, call, id, ..
            } => {
                let calls = self.calls.entry(*choice).or_default();
                assert_eq!(call, calls, "calls are counted");
                *calls += 1;
                assert!(!id.is_empty(), "a call without an id");
            }
            Event::ToolArguments { choice, call, .. } => {
                let calls = self.calls.get(choice).copied().unwrap_or_default();
                assert!(*call < calls, "arguments of no call");
            }
            Event::Usage(_) => {
                assert!(!self.usage, "a second usage");
                self.usage = true;
            }
            Event::Done => self.ended = true,
            _ => {}
        }
        if let Some(choice) = choice(event) {
            assert!(
                !self.finished.contains(&choice),
                "after its finish: {event:?}"
            );
            if matches!(event, Event::Finish { .. }) {
                self.finished.insert(choice);
            }
        }
    }
}

fn choice(event: &Event<'_>) -> Option<u32> {
    match event {
        Event::Text { choice, .. }
        | Event::Reasoning { choice, .. }
        | Event::ReasoningSignature { choice, .. }
        | Event::ReasoningEncrypted { choice, .. }
        | Event::Refusal { choice, .. }
        | Event::ToolStart { choice, .. }
        | Event::ToolArguments { choice, .. }
        | Event::Part { choice, .. }
        | Event::Finish { choice, .. } => Some(*choice),
        _ => None,
    }
}
