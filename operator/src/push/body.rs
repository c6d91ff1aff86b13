//! A response body that is written line by line, no faster than the proxy reads.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::Frame;
use tokio::sync::mpsc::{self, Receiver, Sender};

/// The body's end that the server holds.
#[derive(Debug)]
pub(super) struct Lines(Receiver<Bytes>);

impl Lines {
    /// A writer and the body that it writes. One line waits at a time: what comes later gathers on the shelf.
    pub(super) fn new() -> (Sender<Bytes>, Self) {
        let (writer, reader) = mpsc::channel(1);
        (writer, Self(reader))
    }
}

impl http_body::Body for Lines {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0
            .poll_recv(context)
            .map(|line| line.map(|line| Ok(Frame::data(line))))
    }
}
