//! An upstream's stream cut into frames, however its dialect marks them.

use bytes::Bytes;
use dragoman_dialects::framing::{self, EventStream, Ndjson};
use dragoman_dialects::{Frame, Framing};

use crate::sse;

/// Why a stream cannot be cut. The upstream's fault; after bytes have gone to the client no retry helps.
#[derive(Debug, thiserror::Error)]
pub enum Uncut {
    /// An event is too long.
    #[error(transparent)]
    Sse(#[from] sse::TooLong),
    /// A line is too long.
    #[error(transparent)]
    Ndjson(#[from] framing::ndjson::TooLong),
    /// A message is damaged or too long.
    #[error(transparent)]
    EventStream(#[from] framing::event_stream::Broken),
}

/// Cuts chunks into frames. Holds one incomplete frame at most.
#[derive(Debug)]
pub enum Frames {
    /// Server-sent events.
    Sse(Box<sse::Framer>),
    /// Lines.
    Ndjson(Box<Ndjson>),
    /// AWS messages.
    EventStream(Box<EventStream>),
}

impl Frames {
    /// Frames of a dialect's kind.
    #[must_use]
    pub fn new(framing: Framing) -> Self {
        match framing {
            Framing::Sse => Self::Sse(Box::default()),
            Framing::Ndjson => Self::Ndjson(Box::default()),
            Framing::EventStream => Self::EventStream(Box::default()),
        }
    }

    /// Adds a chunk, and hands on every frame that is complete until `each` fails. Whether there was a comment among them, by which a server
    /// says that it is alive.
    ///
    /// # Errors
    /// [`Uncut`], or what `each` gives.
    pub fn push<E: From<Uncut>>(
        &mut self,
        chunk: Bytes,
        mut each: impl FnMut(Frame<'_>) -> Result<(), E>,
    ) -> Result<bool, E> {
        let mut alive = false;
        match self {
            Self::Sse(framer) => {
                framer.feed(chunk);
                while let Some(event) = framer.next_event().map_err(Uncut::from)? {
                    alive |= event.raw.starts_with(b":");
                    sse_frame(&event, &mut each)?;
                }
            }
            Self::Ndjson(cutter) => {
                cutter.feed(chunk);
                while let Some(line) = cutter.next_line().map_err(Uncut::from)? {
                    each(Frame {
                        data: &line,
                        ..Frame::default()
                    })?;
                }
            }
            Self::EventStream(cutter) => {
                cutter.feed(chunk);
                while let Some(message) = cutter.next_message().map_err(Uncut::from)? {
                    each(message.frame())?;
                }
            }
        }
        Ok(alive)
    }

    /// Hands on what is left when the stream has ended, if it may be a frame: servers leave the last blank line or line end out.
    ///
    /// # Errors
    /// What `each` gives.
    pub fn finish<E>(&mut self, mut each: impl FnMut(Frame<'_>) -> Result<(), E>) -> Result<(), E> {
        match self {
            Self::Sse(framer) => match framer.finish() {
                Some(event) => sse_frame(&event, &mut each),
                None => Ok(()),
            },
            Self::Ndjson(cutter) => match cutter.finish() {
                Some(line) => each(Frame {
                    data: &line,
                    ..Frame::default()
                }),
                None => Ok(()),
            },
            // A message that has not ended is not sound.
            Self::EventStream(_) => Ok(()),
        }
    }
}

fn sse_frame<E>(
    event: &sse::Event,
    each: &mut impl FnMut(Frame<'_>) -> Result<(), E>,
) -> Result<(), E> {
    // Comments and keep-alives have no data.
    let Some(data) = event.data() else {
        return Ok(());
    };
    each(Frame {
        name: event.name().and_then(|name| std::str::from_utf8(name).ok()),
        exception: false,
        data,
    })
}
