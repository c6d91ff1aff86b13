//! Writes a stream.
//!
//! Rules: those of a whole reply. A piece of text is sent as one token, whose id and probability are not known and so 0; the
//! last event holds the whole text, as TGI's does, and an unnamed special token. The text is kept until then
//! ([`StreamWriter::kept`]).

use jiff::Timestamp;
use serde_json::json;

use crate::codec::StreamWriter;
use crate::form::{Event, Finish, Usage};
use crate::framing::sse;
use crate::json::append;
use crate::rope::Rope;
use crate::tgi::{error, reply};

/// What the last event will say.
#[derive(Debug, Default)]
pub(in crate::tgi) struct Writer {
    index: u64,
    /// The inside of a JSON string.
    text: Rope,
    finish: Option<Finish>,
    usage: Option<Usage>,
}

impl Writer {
    fn token(&mut self, text: &str, special: bool, out: &mut Vec<u8>) {
        self.index += 1;
        out.extend_from_slice(b"data:{\"index\":");
        append(&self.index, out);
        out.extend_from_slice(b",\"token\":{\"id\":0,\"text\":");
        let start = out.len() + 1;
        append(text, out);
        self.text
            .keep(out.get(start..out.len() - 1).unwrap_or_default());
        out.extend_from_slice(b",\"logprob\":0.0,\"special\":");
        append(&special, out);
        out.extend_from_slice(b"},\"generated_text\":");
    }

    fn text(&mut self, text: &str, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        self.token(text, false, out);
        out.extend_from_slice(b"null,\"details\":null}\n\n");
    }

    fn done(&mut self, out: &mut Rope) {
        self.token("", true, out.tail());
        out.tail().push(b'"');
        out.share(&mut self.text);
        let usage = self.usage.unwrap_or_default();
        let mut details = json!({
            "finish_reason": reply::word(self.finish.as_ref()),
            "generated_tokens": usage.output,
            "seed": null,
        });
        if !usage.lacks_input() {
            details["input_length"] = usage.input.into();
        }
        if usage.estimated {
            details[reply::ESTIMATED] = true.into();
        }
        let out = out.tail();
        out.extend_from_slice(b"\",\"details\":");
        append(&details, out);
        out.extend_from_slice(b"}\n\n");
    }
}

impl StreamWriter for Writer {
    fn write(&mut self, event: Event<'_>, now: &dyn Fn() -> Timestamp, out: &mut Vec<u8>) {
        let mut rope = Rope::from(std::mem::take(out));
        self.share(event, now, &mut rope);
        *out = rope.into_vec();
    }

    fn share(&mut self, event: Event<'_>, _now: &dyn Fn() -> Timestamp, out: &mut Rope) {
        match event {
            Event::Text {
                choice: 0, text, ..
            }
            | Event::Refusal { choice: 0, text } => {
                self.text(&text, out.tail());
            }
            Event::Finish { choice: 0, reason } => self.finish = Some(reason),
            Event::Usage(usage) => self.usage = Some(usage),
            Event::Failed(failure) => {
                let out = out.tail();
                out.extend_from_slice(b"data:");
                append(&error::body(&failure), out);
                out.extend_from_slice(b"\n\n");
            }
            // As its own servers do.
            Event::Ping => sse::keep_alive(out.tail()),
            Event::Done => self.done(out),
            _ => {}
        }
    }

    fn kept(&self) -> usize {
        self.text.len()
    }
}
