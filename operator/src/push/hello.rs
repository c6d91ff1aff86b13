//! Lines from a proxy.

use bytes::{Buf, BytesMut};
use dragoman_config::wire::Up;
use http_body::Body;
use http_body_util::BodyExt;

/// Why no line came. The proxy's fault, or the network's; it dials again.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoLine {
    /// The body ended or broke off.
    #[error("the stream ended")]
    Ended,
    /// No end in sight.
    #[error("a line is longer than {0} bytes")]
    TooLong(usize),
    /// Not the protocol.
    #[error("a line is none of the push protocol: {0}")]
    Malformed(#[from] serde_json::Error),
}

/// Reads lines from a request's body.
#[derive(Debug)]
pub(super) struct LinesIn<B> {
    body: B,
    buffer: BytesMut,
    searched: usize,
    longest: usize,
}

impl<B: Body + Unpin> LinesIn<B> {
    /// Reads lines of at most `longest` bytes.
    pub(super) fn new(body: B, longest: usize) -> Self {
        Self {
            body,
            buffer: BytesMut::new(),
            searched: 0,
            longest,
        }
    }

    /// Reads lines of at most `longest` bytes from now on.
    pub(super) fn allow(&mut self, longest: usize) {
        self.longest = longest;
    }

    /// The next line. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Result<Up, NoLine> {
        loop {
            if let Some(at) = self.buffer[self.searched..]
                .iter()
                .position(|byte| *byte == b'\n')
            {
                // However much of it the network brought at once.
                if self.searched + at > self.longest {
                    return Err(NoLine::TooLong(self.longest));
                }
                let line = self.buffer.split_to(self.searched + at + 1);
                self.searched = 0;
                if line.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                return Ok(serde_json::from_slice(&line)?);
            }
            self.searched = self.buffer.len();
            if self.searched > self.longest {
                return Err(NoLine::TooLong(self.longest));
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(mut data) = frame.into_data() {
                        while data.has_remaining() {
                            let chunk = data.chunk();
                            let length = chunk.len();
                            self.buffer.extend_from_slice(chunk);
                            data.advance(length);
                        }
                    }
                }
                Some(Err(_)) | None => return Err(NoLine::Ended),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http_body_util::Full;

    #[tokio::test]
    async fn lines_are_read_one_by_one_and_blank_ones_are_heartbeats() {
        let text =
            "{\"type\":\"report\",\"digest\":\"a\"}\n\n{\"type\":\"report\",\"digest\":\"b\"}\n";
        let mut lines = LinesIn::new(Full::new(Bytes::from_static(text.as_bytes())), 100);
        for digest in ["a", "b"] {
            let Up::Report(report) = lines.next().await.unwrap() else {
                panic!("no report")
            };
            assert_eq!(report.digest, digest);
        }
        assert!(matches!(lines.next().await, Err(NoLine::Ended)));
    }

    #[tokio::test]
    async fn what_is_no_line_of_the_protocol_is_refused() {
        let mut lines = LinesIn::new(Full::new(Bytes::from_static(b"{\"type\":\"coup\"}\n")), 100);
        assert!(matches!(lines.next().await, Err(NoLine::Malformed(_))));
    }

    #[tokio::test]
    async fn a_line_without_end_is_cut_off() {
        let mut lines = LinesIn::new(Full::new(Bytes::from(vec![b'x'; 102])), 100);
        assert!(matches!(lines.next().await, Err(NoLine::TooLong(100))));
        let mut lines = LinesIn::new(Full::new(Bytes::from(format!("{:>101}\n", 'x'))), 100);
        assert!(matches!(lines.next().await, Err(NoLine::TooLong(100))));
    }
}
