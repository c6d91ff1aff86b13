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
    /// Whether the answer has had its end, though the upstream writes on.
    over: bool,
}

/// One choice's text.
#[derive(Debug, Default)]
struct Choice {
    index: u32,
    /// What may be the beginning of a stop.
    held: String,
    /// The stop that ended it.
    ended: Option<Finish>,
    /// Whether its end was told.
    told: bool,
}

impl Trimmed {
    pub(super) fn new(inner: Box<dyn StreamReader>, stops: Stops) -> Self {
        let choices = Vec::new();
        Self {
            inner,
            state: State {
                stops,
                choices,
                over: false,
            },
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
        if self.over {
            return;
        }
        match event {
            Event::Text { choice, .. } if self.writes_on(choice) => {
                // The end would come as late as the upstream likes, and with it no more than its figures.
                self.over = true;
                for state in &mut self.choices {
                    let (choice, reason) = (state.index, state.ended.take());
                    let reason = reason.unwrap_or(Finish::Stop);
                    emit(Event::Finish { choice, reason });
                }
                emit(Event::Done);
            }
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
                (state.ended, state.told) = (Some(Finish::Stop), true);
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

    /// Whether text of this choice comes after all have met their stop, and none has been told its end.
    fn writes_on(&self, choice: u32) -> bool {
        let stopped = |state: &Choice| state.ended.is_some() && !state.told;
        self.choices.iter().any(|state| state.index == choice) && self.choices.iter().all(stopped)
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
        complete || state.over
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
            over: false,
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

    #[test]
    fn an_upstream_that_writes_on_after_a_stop_is_not_waited_for() {
        let mut state = State {
            stops: Stops::new(&["END".into()], &[]),
            choices: Vec::new(),
            over: false,
        };
        let mut said = Vec::new();
        for text in ["a END", " b", "c"] {
            let text = Event::Text {
                choice: 0,
                text: text.into(),
                logprobs: None,
            };
            state.pass(text, &mut |event| said.push(format!("{event:?}")));
        }
        state.pass(Event::Done, &mut |event| said.push(format!("{event:?}")));
        assert_eq!(said.len(), 3, "{said:?}");
        assert!(said[1].contains("StopSequence"), "{said:?}");
        assert_eq!(said[2], "Done");
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
