//! Stops in streams: a stop may be split over pieces, so what may be its beginning waits for the next piece.

use std::borrow::Cow;

use super::{Stops, find};
use crate::codec::{Frame, StreamReader};
use crate::form::{Event, Finish, Garbage};

/// A reader whose texts are trimmed.
pub(super) struct Trimmed {
    inner: Box<dyn StreamReader>,
    state: State,
}

struct State {
    stops: Stops,
    choices: Vec<Choice>,
}

/// One choice's text.
#[derive(Debug, Default)]
struct Choice {
    index: u32,
    /// What may be the beginning of a stop.
    held: String,
    /// The stop that ended it.
    ended: Option<Finish>,
}

impl Trimmed {
    pub(super) fn new(inner: Box<dyn StreamReader>, stops: Stops) -> Self {
        let choices = Vec::new();
        Self {
            inner,
            state: State { stops, choices },
        }
    }
}

impl State {
    fn choice(&mut self, index: u32) -> &mut Choice {
        let place = self.choices.iter().position(|choice| choice.index == index);
        let place = place.unwrap_or_else(|| {
            self.choices.push(Choice {
                index,
                ..Choice::default()
            });
            self.choices.len() - 1
        });
        &mut self.choices[place]
    }

    fn pass(&mut self, event: Event<'_>, emit: &mut dyn FnMut(Event<'_>)) {
        match event {
            Event::Text {
                choice,
                text,
                logprobs,
            } => {
                let stops = std::mem::take(&mut self.stops);
                let shown = self.choice(choice).shown(text, &stops);
                self.stops = stops;
                if !shown.is_empty() || logprobs.is_some() {
                    emit(Event::Text {
                        choice,
                        text: shown,
                        logprobs,
                    });
                }
            }
            Event::Finish { choice, reason } => {
                let state = self.choice(choice);
                state.flush(emit);
                let reason = state.ended.take().unwrap_or(reason);
                // Nothing of the choice may follow its end.
                state.ended = Some(Finish::Stop);
                emit(Event::Finish { choice, reason });
            }
            Event::ToolStart { choice, .. } => {
                self.choice(choice).flush(emit);
                emit(event);
            }
            Event::Done | Event::Failed(_) => {
                self.flush(emit);
                emit(event);
            }
            other => emit(other),
        }
    }

    fn flush(&mut self, emit: &mut dyn FnMut(Event<'_>)) {
        for choice in &mut self.choices {
            choice.flush(emit);
        }
    }
}

impl Choice {
    /// What of the held text and the new piece can be shown now.
    fn shown<'a>(&mut self, text: Cow<'a, str>, stops: &Stops) -> Cow<'a, str> {
        if self.ended.is_some() {
            return Cow::Borrowed("");
        }
        let mut text = text;
        if !self.held.is_empty() {
            let mut held = std::mem::take(&mut self.held);
            held.push_str(&text);
            text = Cow::Owned(held);
        }
        let shown = match find::first(&stops.all, &text) {
            Some((at, stop)) => {
                self.ended = Some(stops.finish(stop));
                at
            }
            None => {
                let shown = text.len() - find::begun(&stops.all, &text);
                self.held.push_str(&text[shown..]);
                shown
            }
        };
        match text {
            Cow::Borrowed(text) => Cow::Borrowed(&text[..shown]),
            Cow::Owned(mut text) => {
                text.truncate(shown);
                Cow::Owned(text)
            }
        }
    }

    /// No stop came of what was held.
    fn flush(&mut self, emit: &mut dyn FnMut(Event<'_>)) {
        if !self.held.is_empty() {
            emit(Event::Text {
                choice: self.index,
                text: Cow::Owned(std::mem::take(&mut self.held)),
                logprobs: None,
            });
        }
    }
}

impl StreamReader for Trimmed {
    fn read(&mut self, frame: Frame<'_>, emit: &mut dyn FnMut(Event<'_>)) -> Result<(), Garbage> {
        let Self { inner, state } = self;
        inner.read(frame, &mut |event| state.pass(event, emit))
    }

    fn end(&mut self, emit: &mut dyn FnMut(Event<'_>)) -> bool {
        let Self { inner, state } = self;
        let complete = inner.end(&mut |event| state.pass(event, emit));
        // Of an answer that broke off all is shown.
        state.flush(emit);
        complete
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn run(stops: &Stops, pieces: &[&str]) -> (String, Finish) {
        let mut state = State {
            stops: stops.clone(),
            choices: Vec::new(),
        };
        let mut shown = String::new();
        let mut end = None;
        let mut emit = |event: Event<'_>| match event {
            Event::Text { text, .. } => shown.push_str(&text),
            Event::Finish { reason, .. } => end = Some(reason),
            _ => {}
        };
        for piece in pieces {
            let text = Cow::Borrowed(*piece);
            let event = Event::Text {
                choice: 0,
                text,
                logprobs: None,
            };
            state.pass(event, &mut emit);
        }
        let finish = Event::Finish {
            choice: 0,
            reason: Finish::Length,
        };
        state.pass(finish, &mut emit);
        (shown, end.unwrap())
    }

    #[test]
    fn a_template_s_stop_is_the_models_own_end_and_the_clients_is_told() {
        let stops = Stops::new(&["END".into()], &["[INST]".into()]);
        assert_eq!(
            run(&stops, &["a [IN", "ST] b"]),
            ("a ".into(), Finish::Stop)
        );
        let told = Finish::StopSequence(Some("END".into()));
        assert_eq!(run(&stops, &["a E", "N", "D"]), ("a ".into(), told));
        assert_eq!(
            run(&stops, &["a [INS", "IDE] E", "N"]),
            ("a [INSIDE] EN".into(), Finish::Length)
        );
    }

    proptest! {
        #[test]
        fn a_stop_split_anywhere_is_trimmed_and_nothing_else_is(
            text in "[aäE\\[IN]{0,12}(END|\\[INST\\])?[aäEND]{0,6}",
            cuts in proptest::collection::vec(0usize..30, 0..5),
        ) {
            let stops = Stops::new(&["END".into()], &["[INST]".into(), "aEN".into()]);
            let mut cuts: Vec<usize> = cuts.into_iter().filter(|cut| text.is_char_boundary(*cut)).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&str> = cuts.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect();
            let whole = find::first(&stops.all, &text).map_or(text.as_str(), |(at, _)| &text[..at]);
            let (shown, _) = run(&stops, &pieces);
            // A shorter stop that ends earlier may be seen before a longer one that began earlier.
            let longest = if whole.len() == text.len() { whole } else { &text };
            prop_assert!(shown == whole || (longest.starts_with(&shown) && shown.len() >= whole.len()));
            prop_assert!(!shown.contains("[INST]") && !shown.contains("END"));
        }
    }
}
