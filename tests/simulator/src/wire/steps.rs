//! A reply as steps: pauses, writes, and perhaps a break. Pure; [`super::body`] plays them.

use std::{collections::VecDeque, fmt::Write as _, time::Duration};

use bytes::{Bytes, BytesMut};

use super::{frame::Frame, gzip::Encoder};
use crate::words::Wire;

/// One step of writing a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Pause(Duration),
    Write(Bytes),
    /// Silence for ever.
    Stall,
    /// The connection breaks.
    Cut,
}

/// How a dialect's stream is written.
#[derive(Debug, Clone)]
pub(crate) struct Form {
    /// What stands for an error in the middle of it.
    pub(crate) fault: Event,
    pub(crate) frame: Frame,
}

/// One event of a stream.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    /// What follows `event: `, if anything.
    pub(crate) name: Option<&'static str>,
    /// What follows `data: `.
    pub(crate) data: String,
    /// Whether it carries a piece of the answer, and so is paced by `token-TIME`.
    pub(crate) token: bool,
}

type Steps = Box<dyn Iterator<Item = Step> + Send>;

/// The steps of an event stream.
pub(crate) fn stream(
    events: impl Iterator<Item = Event> + Send + 'static,
    form: Form,
    wire: Wire,
    gzip: bool,
) -> Steps {
    let (coalesced, split) = (wire.coalesced, wire.split);
    let events = Events {
        events,
        form,
        wire,
        sent: 0,
        next: VecDeque::new(),
        over: false,
    };
    let steps: Steps = if coalesced {
        Box::new(joined(events))
    } else {
        Box::new(events)
    };
    encoded(steps, gzip, split)
}

/// The steps of a body that is known as a whole.
pub(crate) fn plain(body: Bytes, wire: &Wire, gzip: bool) -> Steps {
    let half = body.slice(..body.len() / 2);
    let steps = if wire.cut.is_some() {
        vec![Step::Write(half), Step::Cut]
    } else if wire.stall.is_some() {
        vec![Step::Write(half), Step::Stall]
    } else {
        vec![Step::Write(body)]
    };
    encoded(Box::new(steps.into_iter()), gzip, wire.split)
}

struct Events<I> {
    events: I,
    form: Form,
    wire: Wire,
    sent: usize,
    next: VecDeque<Step>,
    over: bool,
}

impl<I: Iterator<Item = Event>> Iterator for Events<I> {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        if self.next.is_empty() && !self.over {
            self.advance();
        }
        self.next.pop_front()
    }
}

impl<I: Iterator<Item = Event>> Events<I> {
    fn advance(&mut self) {
        let here = Some(self.sent);
        if here == self.wire.cut {
            return self.end(Step::Cut);
        }
        if here == self.wire.stall {
            return self.end(Step::Stall);
        }
        if here == self.wire.error {
            let fault = self.framed(self.form.fault.name, &self.form.fault.data);
            self.next.push_back(Step::Write(fault));
            return self.close();
        }
        let Some(event) = self.events.next() else {
            return self.close();
        };
        if self.sent == 0 && !self.wire.first_token.is_zero() {
            self.next.push_back(Step::Pause(self.wire.first_token));
        }
        if event.token && !self.wire.token.is_zero() {
            self.next.push_back(Step::Pause(self.wire.token));
        }
        let broken = self.wire.malformed && self.sent == 2;
        let data = if broken {
            half(&event.data)
        } else {
            &event.data
        };
        let framed = self.framed(event.name, data);
        self.next.push_back(Step::Write(framed));
        self.sent += 1;
    }

    fn close(&mut self) {
        self.over = true;
        if let Some(close) = self.form.frame.close().filter(|_| !self.wire.no_done) {
            self.next.push_back(Step::Write(close.into()));
        }
    }

    fn end(&mut self, step: Step) {
        self.next.push_back(step);
        self.over = true;
    }

    fn framed(&self, name: Option<&str>, data: &str) -> Bytes {
        self.form
            .frame
            .around(name, data, &self.wire, self.sent == 0)
    }
}

/// JSON with `\uXXXX` for what is not ASCII (Python's habit) and for `<`, `>`, `&` (Go's).
pub(crate) fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len() * 2);
    for letter in json.chars() {
        if letter.is_ascii() && !matches!(letter, '<' | '>' | '&') {
            text.push(letter);
            continue;
        }
        for unit in letter.encode_utf16(&mut [0; 2]) {
            // Writing to a string never fails.
            let _ = write!(text, "\\u{unit:04x}");
        }
    }
    text
}

