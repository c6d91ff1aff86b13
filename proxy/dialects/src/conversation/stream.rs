//! Streams: a line for each piece of text, and one at the end that says how long it took.
//!
//! ```json
//! {"response":"He","done":false}
//! {"response":"llo","done":false}
//! {"response":"","done":true,"generation_time":0.4}
//! ```
//!
//! Rules: those of a whole reply. An error that breaks the stream off is its last line.

use jiff::Timestamp;
use serde::Deserialize;

use super::error;
use crate::codec::{Context, Frame, StreamReader, StreamWriter};
use crate::form::{Event, Finish, Garbage};
use crate::json::{Text, append};

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow, default)]
    response: Option<Text<'a>>,
    #[serde(default)]
    done: bool,
    #[serde(borrow, default)]
    error: Option<Text<'a>>,
}

/// What was seen so far.
#[derive(Debug, Default)]
pub(super) struct Reader {
    started: bool,
    done: bool,
}

impl StreamReader for Reader {
    fn read(&mut self, frame: Frame<'_>, emit: &mut dyn FnMut(Event<'_>)) -> Result<(), Garbage> {
        if self.done {
            return Ok(());
        }
        let line: Line<'_> = serde_json::from_slice(frame.data).map_err(|fault| {
            let message =
                format!("A line of the stream is not one of the Conversation API: {fault}.");
            Garbage::new(message, frame.data)
        })?;
        if line.error.is_some() {
            self.done = true;
            emit(Event::Failed(error::in_stream(frame.data)));
            return Ok(());
        }
        if !self.started {
            self.started = true;
            emit(Event::Start {
                id: None,
                model: None,
                created: None,
                usage: None,
            });
        }
        if let Some(text) = line.response.and_then(Text::filled) {
            emit(Event::Text {
                choice: 0,
                text,
                logprobs: None,
            });
        }
        if line.done {
            self.done = true;
            emit(Event::Finish {
                choice: 0,
                reason: Finish::Stop,
            });
            emit(Event::Done);
        }
        Ok(())
    }

    fn end(&mut self, _emit: &mut dyn FnMut(Event<'_>)) -> bool {
        self.done
    }
}

/// What the last line will say.
#[derive(Debug)]
pub(super) struct Writer {
    started: Timestamp,
}

impl Writer {
    pub(super) fn new(context: &Context) -> Self {
        Self {
            started: context.started,
        }
    }
}

impl StreamWriter for Writer {
    fn write(&mut self, event: Event<'_>, now: &dyn Fn() -> Timestamp, out: &mut Vec<u8>) {
        match event {
            Event::Text {
                choice: 0, text, ..
            }
            | Event::Refusal { choice: 0, text } => {
                if text.is_empty() {
                    return;
                }
                out.extend_from_slice(b"{\"response\":");
                append(&*text, out);
                out.extend_from_slice(b",\"done\":false}\n");
            }
            Event::Failed(failure) => {
                out.extend_from_slice(&error::body(&failure));
                out.push(b'\n');
            }
            Event::Done => {
                // A clock that was set back has measured nothing.
                let taken = now().duration_since(self.started).as_secs_f64().max(0.0);
                out.extend_from_slice(b"{\"response\":\"\",\"done\":true,\"generation_time\":");
                append(&taken, out);
                out.extend_from_slice(b"}\n");
            }
            _ => {}
        }
    }
}
