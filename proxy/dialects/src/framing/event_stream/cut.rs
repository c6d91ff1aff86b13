//! Cuts a stream into messages, wherever its chunks are split.
//!
//! A message that lies inside one chunk shares its memory. One that does not is copied together; at most one such message is held.

use bytes::{Buf, Bytes};

use super::message::{Broken, CHECKSUM, Message, PRELUDE, number};

/// The longest message that is taken by default, in bytes: more than AWS lets one be, which is 24 MiB with its headers.
pub const LONGEST: usize = 32 << 20;

/// Cuts chunks into messages.
///
/// ```
/// # use bytes::Bytes;
/// use dragoman_dialects::framing::{EventStream, event_stream};
/// let mut sent = Vec::new();
/// event_stream::write::event("ping", &mut sent, |out| out.extend_from_slice(b"{}"));
/// let mut stream = EventStream::default();
/// stream.feed(Bytes::copy_from_slice(&sent[..20]));
/// assert_eq!(stream.next_message()?, None);
/// stream.feed(Bytes::copy_from_slice(&sent[20..]));
/// assert_eq!(stream.next_message()?.unwrap().name(), Some("ping"));
/// # Ok::<(), event_stream::Broken>(())
/// ```
#[derive(Debug)]
pub struct EventStream {
    longest: usize,
    /// The start of a message that no chunk has ended yet.
    partial: Vec<u8>,
    /// The length of the message that `partial` begins, once its prelude is there and right.
    length: Option<usize>,
    /// What is left of the chunk that was fed last.
    chunk: Bytes,
}

impl Default for EventStream {
    fn default() -> Self {
        Self::new(LONGEST)
    }
}

impl EventStream {
    /// Messages of at most `longest` bytes.
    #[must_use]
    pub fn new(longest: usize) -> Self {
        Self {
            longest,
            partial: Vec::new(),
            length: None,
            chunk: Bytes::new(),
        }
    }

    /// Adds the next chunk of the stream. [`EventStream::next_message`] is to be asked until it has no more.
    pub fn feed(&mut self, chunk: Bytes) {
        self.chunk = if self.chunk.is_empty() {
            chunk
        } else {
            [&self.chunk[..], &chunk[..]].concat().into()
        };
    }

    /// The next message that is complete.
    ///
    /// # Errors
    /// [`Broken`] if the stream is not what the encoding says.
    pub fn next_message(&mut self) -> Result<Option<Message>, Broken> {
        if self.partial.is_empty() && self.chunk.len() >= PRELUDE {
            let length = self.measure(&self.chunk)?;
            if self.chunk.len() >= length {
                return Message::read(&self.chunk.split_to(length)).map(Some);
            }
            self.length = Some(length);
        }
        self.fill(PRELUDE);
        if self.partial.len() < PRELUDE {
            return Ok(None);
        }
        let length = match self.length {
            Some(length) => length,
            None => self.measure(&self.partial)?,
        };
        self.length = Some(length);
        self.fill(length);
        if self.partial.len() < length {
            return Ok(None);
        }
        self.length = None;
        Message::read(&std::mem::take(&mut self.partial).into()).map(Some)
    }

    /// Whether the stream, if it ended here, would end between messages.
    #[must_use]
    pub fn is_between(&self) -> bool {
        self.partial.is_empty() && self.chunk.is_empty()
    }

    /// Copies from the chunk until `length` bytes of the message are there, or the chunk is at its end.
    fn fill(&mut self, length: usize) {
        let wanted = length
            .saturating_sub(self.partial.len())
            .min(self.chunk.len());
        self.partial.extend_from_slice(&self.chunk[..wanted]);
        self.chunk.advance(wanted);
    }

    /// The length of the message that `bytes` begin with, its prelude checked.
    fn measure(&self, bytes: &[u8]) -> Result<usize, Broken> {
        let prelude = || Broken::Malformed("prelude");
        let (total, headers) = (
            number(bytes, 0).ok_or_else(prelude)?,
            number(bytes, 4).ok_or_else(prelude)?,
        );
        if number(bytes, 8) != Some(crc32fast::hash(&bytes[..8])) {
            return Err(Broken::Checksum("prelude"));
        }
        let length = usize::try_from(total).map_err(|_| prelude())?;
        let headers = usize::try_from(headers).map_err(|_| prelude())?;
        if length > self.longest {
            let longest = self.longest;
            return Err(Broken::TooLong { length, longest });
        }
        let least = headers
            .checked_add(PRELUDE + CHECKSUM)
            .ok_or_else(prelude)?;
        if length < least {
            return Err(Broken::Malformed("length"));
        }
        Ok(length)
    }
}
