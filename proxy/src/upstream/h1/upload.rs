//! Writing a request: head and body in as few writes as the socket takes, without joining them in memory.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http_body::Body as _;
use tokio::io::AsyncWrite as _;

use crate::upstream::{
    io::Io,
    request::{BodyStream, BoxError, RequestBody},
};

/// How many pieces one write may gather.
const PIECES: usize = 16;

/// Why an upload stopped.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// The connection broke. A reply may be there nevertheless.
    Connection(io::Error),
    /// The body to be sent broke off.
    Body(BoxError),
}

/// A request on its way out.
pub(crate) struct Upload {
    /// What is left of the head.
    head: Bytes,
    source: Source,
    /// The next byte to be written: which piece of the source, and where in it.
    piece: usize,
    offset: usize,
    writes: u32,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Writing,
    Flushing,
    Done,
}

enum Source {
    Held(RequestBody),
    Relayed(Relay),
}

/// A body that arrives while it is sent.
struct Relay {
    stream: BodyStream,
    /// The current frame, framed.
    pieces: Vec<Bytes>,
    /// What must still come; `None` when sent chunked.
    left: Option<u64>,
    ended: bool,
}

impl Upload {
    /// An upload of `body`, of which nothing is written yet.
    pub(crate) fn new(body: RequestBody) -> Self {
        let source = match body {
            RequestBody::Stream(stream) => {
                let left = stream.size_hint().exact();
                Source::Relayed(Relay {
                    stream,
                    pieces: Vec::new(),
                    left,
                    ended: false,
                })
            }
            held => Source::Held(held),
        };
        Upload {
            head: Bytes::new(),
            source,
            piece: 0,
            offset: 0,
            writes: 0,
            state: State::Writing,
        }
    }

    /// Writes `head` and as much of the body as is at hand; what the socket does not take of the head is kept.
    pub(crate) fn begin(
        &mut self,
        head: &[u8],
        io: &mut Io,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Stopped>> {
        let written = match self.write(head, io, cx) {
            Poll::Ready(Ok(written)) => written,
            Poll::Ready(Err(error)) => return Poll::Ready(Err(Stopped::Connection(error))),
            Poll::Pending => 0,
        };
        match written.checked_sub(head.len()) {
            Some(body) => self.advance(body),
            None => self.head = Bytes::copy_from_slice(&head[written..]),
        }
        self.poll(io, cx)
    }

    /// Whether everything has been written.
    pub(crate) fn done(&self) -> bool {
        self.state == State::Done
    }

    /// How many writes the socket has taken.
    pub(crate) fn writes(&self) -> u32 {
        self.writes
    }

    /// Writes on. Ready when all is written.
    pub(crate) fn poll(&mut self, io: &mut Io, cx: &mut Context<'_>) -> Poll<Result<(), Stopped>> {
        while self.state == State::Writing {
            if self.head.is_empty() && self.piece >= self.source.pieces().len() {
                match self.source.poll_more(cx) {
                    Poll::Ready(Ok(true)) => (self.piece, self.offset) = (0, 0),
                    Poll::Ready(Ok(false)) => self.state = State::Flushing,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(Stopped::Body(error))),
                    Poll::Pending => {
                        // What TLS holds back must not wait for the next frame.
                        let _ = Pin::new(io).poll_flush(cx).map_err(Stopped::Connection)?;
                        return Poll::Pending;
                    }
                }
                continue;
            }
            let head = std::mem::take(&mut self.head);
            let result = self.write(&head, io, cx);
            self.head = head;
            let written = ready!(result).map_err(Stopped::Connection)?;
            let of_head = written.min(self.head.len());
            self.head.advance(of_head);
            self.advance(written - of_head);
        }
        if self.state == State::Flushing {
            ready!(Pin::new(io).poll_flush(cx)).map_err(Stopped::Connection)?;
            self.state = State::Done;
        }
        Poll::Ready(Ok(()))
    }

    fn write(&mut self, head: &[u8], io: &mut Io, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut slices = [IoSlice::new(&[]); PIECES];
        let mut count = 0;
        if !head.is_empty() {
            slices[0] = IoSlice::new(head);
            count = 1;
        }
        let rest = self.source.pieces().iter().skip(self.piece);
        for (index, piece) in rest.enumerate().take(PIECES - count) {
            let from = if index == 0 { self.offset } else { 0 };
            slices[count] = IoSlice::new(&piece[from..]);
            count += 1;
        }
        if slices[..count].iter().all(|slice| slice.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        match ready!(Pin::new(io).poll_write_vectored(cx, &slices[..count]))? {
            0 => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            written => {
                self.writes = self.writes.wrapping_add(1);
                Poll::Ready(Ok(written))
            }
        }
    }

    /// Counts `written` bytes of the body as done, and steps over empty pieces.
    fn advance(&mut self, mut written: usize) {
        while let Some(piece) = self.source.pieces().get(self.piece) {
            let left = piece.len() - self.offset;
            if written < left {
                self.offset += written;
                return;
            }
            written -= left;
            self.piece += 1;
            self.offset = 0;
        }
    }
}

impl Source {
    fn pieces(&self) -> &[Bytes] {
        match self {
            Source::Held(RequestBody::Bytes(bytes)) => std::slice::from_ref(bytes),
            Source::Held(RequestBody::Segments(all)) => all,
            Source::Held(_) => &[],
            Source::Relayed(relay) => &relay.pieces,
        }
    }

    /// Gets the next pieces; false when there are none.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, BoxError>> {
        match self {
            Source::Held(_) => Poll::Ready(Ok(false)),
            Source::Relayed(relay) => relay.poll_more(cx),
        }
    }
}

impl Relay {
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, BoxError>> {
        self.pieces.clear();
        while !self.ended {
            match ready!(self.stream.as_mut().poll_frame(cx)).transpose()? {
                // Trailers have no place in a body of known length, and nobody reads them elsewhere.
                Some(frame) => match frame.into_data() {
                    Ok(data) if !data.is_empty() => {
                        self.frame(data)?;
                        return Poll::Ready(Ok(true));
                    }
                    _ => {}
                },
                None => {
                    self.ended = true;
                    match self.left {
                        None => {
                            self.pieces.push(Bytes::from_static(b"0\r\n\r\n"));
                            return Poll::Ready(Ok(true));
                        }
                        Some(0) => {}
                        Some(left) => {
                            return Poll::Ready(Err(format!("it ended {left} bytes early").into()));
                        }
                    }
                }
            }
        }
        Poll::Ready(Ok(false))
    }

    fn frame(&mut self, data: Bytes) -> Result<(), BoxError> {
        match &mut self.left {
            Some(left) => {
                *left = left
                    .checked_sub(data.len() as u64)
                    .ok_or("it is longer than its Content-Length")?;
                self.pieces.push(data);
            }
            None => {
                self.pieces
                    .push(Bytes::from(format!("{:x}\r\n", data.len())));
                self.pieces.push(data);
                self.pieces.push(Bytes::from_static(b"\r\n"));
            }
        }
        Ok(())
    }
}
