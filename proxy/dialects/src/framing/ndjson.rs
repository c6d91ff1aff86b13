//! Cuts a stream of JSON lines into lines, wherever its chunks are split.
//!
//! Source: [NDJSON](https://github.com/ndjson/ndjson-spec): lines end with LF or CRLF. Blank lines, a byte order mark and a last line
//! without its end are accepted too.
//!
//! A line that lies inside one chunk shares its memory. One that does not is copied together; at most one such line is held.

use bytes::{Buf, Bytes};

/// The longest line that is taken by default, in bytes: one may hold an image, or all arguments of a call.
pub const LONGEST: usize = 32 << 20;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// A line is longer than the bound. The upstream's fault; the stream cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the upstream sent a line of more than {longest} bytes")]
pub struct TooLong {
    /// The bound, in bytes.
    pub longest: usize,
}

/// Cuts chunks into lines.
///
/// ```
/// # use bytes::Bytes;
/// use dragoman_dialects::framing::Ndjson;
/// let mut lines = Ndjson::default();
/// lines.feed(Bytes::from_static(b"{\"a\":1}\n{\"b\""));
/// assert_eq!(lines.next_line()?.unwrap(), "{\"a\":1}");
/// assert_eq!(lines.next_line()?, None);
/// lines.feed(Bytes::from_static(b":2}\r\n"));
/// assert_eq!(lines.next_line()?.unwrap(), "{\"b\":2}");
/// # Ok::<(), dragoman_dialects::framing::ndjson::TooLong>(())
/// ```
#[derive(Debug)]
pub struct Ndjson {
    longest: usize,
    /// The start of a line that no chunk has ended yet.
    partial: Vec<u8>,
    /// What is left of the chunk that was fed last.
    chunk: Bytes,
}

impl Default for Ndjson {
    fn default() -> Self {
        Self::new(LONGEST)
    }
}

impl Ndjson {
    /// Lines of at most `longest` bytes.
    #[must_use]
    pub fn new(longest: usize) -> Self {
        Self {
            longest,
            partial: Vec::new(),
            chunk: Bytes::new(),
        }
    }

    /// Adds the next chunk of the stream. [`Ndjson::next_line`] is to be asked until it has no more.
    pub fn feed(&mut self, chunk: Bytes) {
        self.chunk = if self.chunk.is_empty() {
            chunk
        } else {
            [&self.chunk[..], &chunk[..]].concat().into()
        };
    }

    /// The next line that is complete and not blank, without its end.
    ///
    /// # Errors
    /// [`TooLong`] if a line outgrows the bound.
    pub fn next_line(&mut self) -> Result<Option<Bytes>, TooLong> {
        loop {
            let Some(end) = memchr::memchr(b'\n', &self.chunk) else {
                // Copied, so that a few bytes do not pin a read buffer until the next chunk.
                self.partial.extend_from_slice(&self.chunk);
                self.chunk.clear();
                self.bound(self.partial.len())?;
                return Ok(None);
            };
            let last = self.chunk.split_to(end);
            self.chunk.advance(1);
            self.bound(self.partial.len() + last.len())?;
            let line = if self.partial.is_empty() {
                last
            } else {
                self.partial.extend_from_slice(&last);
                std::mem::take(&mut self.partial).into()
            };
            let line = trimmed(line);
            if !line.is_empty() {
                return Ok(Some(line));
            }
        }
    }

    /// What is left when the stream has ended: a line without its end.
    pub fn finish(&mut self) -> Option<Bytes> {
        let mut rest = std::mem::take(&mut self.partial);
        rest.extend_from_slice(&std::mem::take(&mut self.chunk));
        Some(trimmed(rest.into())).filter(|line| !line.is_empty())
    }

    fn bound(&self, length: usize) -> Result<(), TooLong> {
        let longest = self.longest;
        if length > longest {
            return Err(TooLong { longest });
        }
        Ok(())
    }
}

/// Without a byte order mark and white space at its ends.
fn trimmed(line: Bytes) -> Bytes {
    let text = line.strip_prefix(BOM).unwrap_or(&line).trim_ascii();
    line.slice_ref(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut(text: &[u8], sizes: &[usize]) -> Vec<Bytes> {
        let mut lines = Ndjson::default();
        let mut out = Vec::new();
        let (mut rest, mut sizes) = (text, sizes.iter().cycle());
        while !rest.is_empty() {
            let size = sizes.next().copied().unwrap_or(1).clamp(1, rest.len());
            lines.feed(Bytes::copy_from_slice(&rest[..size]));
            rest = &rest[size..];
            while let Some(line) = lines.next_line().unwrap() {
                out.push(line);
            }
        }
        out.extend(lines.finish());
        out
    }

    #[test]
    fn blank_lines_and_a_byte_order_mark_are_no_lines() {
        let text = "\u{feff}{\"a\":1}\r\n\n  \r\n{\"b\":2}".as_bytes();
        assert_eq!(cut(text, &[text.len()]), ["{\"a\":1}", "{\"b\":2}"]);
    }

    #[test]
    fn a_line_over_the_bound_ends_the_stream_whether_or_not_it_ends() {
        for text in ["0123456789", "0123456789\n"] {
            let mut lines = Ndjson::new(9);
            lines.feed(Bytes::from(text));
            assert_eq!(lines.next_line(), Err(TooLong { longest: 9 }));
        }
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_lines(
            text in "([a-z{}é]{0,6}(\r?\n)?){0,8}",
            sizes in proptest::collection::vec(1_usize..5, 1..6),
        ) {
            let text = text.as_bytes();
            prop_assert_eq!(cut(text, &sizes), cut(text, &[text.len().max(1)]));
        }
    }
}
