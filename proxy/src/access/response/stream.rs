//! A streamed reply on its way through rules, event by event.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use dragoman_dialects::form::{Event, Part};

use super::chain::{Chain, ContentDenied};
use super::whole::{OTHER, Stopped};
use super::{Judging, Rule};

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Reasoning,
    Text,
    Refusal,
    Arguments(u32),
}

/// The rules over one streamed reply: each choice's text, reasoning, refusal and arguments by itself.
#[derive(Debug)]
pub struct StreamJudge {
    rules: Vec<Arc<Rule>>,
    texts: BTreeMap<(u32, Kind), Chain>,
}

impl Judging {
    /// The rules over a reply as it streams.
    #[must_use]
    pub fn stream(&self) -> StreamJudge {
        StreamJudge {
            rules: self.rules.iter().map(|due| Arc::clone(&due.rule)).collect(),
            texts: BTreeMap::new(),
        }
    }
}

impl StreamJudge {
    /// Takes an event, and gives those that the client may see.
    ///
    /// # Errors
    /// [`Stopped`]: the stream is to be ended with an error.
    pub fn take(
        &mut self,
        event: Event<'_>,
        give: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), Stopped> {
        match event {
            Event::Text { choice, text, .. } => {
                // Reasoning comes before the text that it led to.
                self.finish(choice, |kind| kind == Kind::Reasoning, give)?;
                Ok(self.push(choice, Kind::Text, &text, give)?)
            }
            Event::Reasoning { choice, text } => {
                Ok(self.push(choice, Kind::Reasoning, &text, give)?)
            }
            Event::Refusal { choice, text } => Ok(self.push(choice, Kind::Refusal, &text, give)?),
            Event::ToolArguments { choice, call, json } => {
                Ok(self.push(choice, Kind::Arguments(call), &json, give)?)
            }
            Event::Part { choice, part } => {
                if !matches!(*part, Part::Image { .. }) {
                    return Err(Stopped::Unjudged(OTHER));
                }
                // A text goes on behind a picture, and so may a match.
                self.finish(choice, |kind| kind == Kind::Reasoning, give)?;
                give(Event::Part { choice, part });
                Ok(())
            }
            Event::ReasoningSignature { choice, .. } | Event::ReasoningEncrypted { choice, .. } => {
                self.finish(choice, |kind| kind == Kind::Reasoning, give)?;
                // What signs another text is worth nothing.
                let chain = self.texts.get(&(choice, Kind::Reasoning));
                if !chain.is_some_and(Chain::changed) {
                    give(event);
                }
                Ok(())
            }
            Event::ToolStart { choice, .. } | Event::Finish { choice, .. } => {
                self.finish(choice, |_| true, give)?;
                give(event);
                Ok(())
            }
            Event::Done => {
                let choices: Vec<u32> = self.texts.keys().map(|(choice, _)| *choice).collect();
                for choice in choices {
                    self.finish(choice, |_| true, give)?;
                }
                give(event);
                Ok(())
            }
            // What is held back of a reply that broke off may be a part of a match.
            Event::Failed(_) | Event::Start { .. } | Event::Usage(_) | Event::Ping => {
                give(event);
                Ok(())
            }
        }
    }

    fn push(
        &mut self,
        choice: u32,
        kind: Kind,
        text: &str,
        give: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), ContentDenied> {
        let rules = &self.rules;
        let replaces = !matches!(kind, Kind::Arguments(_));
        let chain = self.texts.entry((choice, kind));
        let chain = chain.or_insert_with(|| Chain::new(rules.iter(), replaces));
        let text = chain.push(text)?;
        if !text.is_empty() {
            give(said(choice, kind, text));
        }
        Ok(())
    }

    /// Gives what is held back of texts that are over.
    fn finish(
        &mut self,
        choice: u32,
        over: impl Fn(Kind) -> bool,
        give: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), ContentDenied> {
        let texts = self.texts.iter_mut();
        for ((_, kind), chain) in texts.filter(|((of, kind), _)| *of == choice && over(*kind)) {
            let text = chain.finish()?;
            if !text.is_empty() {
                give(said(choice, *kind, text.into()));
            }
        }
        Ok(())
    }
}

fn said(choice: u32, kind: Kind, text: Cow<'_, str>) -> Event<'_> {
    match kind {
        // Log probabilities spell the text out as it was.
        Kind::Text => Event::Text {
            choice,
            text,
            logprobs: None,
        },
        Kind::Reasoning => Event::Reasoning { choice, text },
        Kind::Refusal => Event::Refusal { choice, text },
        Kind::Arguments(call) => Event::ToolArguments {
            choice,
            call,
            json: text,
        },
    }
}
