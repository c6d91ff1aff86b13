//! Cuts an event stream into events, wherever its chunks are split.
//!
//! Source: [WHATWG HTML §9.2.5](https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream):
//! lines end with CRLF, LF or CR, and a blank line ends an event.
//!
//! An event that lies inside one chunk shares its memory. One that does not is copied together; at most
//! one such event is held. A CR that ends a chunk is held until it is known whether an LF belongs to it.

use bytes::{Buf, Bytes};

use super::event::Event;

/// The longest event that a framer takes by default, in bytes: one may hold an image, or all arguments of a call.
pub const LONGEST: usize = 32 << 20;

/// How much of a chunk is copied at a time while the end of a split event is looked for.
const STEP: usize = 1024;

/// An event is longer than the framer's bound. The upstream's fault; the stream cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the upstream sent an event of more than {longest} bytes")]
pub struct TooLong {
    /// The bound, in bytes.
    pub longest: usize,
}

/// Cuts chunks into events.
///
/// ```
/// # use bytes::Bytes;
/// let mut framer = dragoman_proxy::sse::Framer::default();
/// framer.feed(Bytes::from_static(b"data: 1\n\nda"));
/// assert_eq!(framer.next_event()?.unwrap().data(), Some(&b"1"[..]));
/// assert_eq!(framer.next_event()?, None);
/// framer.feed(Bytes::from_static(b"ta: 2\n\n"));
/// assert_eq!(framer.next_event()?.unwrap().raw, "data: 2\n\n");
/// # Ok::<(), dragoman_proxy::sse::TooLong>(())
/// ```
#[derive(Debug)]
pub struct Framer {
    longest: usize,
    /// The start of an event that no chunk has ended yet.
    partial: Vec<u8>,
    /// What is left of the chunk that was fed last.
    chunk: Bytes,
    scan: Scan,
}

/// How far the current event has been looked through.
#[derive(Debug, Default)]
struct Scan {
    at: usize,
    /// Whether a line ended right before `at`.
    line_ended: bool,
}

impl Default for Framer {
    fn default() -> Self {
        Self::new(LONGEST)
    }
}

impl Framer {
    /// A framer for events of at most `longest` bytes.
    #[must_use]
    pub fn new(longest: usize) -> Self {
        Self {
            longest,
            partial: Vec::new(),
            chunk: Bytes::new(),
            scan: Scan::default(),
        }
    }

    /// Adds the next chunk of the stream. [`Framer::next_event`] is to be asked until it has no more.
    pub fn feed(&mut self, chunk: Bytes) {
        self.chunk = if self.chunk.is_empty() {
            chunk
        } else {
            [&self.chunk[..], &chunk[..]].concat().into()
        };
    }

    /// The next event that is complete.
    ///
    /// # Errors
    /// [`TooLong`] if an event outgrows the bound.
    pub fn next_event(&mut self) -> Result<Option<Event>, TooLong> {
        let raw = if self.partial.is_empty() {
            self.whole()
        } else {
            self.joined()
        };
        let length = raw.as_ref().map_or(self.partial.len(), Bytes::len);
        if length > self.longest {
            return Err(TooLong {
                longest: self.longest,
            });
        }
        Ok(raw.map(|raw| Event::read(raw, true)))
    }

    /// What is left when the stream has ended: an event that was cut off, or that ended with a bare CR.
    pub fn finish(&mut self) -> Option<Event> {
        let mut rest = std::mem::take(&mut self.partial);
        rest.extend_from_slice(&std::mem::take(&mut self.chunk));
        let scan = std::mem::take(&mut self.scan);
        // A blank line whose CR was still waiting for an LF.
        let complete = scan.line_ended && rest.get(scan.at) == Some(&b'\r');
        (!rest.is_empty()).then(|| Event::read(rest.into(), complete))
    }

    /// How many bytes of an incomplete event are held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.partial.len() + self.chunk.len()
    }

    fn whole(&mut self) -> Option<Bytes> {
        if let Some(end) = self.scan.end(&self.chunk) {
            return Some(self.chunk.split_to(end));
        }
        // Copied, so that a few bytes do not pin a read buffer until the next chunk.
        self.partial.extend_from_slice(&self.chunk);
        self.chunk.clear();
        None
    }

    fn joined(&mut self) -> Option<Bytes> {
        while !self.chunk.is_empty() {
            if self.partial.len() > self.longest {
                return None;
            }
            let before = self.partial.len();
            let step = self.chunk.len().min(STEP);
            self.partial.extend_from_slice(&self.chunk[..step]);
            if let Some(end) = self.scan.end(&self.partial) {
                self.chunk.advance(end - before);
                self.partial.truncate(end);
                return Some(std::mem::take(&mut self.partial).into());
            }
            self.chunk.advance(step);
        }
        None
    }
}

impl Scan {
    /// The end of the event that `bytes` start with, if it is there. Looks at no byte twice.
    fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        loop {
            if self.line_ended {
                if let Some(length) = line_end(bytes.get(self.at..)?)? {
                    let end = self.at + length;
                    *self = Self::default();
                    return Some(end);
                }
                self.line_ended = false;
            }
            let rest = bytes.get(self.at..)?;
            let Some(line) = memchr::memchr2(b'\n', b'\r', rest) else {
                self.at = bytes.len();
                return None;
            };
            // The first line of an event may be the blank one.
            let blank = line == 0 && self.at == 0;
            self.at += line;
            let length = line_end(&rest[line..])??;
            self.at += length;
            if blank {
                return Some(std::mem::take(self).at);
            }
            self.line_ended = true;
        }
    }
}

/// The length of the line ending that `bytes` start with: `Some(None)` if they start with none, `None`
/// if more bytes are needed to tell.
fn line_end(bytes: &[u8]) -> Option<Option<usize>> {
    match bytes {
        [] | [b'\r'] => None,
        [b'\r', b'\n', ..] => Some(Some(2)),
        [b'\n' | b'\r', ..] => Some(Some(1)),
        _ => Some(None),
    }
}
