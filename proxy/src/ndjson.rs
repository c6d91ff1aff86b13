//! Cuts a stream of JSON lines into lines with all their bytes, wherever its chunks are split.
//!
//! [`dragoman_dialects::framing::Ndjson`] gives the lines alone; here their ends stay, so that what is not changed passes as it came.

use bytes::{Buf, Bytes};
pub use dragoman_dialects::framing::ndjson::{LONGEST, TooLong};

/// Cuts chunks into lines. At most one incomplete line is held.
///
/// ```
/// # use bytes::Bytes;
/// let mut lines = dragoman_proxy::ndjson::Lines::default();
/// lines.feed(Bytes::from_static(b"{}\r\n{"));
/// assert_eq!(lines.next_line()?.unwrap(), "{}\r\n");
/// assert_eq!(lines.next_line()?, None);
/// assert_eq!(lines.finish().unwrap(), "{");
/// # Ok::<(), dragoman_proxy::ndjson::TooLong>(())
/// ```
#[derive(Debug, Default)]
pub struct Lines {
    /// The start of a line that no chunk has ended yet.
    partial: Vec<u8>,
    /// What is left of the chunk that was fed last.
    chunk: Bytes,
}

impl Lines {
    /// Adds the next chunk. [`Lines::next_line`] is to be asked until it has no more.
    pub fn feed(&mut self, chunk: Bytes) {
        self.chunk = if self.chunk.is_empty() {
            chunk
        } else {
            [&self.chunk[..], &chunk[..]].concat().into()
        };
    }

    /// The next line that is complete, its end included.
    ///
    /// # Errors
    /// [`TooLong`] if a line outgrows [`LONGEST`].
    pub fn next_line(&mut self) -> Result<Option<Bytes>, TooLong> {
        let end = memchr::memchr(b'\n', &self.chunk).map(|at| at + 1);
        let length = self.partial.len() + end.unwrap_or(self.chunk.len());
        if length > LONGEST {
            return Err(TooLong { longest: LONGEST });
        }
        let Some(end) = end else {
            // Copied, so that a few bytes do not pin a read buffer until the next chunk.
            self.partial.extend_from_slice(&self.chunk);
            self.chunk.clear();
            return Ok(None);
        };
        if self.partial.is_empty() {
            return Ok(Some(self.chunk.split_to(end)));
        }
        let mut line = std::mem::take(&mut self.partial);
        line.extend_from_slice(&self.chunk[..end]);
        self.chunk.advance(end);
        Ok(Some(line.into()))
    }

    /// What is left when the stream has ended: a line without its end.
    pub fn finish(&mut self) -> Option<Bytes> {
        let mut rest = std::mem::take(&mut self.partial);
        rest.extend_from_slice(&std::mem::take(&mut self.chunk));
        (!rest.is_empty()).then(|| rest.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_keep_their_ends_wherever_they_are_split() {
        let text = b"{\"a\":1}\r\n\n{\"b\":\"\xc3\xa9\"}\n{}";
        for at in 0..=text.len() {
            let mut lines = Lines::default();
            let mut got = Vec::new();
            for piece in [&text[..at], &text[at..]] {
                lines.feed(Bytes::copy_from_slice(piece));
                while let Some(line) = lines.next_line().unwrap() {
                    got.push(line);
                }
            }
            got.extend(lines.finish());
            assert_eq!(got, ["{\"a\":1}\r\n", "\n", "{\"b\":\"\u{e9}\"}\n", "{}"]);
        }
    }

    #[test]
    fn a_line_over_the_bound_ends_the_stream_whether_or_not_it_ends() {
        for end in ["", "\n"] {
            let mut lines = Lines::default();
            lines.feed(("a".repeat(LONGEST + 1) + end).into());
            assert_eq!(lines.next_line(), Err(TooLong { longest: LONGEST }));
        }
    }
}
