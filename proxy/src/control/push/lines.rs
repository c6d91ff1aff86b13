//! Lines of JSON out of a body, however the network cuts it.

use std::collections::BTreeMap;

use bytes::{Buf, Bytes, BytesMut};
use dragoman_config::wire::{LONGEST_LINE, Report, Up};
use http_body::Body;
use http_body_util::BodyExt;
use serde_json::Map;

use super::message::{self, Message};
use super::unreadable::Unreadable;

/// A stream that cannot be read on. The operator's fault or the network's; dialling again helps.
#[derive(Debug, thiserror::Error)]
pub(super) enum LineFault {
    /// The connection broke.
    #[error("the stream broke: {0}")]
    Broken(String),
    /// A line is longer than either side may send.
    #[error("a line of more than {LONGEST_LINE} bytes came")]
    TooLong,
    /// A line is none of the protocol: the versions of operator and proxy are too far apart.
    #[error("a line came that this version does not understand: {0}")]
    Unreadable(#[from] Unreadable),
}

/// Reads lines of a body.
#[derive(Debug)]
pub(super) struct Lines<B> {
    body: B,
    buffer: BytesMut,
    /// How much of `buffer` holds no line's end.
    searched: usize,
}

impl<B> Lines<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    /// Reads `body` from its start.
    pub(super) fn new(body: B) -> Self {
        Self {
            body,
            buffer: BytesMut::new(),
            searched: 0,
        }
    }

    /// The next line, or `None` when the body ended. May be dropped at any point and called again: nothing is lost.
    ///
    /// # Errors
    /// [`LineFault`]; the stream is of no further use.
    pub(super) async fn next(&mut self) -> Result<Option<Message>, LineFault> {
        loop {
            while let Some(at) = memchr::memchr(b'\n', &self.buffer[self.searched..]) {
                let line = self.buffer.split_to(self.searched + at);
                self.buffer.advance(1);
                self.searched = 0;
                if !line.trim_ascii().is_empty() {
                    return Ok(Some(message::read(&line)?));
                }
            }
            self.searched = self.buffer.len();
            if self.searched > LONGEST_LINE {
                return Err(LineFault::TooLong);
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.buffer.extend_from_slice(&data);
                    }
                }
                Some(Err(fault)) => return Err(LineFault::Broken(fault.to_string())),
            }
        }
    }
}

/// A line for the operator.
#[must_use]
pub(super) fn line(up: &Up) -> Bytes {
    let mut line = serde_json::to_vec(up).unwrap_or_default();
    line.push(b'\n');
    line.into()
}

/// A line with a report that also refuses items whose names only the operator knows.
#[must_use]
pub(super) fn report_line(report: Report, foreign: BTreeMap<String, String>) -> Bytes {
    let up = Up::Report(report);
    if foreign.is_empty() {
        return line(&up);
    }
    let mut report = serde_json::to_value(&up).unwrap_or_default();
    if let Some(report) = report.as_object_mut() {
        let refused = report.entry("refused").or_insert_with(|| Map::new().into());
        if let Some(refused) = refused.as_object_mut() {
            refused.extend(foreign.into_iter().map(|(name, why)| (name, why.into())));
        }
    }
    let mut line = report.to_string();
    line.push('\n');
    line.into()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures::stream;
    use http_body::Frame;
    use http_body_util::StreamBody;

    use super::*;
    use crate::control::push::message::Changes;

    async fn read(pieces: Vec<&[u8]>) -> Result<Vec<Message>, LineFault> {
        let pieces: Vec<_> = pieces.into_iter().map(Bytes::copy_from_slice).collect();
        let frames = pieces
            .into_iter()
            .map(|piece| Ok::<_, Infallible>(Frame::data(piece)));
        let mut lines = Lines::new(StreamBody::new(stream::iter(frames)));
        let mut all = Vec::new();
        while let Some(line) = lines.next().await? {
            all.push(line);
        }
        Ok(all)
    }

    #[tokio::test]
    async fn lines_are_the_same_wherever_the_network_cuts_them() {
        let changes = Changes {
            digest: "d".into(),
            ..Changes::default()
        };
        let whole = b"{\"type\":\"transaction\",\"digest\":\"d\"}\r\n\n{\"type\":\"synced\"}\n";
        for cut in 0..whole.len() {
            let (one, two) = whole.split_at(cut);
            let lines = read(vec![one, two]).await.unwrap();
            assert_eq!(
                lines,
                [Message::Transaction(changes.clone()), Message::Synced]
            );
        }
    }

    #[tokio::test]
    async fn a_line_without_an_end_is_not_hoarded() {
        let piece = vec![b'x'; LONGEST_LINE / 4];
        let fault = read(vec![&piece; 5]).await.unwrap_err();
        assert!(matches!(fault, LineFault::TooLong));
    }

    #[tokio::test]
    async fn what_is_no_line_of_the_protocol_is_a_fault() {
        let fault = read(vec![b"{\"dance\":true}\n"]).await.unwrap_err();
        assert!(fault.to_string().contains("type"), "{fault}");
    }
}
