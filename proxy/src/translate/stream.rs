//! A streamed reply, read in the upstream's dialect and written in the client's, chunk by chunk.
//!
//! It holds one incomplete frame, and up to a tag's length of text for each choice. Some clients' dialects want more kept: Responses and TGI
//! repeat the whole text at the end, Ollama and Gemini take a call's arguments in one piece. That is kept once, however often it is said again, and
//! bounded by [`LONGEST`].

use bytes::Bytes;
use dragoman_dialects::ends::Unended;
use dragoman_dialects::form::{Event, Failure, Garbage, Untold};
use dragoman_dialects::{Framing, Rope, StreamReader};

use super::frames::{Frames, Uncut};
use super::sink::Sink;
use crate::access::response::Stopped;

/// The most that is kept of one streamed answer, in bytes, where the client's dialect wants it kept.
pub const LONGEST: usize = 64 << 20;

/// Why a stream cannot go on. The upstream's fault; after bytes have gone to the client no retry helps.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// It cannot be cut into events.
    #[error(transparent)]
    Uncut(#[from] Uncut),
    /// An event is not what the dialect says.
    #[error(transparent)]
    Garbage(#[from] Garbage),
    /// More would have to be kept than [`LONGEST`].
    #[error(
        "the answer is longer than the {} MiB that are kept of one for clients of this dialect, which is told it once more at its end",
        LONGEST >> 20
    )]
    TooLong,
    /// The client's dialect has no place for what was answered.
    #[error(transparent)]
    Untold(#[from] Untold),
    /// It came whole, and not to its end.
    #[error(transparent)]
    Unended(#[from] Unended),
    /// It ended before the answer did.
    #[error("the upstream ended the stream before the answer was complete")]
    Cut,
}

/// One streamed reply on its way.
pub struct Stream {
    frames: Frames,
    reader: Box<dyn StreamReader>,
    sink: Sink,
    /// The most that is kept.
    longest: usize,
}

impl Stream {
    /// A stream at its start, cut as `framing` says and read by `reader`.
    #[must_use]
    pub fn new(framing: Framing, reader: Box<dyn StreamReader>, sink: Sink) -> Self {
        Self {
            frames: Frames::new(framing),
            reader,
            sink,
            longest: LONGEST,
        }
    }

    /// Takes the next chunk of the upstream's body and appends what goes to the client to `out`.
    ///
    /// # Errors
    /// [`Broken`]: the stream is to be ended with [`Stream::fail`].
    pub fn push(&mut self, chunk: Bytes, out: &mut Rope) -> Result<(), Broken> {
        let Self {
            frames,
            reader,
            sink,
            longest,
        } = self;
        let before = out.len();
        let alive = frames.push(chunk, |frame| {
            reader.read(frame, &mut |event| sink.take(event, out))?;
            if let Some(untold) = sink.untold() {
                return Err(untold.clone().into());
            }
            if sink.kept() > *longest {
                return Err(Broken::TooLong);
            }
            Ok::<_, Broken>(())
        })?;
        // What stands between would end a connection on which nothing comes.
        if alive && out.len() == before {
            sink.take(Event::Ping, out);
        }
        Ok(())
    }

    /// Ends the stream as the upstream has ended it.
    ///
    /// # Errors
    /// [`Broken`], if it ended too early.
    pub fn finish(&mut self, out: &mut Rope) -> Result<(), Broken> {
        let Self {
            frames,
            reader,
            sink,
            ..
        } = self;
        frames.finish(|frame| reader.read(frame, &mut |event| sink.take(event, out)))?;
        let complete = reader.end(&mut |event| sink.take(event, out));
        if let Some(untold) = sink.untold() {
            return Err(untold.clone().into());
        }
        if complete || sink.has_ended() {
            Ok(())
        } else {
            Err(Broken::Cut)
        }
    }

    /// Ends the stream with an error event. Nothing is written where it has ended already.
    pub fn fail(&mut self, failure: Failure, out: &mut Rope) {
        self.sink.fail(failure, out);
    }

    /// Why rules ended it.
    #[must_use]
    pub fn stopped(&self) -> Option<&Stopped> {
        self.sink.stopped()
    }

    /// Whether rules have let something pass that a model said.
    #[must_use]
    pub fn has_said(&self) -> bool {
        self.sink.has_said()
    }

    /// Whether the stream has had its end, good or bad: whatever the upstream still sends is of no interest.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.sink.has_ended()
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream")
            .field("frames", &self.frames)
            .field("sink", &self.sink)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use dragoman_dialects::{Context, Wire};
    use jiff::Timestamp;

    use super::*;
    use crate::think::{Rules, Tag, Text};
    use crate::translate::Thinking;

    /// What these tests keep of a stream.
    const KEPT: usize = 64 << 10;

    fn context() -> Context {
        Context {
            request_id: "r".into(),
            model: "m".into(),
            started: Timestamp::UNIX_EPOCH,
            stream_usage: true,
            reasoning: true,
            echo: serde_json::Map::new(),
        }
    }

    /// A stream of a chat's for a client of another dialect.
    fn stream(client: Wire) -> Stream {
        let context = context();
        let rules = Arc::new(Rules::new(Text::Keep, Vec::new(), false, false));
        let thinking = Thinking { rules, shown: true };
        let writer = client.codec().stream_writer(&context);
        let sink = Sink::new(writer, thinking, None);
        Stream {
            longest: KEPT,
            ..Stream::new(Framing::Sse, Wire::Chat.codec().stream_reader(), sink)
        }
    }

    #[test]
    fn a_comment_of_the_upstreams_is_a_sign_of_life_in_the_clients_dialect() {
        let comment = ": keep-alive\n\n";
        for (client, sign) in [
            (Wire::Completions, comment),
            (Wire::Chat, comment),
            (Wire::Responses, comment),
            (Wire::Tgi, comment),
            (Wire::Messages, "event: ping\ndata: {\"type\":\"ping\"}\n\n"),
            // There is no such thing, or their clients take every line for data.
            (Wire::Gemini, ""),
            (Wire::OllamaChat, ""),
            (Wire::BedrockConverse, ""),
        ] {
            let mut out = Rope::default();
            let chunk = Bytes::from_static(b": queued\n\n");
            stream(client).push(chunk, &mut out).unwrap();
            let said = String::from_utf8(out.into_vec()).unwrap();
            assert_eq!(said, sign, "{client:?}");
        }
    }

    #[test]
    fn a_client_from_whom_thinking_is_hidden_hears_that_it_goes_on() {
        let mut stream = stream(Wire::Messages);
        let rules = Rules::new(Text::Strip, vec![Tag::default()], false, false);
        stream.sink = Sink::new(
            Wire::Messages.codec().stream_writer(&context()),
            Thinking {
                rules: Arc::new(rules),
                shown: false,
            },
            None,
        )
        .impatient();
        for delta in [
            r#"{"reasoning_content":"hm"}"#,
            r#"{"content":"<think>hm"}"#,
            r#"{"content":"hm"}"#,
        ] {
            let event = format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{delta}}}]}}\n\n");
            let mut out = Rope::default();
            stream.push(event.into(), &mut out).unwrap();
            let said = String::from_utf8(out.into_vec()).unwrap();
            assert!(
                said.ends_with("event: ping\ndata: {\"type\":\"ping\"}\n\n"),
                "{said}"
            );
        }
    }

    /// Sends as many pieces of 512 bytes as may be kept, and one more; what came of the last.
    fn flood(client: Wire, before: &str, piece: &str) -> (Result<(), Broken>, usize, Stream) {
        let mut stream = stream(client);
        let event = |delta: &str| {
            let choice = format!("{{\"index\":0,\"delta\":{delta},\"finish_reason\":null}}");
            Bytes::from(format!("data: {{\"choices\":[{choice}]}}\n\n"))
        };
        let mut out = Rope::default();
        stream.push(event(before), &mut out).unwrap();
        let filler = "x".repeat(512);
        let piece = event(&piece.replace('$', &filler));
        for number in 0..=KEPT / filler.len() {
            let pushed = stream.push(piece.clone(), &mut Rope::default());
            if pushed.is_err() {
                return (pushed, number, stream);
            }
        }
        (Ok(()), usize::MAX, stream)
    }

    #[test]
    fn an_answer_that_must_be_kept_whole_ends_with_an_error_where_it_is_too_long() {
        let text = ("{}", r#"{"content":"$"}"#);
        let start =
            r#"{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":"\""}}"#;
        let start = format!("{{\"tool_calls\":[{start}]}}");
        let call = r#"{"tool_calls":[{"index":0,"function":{"arguments":"$"}}]}"#;
        for (client, before, piece) in [
            (Wire::Responses, text.0, text.1),
            (Wire::Tgi, text.0, text.1),
            (Wire::OllamaChat, &start, call),
            (Wire::Gemini, &start, call),
        ] {
            let (pushed, number, mut stream) = flood(client, before, piece);
            assert!(matches!(pushed, Err(Broken::TooLong)), "{client:?}");
            assert!(number > 120, "{client:?}: {number}");
            let mut out = Rope::default();
            stream.fail(Failure::new(502, "It is too long."), &mut out);
            let said = String::from_utf8(out.into_vec()).unwrap();
            assert!(said.contains("It is too long."), "{client:?}");
        }
    }

    #[test]
    fn an_answer_of_which_nothing_is_kept_may_be_of_any_length() {
        let (pushed, _, _) = flood(Wire::Messages, "{}", r#"{"content":"$"}"#);
        assert!(pushed.is_ok());
    }
}
