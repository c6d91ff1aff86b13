//! Reads a stream.

use std::borrow::Cow;

use jiff::Timestamp;

use crate::codec::{Frame, StreamReader};
use crate::form::{Event, Garbage};
use crate::json::Text;
use crate::ollama::line::{Call, Line, made_id};
use crate::ollama::shape::Shape;
use crate::openai;

/// What was seen so far.
pub(in crate::ollama) struct Reader {
    shape: Shape,
    started: bool,
    finished: bool,
    done: bool,
    calls: u32,
}

impl Reader {
    pub(in crate::ollama) fn new(shape: Shape) -> Self {
        Self {
            shape,
            started: false,
            finished: false,
            done: false,
            calls: 0,
        }
    }

    /// What a line says of the answer.
    fn piece(&mut self, line: &mut Line<'_>, emit: &mut dyn FnMut(Event<'_>)) {
        let said = line.said(self.shape);
        if let Some(text) = said.thinking.and_then(Text::filled) {
            emit(Event::Reasoning { choice: 0, text });
        }
        let text = said.content.unwrap_or_default().0;
        let logprobs = line.logprobs();
        if !text.is_empty() || logprobs.is_some() {
            emit(Event::Text {
                choice: 0,
                text,
                logprobs,
            });
        }
        for call in said.tool_calls.into_iter().flatten() {
            self.call(call, line.created(), emit);
        }
        if let Some(reason) = line.finish(self.calls > 0) {
            self.finished = true;
            emit(Event::Finish { choice: 0, reason });
        }
    }

    fn call<'a>(
        &mut self,
        mut call: Call<'a>,
        at: Option<Timestamp>,
        emit: &mut dyn FnMut(Event<'_>),
    ) {
        let number = self.calls;
        self.calls += 1;
        let id = call.id().unwrap_or_else(|| Cow::Owned(made_id(at, number)));
        let (name, json) = call.take();
        emit(Event::ToolStart {
            choice: 0,
            call: number,
            id,
            name,
            signature: None,
        });
        emit(Event::ToolArguments {
            choice: 0,
            call: number,
            json,
        });
    }
}

impl StreamReader for Reader {
    fn read(&mut self, frame: Frame<'_>, emit: &mut dyn FnMut(Event<'_>)) -> Result<(), Garbage> {
        if self.done {
            return Ok(());
        }
        let mut line: Line<'_> = serde_json::from_slice(frame.data).map_err(|fault| {
            Garbage::new(
                format!("A line of the stream is not Ollama's: {fault}."),
                frame.data,
            )
        })?;
        if let Some(error) = line.error.take() {
            self.done = true;
            emit(Event::Failed(openai::error::in_stream(error)));
            return Ok(());
        }
        if !self.started {
            self.started = true;
            emit(Event::Start {
                id: None,
                model: line.model.take().and_then(Text::filled),
                created: line.created().map(Timestamp::as_second),
                usage: None,
            });
        }
        // What follows the end of the answer is no part of it.
        if !self.finished {
            self.piece(&mut line, emit);
        }
        if line.done == Some(true) {
            self.done = true;
            if let Some(usage) = line.usage() {
                emit(Event::Usage(usage));
            }
            emit(Event::Done);
        }
        Ok(())
    }

    fn end(&mut self, emit: &mut dyn FnMut(Event<'_>)) -> bool {
        if !self.done && self.finished {
            self.done = true;
            emit(Event::Done);
        }
        self.done
    }
}