/// The first half, cut where no character is.
fn half(text: &str) -> &str {
    &text[..text.floor_char_boundary(text.len() / 2)]
}

/// All writes up to the end or a break in one, and no pause between them.
fn joined(steps: impl Iterator<Item = Step>) -> impl Iterator<Item = Step> {
    let mut steps = Some(steps);
    let mut last = None;
    std::iter::from_fn(move || {
        let Some(steps) = steps.take() else {
            return last.take();
        };
        let mut whole = BytesMut::new();
        for step in steps {
            match step {
                Step::Write(bytes) => whole.extend_from_slice(&bytes),
                Step::Pause(_) => {}
                Step::Stall | Step::Cut => last = Some(step),
            }
        }
        Some(Step::Write(whole.freeze()))
    })
}

fn encoded(steps: Steps, gzip: bool, split: bool) -> Steps {
    let steps: Steps = if gzip {
        let mut encoder = Encoder::new();
        Box::new(steps.map(Some).chain([None]).map(move |step| match step {
            Some(Step::Write(bytes)) => Step::Write(encoder.block(&bytes)),
            Some(other) => other,
            None => Step::Write(encoder.finish()),
        }))
    } else {
        steps
    };
    if !split {
        return steps;
    }
    Box::new(steps.flat_map(|step| {
        match step {
            Step::Write(bytes) => (0..bytes.len())
                .map(|at| Step::Write(bytes.slice(at..=at)))
                .collect(),
            other => vec![other],
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{openai, words::Behaviour};

    fn played(model: &str) -> Vec<Step> {
        let events = ["\"a\"", "\"<b>é🦀\"", "{\"c\":1}", "[DONE]"]
            .into_iter()
            .enumerate();
        let events = events.map(|(at, data)| Event {
            name: None,
            data: data.into(),
            token: (1..3).contains(&at),
        });
        stream(
            events,
            openai::stream_form(),
            Behaviour::of(model).wire,
            false,
        )
        .collect()
    }

    fn written(steps: &[Step]) -> String {
        let bytes: Vec<u8> = steps
            .iter()
            .filter_map(|step| {
                if let Step::Write(bytes) = step {
                    Some(bytes)
                } else {
                    None
                }
            })
            .flatten()
            .copied()
            .collect();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn the_bytes_are_the_same_in_one_write_or_many() {
        let normal = played("echo");
        assert_eq!(normal.len(), 4);
        for (model, writes) in [("coalesced", 1), ("split", written(&normal).len())] {
            let steps = played(model);
            assert_eq!(
                (written(&steps), steps.len()),
                (written(&normal), writes),
                "{model}"
            );
        }
    }

    #[test]
    fn a_break_comes_after_its_events() {
        for model in ["cut-2", "cut-2+coalesced", "cut-2+split", "stall-2"] {
            let steps = played(model);
            assert_eq!(
                written(&steps),
                "data: \"a\"\n\ndata: \"<b>é🦀\"\n\n",
                "{model}"
            );
            assert!(matches!(steps.last(), Some(Step::Cut | Step::Stall)));
        }
        assert_eq!(played("cut-0"), [Step::Cut]);
        let text = written(&played("error-1"));
        assert!(text.starts_with("data: \"a\"\n\ndata: {\"error\":") && !text.contains("[DONE]"));
    }

    #[test]
    fn only_tokens_are_paced() {
        let pauses = |model| {
            played(model)
                .iter()
                .filter(|step| matches!(step, Step::Pause(_)))
                .count()
        };
        assert_eq!((pauses("token-1ms"), pauses("first-token-1ms")), (2, 1));
    }

    #[test]
    fn spellings_vary() {
        assert!(written(&played("crlf")).starts_with("data: \"a\"\r\n\r\ndata:"));
        assert!(written(&played("escaped")).contains(r#""\u003cb\u003e\u00e9\ud83e\udd80""#));
        assert!(written(&played("malformed")).contains("data: {\"c\n\ndata: [DONE]"));
        assert_eq!(
            written(&played("keepalive-comments"))
                .matches(": keep-alive\n\n")
                .count(),
            4
        );
    }

    #[test]
    fn a_plain_body_breaks_in_its_middle() {
        let wire = Behaviour::of("cut-7").wire;
        let steps: Vec<_> = plain(Bytes::from_static(b"abcdef"), &wire, false).collect();
        assert_eq!(steps, [Step::Write(Bytes::from_static(b"abc")), Step::Cut]);
    }
}
