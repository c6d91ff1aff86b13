//! Chunks of a completion. The last says why it ended, and counts tokens.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::reply;
use crate::anthropic::stream::Envelope;
use crate::anthropic::usage;
use crate::bedrock::error;
use crate::bedrock::invoke::stream::{Chunks, decode};
use crate::codec::{Context, Frame, StreamReader, StreamWriter};
use crate::form::{Event, Finish, Garbage, Usage};
use crate::json::{Text, append};

#[derive(Deserialize)]
struct Said<'a> {
    #[serde(borrow)]
    completion: Option<Text<'a>>,
    #[serde(borrow)]
    stop_reason: Option<Text<'a>>,
    stop: Option<String>,
    #[serde(rename = "amazon-bedrock-invocationMetrics")]
    metrics: Option<Metrics>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metrics {
    #[serde(default)]
    input_token_count: u64,
    #[serde(default)]
    output_token_count: u64,
}

/// Reads a stream into events.
#[derive(Debug, Default)]
pub struct Reader {
    decoded: Vec<u8>,
    started: bool,
    spoke: bool,
    finished: bool,
    done: bool,
}

impl StreamReader for Reader {
    fn read(&mut self, frame: Frame<'_>, emit: &mut dyn FnMut(Event<'_>)) -> Result<(), Garbage> {
        if self.done {
            return Ok(());
        }
        if frame.exception {
            self.done = true;
            emit(Event::Failed(error::of_exception(frame)));
            return Ok(());
        }
        if !decode(frame, &mut self.decoded)? {
            return Ok(());
        }
        let said: Said<'_> = serde_json::from_slice(&self.decoded).map_err(|fault| {
            Garbage::new(format!("A chunk does not read: {fault}."), &self.decoded)
        })?;
        if !std::mem::replace(&mut self.started, true) {
            emit(Event::Start {
                id: None,
                model: None,
                created: None,
                usage: None,
            });
        }
        let text = said.completion.map(|text| text.0);
        let text = if self.spoke { text } else { text.map(trimmed) };
        // What follows the end of the answer is no part of it.
        if let Some(text) = text.filter(|text| !self.finished && !text.is_empty()) {
            self.spoke = true;
            emit(Event::Text {
                choice: 0,
                text,
                logprobs: None,
            });
        }
        if let Some(reason) = said.stop_reason.and_then(Text::filled)
            && !std::mem::replace(&mut self.finished, true)
        {
            let reason = reply::finish(&reason, said.stop);
            emit(Event::Finish { choice: 0, reason });
        }
        if let Some(metrics) = said.metrics.filter(|_| self.finished) {
            emit(Event::Usage(Usage {
                input: metrics.input_token_count,
                output: metrics.output_token_count,
                ..Usage::default()
            }));
            self.done = true;
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

fn trimmed(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim_start()),
        Cow::Owned(text) => Cow::Owned(text.trim_start().to_owned()),
    }
}

/// Writes events as a stream: text alone.
#[derive(Debug)]
pub struct Writer {
    chunks: Chunks,
    finish: Option<Finish>,
    usage: Option<Usage>,
}

impl Writer {
    /// A writer for one client.
    #[must_use]
    pub fn new(context: &Context) -> Self {
        Self {
            chunks: Chunks::new(context.started),
            finish: None,
            usage: None,
        }
    }
}

impl StreamWriter for Writer {
    fn write(&mut self, event: Event<'_>, now: &dyn Fn() -> Timestamp, out: &mut Vec<u8>) {
        match event {
            Event::Text {
                choice: 0, text, ..
            }
            | Event::Refusal { choice: 0, text }
                if !text.is_empty() =>
            {
                self.chunks.event("chunk", out, |out| {
                    out.extend_from_slice(br#"{"type":"completion","completion":"#);
                    append(&text, out);
                    out.extend_from_slice(br#","stop_reason":null,"stop":null}"#);
                });
            }
            Event::Finish { choice: 0, reason } => self.finish = Some(reason),
            Event::Usage(usage) => self.usage = Some(usage),
            Event::Failed(failure) => self.chunks.failed(&failure, out),
            Event::Done => self.done(now, out),
            _ => {}
        }
    }
}

impl Writer {
    fn done(&mut self, now: &dyn Fn() -> Timestamp, out: &mut Vec<u8>) {
        let mut metrics = Vec::new();
        // These models have no cache: what others count apart is a part of the prompt.
        let usage = self.usage.map(|usage| Usage {
            cached_input: None,
            cache_write: None,
            ..usage
        });
        self.chunks
            .metrics(&usage::Tokens::of(usage.as_ref()), now, &mut metrics);
        let (stop_reason, stop) = reply::stop(self.finish.as_ref());
        let last = json!({"type": "completion", "completion": "", "stop_reason": stop_reason, "stop": stop});
        let last = last.to_string();
        self.chunks.event("chunk", out, |out| {
            out.extend_from_slice(last.trim_end_matches('}').as_bytes());
            out.extend_from_slice(&metrics);
            out.push(b'}');
        });
    }
}
