//! Reads a stream. Special tokens, such as the end of the text, are not shown.

use serde::Deserialize;
use serde_json::Value;

use crate::codec::{Frame, StreamReader};
use crate::form::{Event, Garbage};
use crate::json::Text;
use crate::tgi::{error, reply};

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow, default)]
    token: Option<Token<'a>>,
    #[serde(borrow, default)]
    generated_text: Option<Text<'a>>,
    #[serde(borrow, default)]
    details: Option<Details<'a>>,
    #[serde(default)]
    error: Option<Value>,
    #[serde(borrow, default)]
    error_type: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Token<'a> {
    #[serde(borrow, default)]
    text: Option<Text<'a>>,
    #[serde(default)]
    special: Option<bool>,
}

#[derive(Deserialize)]
struct Details<'a> {
    #[serde(borrow, default)]
    finish_reason: Option<Text<'a>>,
    #[serde(default)]
    generated_tokens: Option<u64>,
    #[serde(default)]
    input_length: Option<u64>,
}

/// What was seen so far.
#[derive(Debug, Default)]
pub(in crate::tgi) struct Reader {
    started: bool,
    done: bool,
}

impl StreamReader for Reader {
    fn read(&mut self, frame: Frame<'_>, emit: &mut dyn FnMut(Event<'_>)) -> Result<(), Garbage> {
        // Gateways in front of TGI end a stream as OpenAI does.
        if self.done || frame.data == b"[DONE]" {
            return Ok(());
        }
        let data: Data<'_> = serde_json::from_slice(frame.data).map_err(|fault| {
            Garbage::new(
                format!("An event of the stream is not TGI's: {fault}."),
                frame.data,
            )
        })?;
        if let Some(message) = data.error {
            self.done = true;
            let type_ = data.error_type.map(|text| text.0);
            let value = serde_json::json!({"error": message, "error_type": type_});
            emit(Event::Failed(error::in_stream(value)));
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
        let shown = data.token.filter(|token| token.special != Some(true));
        if let Some(text) = shown.and_then(|token| token.text?.filled()) {
            emit(Event::Text {
                choice: 0,
                text,
                logprobs: None,
            });
        }
        let ended = data
            .details
            .as_ref()
            .is_some_and(|details| details.finish_reason.is_some());
        if !ended && data.generated_text.is_none() {
            return Ok(());
        }
        self.done = true;
        let details = data.details;
        let word = details
            .as_ref()
            .and_then(|details| details.finish_reason.as_ref());
        emit(Event::Finish {
            choice: 0,
            reason: reply::finish(word.map_or("eos_token", |word| &word.0)),
        });
        // Versions before 2.3 do not say how long the prompt was.
        let usage = details.and_then(|details| {
            Some(reply::usage(
                details.input_length,
                details.generated_tokens?,
            ))
        });
        if let Some(usage) = usage {
            emit(Event::Usage(usage));
        }
        emit(Event::Done);
        Ok(())
    }

    fn end(&mut self, _emit: &mut dyn FnMut(Event<'_>)) -> bool {
        self.done
    }
}
