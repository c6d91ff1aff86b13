//! One message: its headers and its payload.

use bytes::Bytes;

use crate::codec::Frame;

/// The length of what a message begins with: its length, its headers' length, and their checksum.
pub const PRELUDE: usize = 12;

/// The length of the checksum that a message ends with.
pub const CHECKSUM: usize = 4;

/// A stream is not what the encoding says. The upstream's fault, or that of the way between; the stream cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// A message is longer than the bound.
    #[error("the upstream sent a message of {length} bytes, which is more than {longest}")]
    TooLong {
        /// Its length, in bytes.
        length: usize,
        /// The bound, in bytes.
        longest: usize,
    },
    /// A checksum does not fit what it is over.
    #[error("the checksum of a message's {0} is wrong")]
    Checksum(&'static str),
    /// A length or a header does not read.
    #[error("a message's {0} does not read")]
    Malformed(&'static str),
}

/// A message. Its parts share the memory that it was read from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// `:message-type`: `event`, `exception` or `error`.
    kind: Bytes,
    /// `:event-type`, `:exception-type` or `:error-code`.
    name: Bytes,
    /// `:error-message`, where an error has no payload.
    said: Bytes,
    payload: Bytes,
}

impl Message {
    /// Reads a whole message whose prelude is known to be right.
    ///
    /// # Errors
    /// [`Broken`] if it does not read.
    pub fn read(raw: &Bytes) -> Result<Self, Broken> {
        let end = raw
            .len()
            .checked_sub(CHECKSUM)
            .ok_or(Broken::Malformed("length"))?;
        if number(raw, end) != Some(crc32fast::hash(&raw[..end])) {
            return Err(Broken::Checksum("content"));
        }
        let headers = number(raw, 4).ok_or(Broken::Malformed("length"))?;
        let headers = usize::try_from(headers).map_err(|_| Broken::Malformed("length"))?;
        let start = PRELUDE.checked_add(headers).filter(|start| *start <= end);
        let start = start.ok_or(Broken::Malformed("length"))?;
        let mut message = Self {
            payload: raw.slice(start..end),
            ..Self::default()
        };
        let mut rest = raw.slice(PRELUDE..start);
        while !rest.is_empty() {
            message
                .header(&mut rest)
                .ok_or(Broken::Malformed("header"))?;
        }
        Ok(message)
    }

    /// Takes one header from the front; none if it does not read.
    fn header(&mut self, rest: &mut Bytes) -> Option<()> {
        let length = usize::from(take(rest, 1)?[0]);
        let name = take(rest, length)?;
        let kind = take(rest, 1)?[0];
        let length = match kind {
            0 | 1 => 0,
            2 => 1,
            3 => 2,
            4 => 4,
            5 | 8 => 8,
            6 | 7 => usize::from(u16::from_be_bytes(take(rest, 2)?.as_ref().try_into().ok()?)),
            9 => 16,
            _ => return None,
        };
        let value = take(rest, length)?;
        if kind == 7 {
            match name.as_ref() {
                b":message-type" => self.kind = value,
                b":event-type" | b":exception-type" | b":error-code" => self.name = value,
                b":error-message" => self.said = value,
                _ => {}
            }
        }
        Some(())
    }

    /// The event's, the exception's or the error's name.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        let name = str::from_utf8(&self.name).ok();
        name.filter(|name| !name.is_empty())
    }

    /// Whether it is anything but an event: it is the last then.
    #[must_use]
    pub fn is_exception(&self) -> bool {
        !(self.kind.is_empty() || self.kind.as_ref() == b"event")
    }

    /// What it carries: JSON, at Bedrock. Of an error that carries nothing, its message.
    #[must_use]
    pub fn payload(&self) -> &Bytes {
        if self.payload.is_empty() {
            &self.said
        } else {
            &self.payload
        }
    }

    /// The message as codecs read it.
    #[must_use]
    pub fn frame(&self) -> Frame<'_> {
        Frame {
            name: self.name(),
            exception: self.is_exception(),
            data: self.payload(),
        }
    }
}

fn take(rest: &mut Bytes, length: usize) -> Option<Bytes> {
    (length <= rest.len()).then(|| rest.split_to(length))
}

/// The number of four bytes at a place.
pub(super) fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(four.try_into().ok()?))
}
