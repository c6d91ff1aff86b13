//! A streamed reply, read in the upstream's dialect and written in the client's, chunk by chunk.
//!
//! It holds one incomplete frame, and up to a tag's length of text for each choice.

use bytes::Bytes;
use dragoman_dialects::form::{Failure, Garbage};
use dragoman_dialects::{Codec, StreamReader};

use super::frames::{Frames, Uncut};
use super::sink::Sink;

/// Why a stream cannot go on. The upstream's fault; after bytes have gone to the client no retry helps.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// It cannot be cut into events.
    #[error(transparent)]
    Uncut(#[from] Uncut),
    /// An event is not what the dialect says.
    #[error(transparent)]
    Garbage(#[from] Garbage),
    /// It ended before the answer did.
    #[error("the upstream ended the stream before the answer was complete")]
    Cut,
}

/// One streamed reply on its way.
pub struct Stream {
    frames: Frames,
    reader: Box<dyn StreamReader>,
    sink: Sink,
}

impl Stream {
    /// A stream at its start, from a backend that speaks `upstream`.
    #[must_use]
    pub fn new(upstream: &dyn Codec, sink: Sink) -> Self {
        Self {
            frames: Frames::new(upstream.framing()),
            reader: upstream.stream_reader(),
            sink,
        }
    }

    /// Takes the next chunk of the upstream's body and appends what goes to the client to `out`.
    ///
    /// # Errors
    /// [`Broken`]: the stream is to be ended with [`Stream::fail`].
    pub fn push(&mut self, chunk: Bytes, out: &mut Vec<u8>) -> Result<(), Broken> {
        let Self {
            frames,
            reader,
            sink,
        } = self;
        frames.push(chunk, |frame| {
            Ok(reader.read(frame, &mut |event| sink.take(event, out))?)
        })
    }

    /// Ends the stream as the upstream has ended it.
    ///
    /// # Errors
    /// [`Broken`], if it ended too early.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Broken> {
        let Self {
            frames,
            reader,
            sink,
        } = self;
        frames.finish(|frame| reader.read(frame, &mut |event| sink.take(event, out)))?;
        let complete = reader.end(&mut |event| sink.take(event, out));
        if complete || sink.has_ended() {
            Ok(())
        } else {
            Err(Broken::Cut)
        }
    }

    /// Ends the stream with an error event. Nothing is written where it has ended already.
    pub fn fail(&mut self, failure: Failure, out: &mut Vec<u8>) {
        self.sink.fail(failure, out);
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
