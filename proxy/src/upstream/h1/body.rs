//! The body of a reply, and what becomes of its connection.

use std::{
    rc::Rc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;

use super::{
    chunked::Decoder,
    framing::Framing,
    pool::{Connection, Pool},
    upload::Upload,
};
use crate::upstream::fault::Fault;

/// How far into a body one is.
#[derive(Debug)]
pub(crate) struct Cursor {
    state: State,
    /// Content that came with the head.
    first: Bytes,
    /// Whether something came after the end. Nobody asked for it, so the connection is not trusted further.
    surplus: bool,
}

#[derive(Debug)]
enum State {
    Length(u64),
    Chunked(Decoder),
    Close,
    Done,
}

impl Cursor {
    /// At the start of a body, of which `rest` came with the head.
    pub(crate) fn begin(framing: Framing, rest: &mut [u8]) -> Result<Self, Fault> {
        let state = match framing {
            Framing::Empty => State::Done,
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::Chunked(Decoder::new()),
            Framing::Close => State::Close,
        };
        let mut cursor = Cursor {
            state,
            first: Bytes::new(),
            surplus: false,
        };
        if !rest.is_empty() {
            cursor.first = cursor.take(rest)?;
        }
        Ok(cursor)
    }

    fn done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Copies the content out of a piece that was read.
    fn take(&mut self, bytes: &mut [u8]) -> Result<Bytes, Fault> {
        let (content, read, done) = match &mut self.state {
            State::Done => (0..0, 0, true),
            State::Close => (0..bytes.len(), bytes.len(), false),
            State::Length(left) => {
                let take = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                *left -= take as u64;
                (0..take, take, *left == 0)
            }
            State::Chunked(decoder) => {
                let decoded = decoder.decode(bytes).map_err(|reason| Fault::Protocol {
                    reason: reason.into(),
                    replying: true,
                })?;
                (decoded.content, decoded.read, decoder.done())
            }
        };
        if done {
            self.state = State::Done;
            self.surplus |= read < bytes.len();
        }
        Ok(Bytes::copy_from_slice(&bytes[content]))
    }

    /// Takes the end of the connection.
    fn close(&mut self) -> Result<(), Fault> {
        match &self.state {
            State::Done => {}
            State::Close => self.state = State::Done,
            State::Length(left) => {
                return Err(Fault::Truncated(format!("{left} bytes are missing")));
            }
            State::Chunked(_) => {
                return Err(Fault::Truncated("the last chunk is missing".into()));
            }
        }
        Ok(())
    }
}

/// The body of a reply. Dropped before its end, it closes the connection; read to its end, it hands it back to the pool.
pub(crate) struct Body {
    connection: Option<Connection>,
    /// Where the connection goes afterwards; `None` if nowhere.
    pool: Option<Rc<Pool>>,
    /// A request that is still being written: the upstream replied early.
    upload: Option<Box<Upload>>,
    cursor: Cursor,
}

impl Body {
    pub(crate) fn new(
        connection: Option<Connection>,
        pool: Option<Rc<Pool>>,
        upload: Option<Box<Upload>>,
        cursor: Cursor,
    ) -> Self {
        let mut body = Body {
            connection,
            pool,
            upload,
            cursor,
        };
        if body.cursor.done() {
            body.release();
        }
        body
    }

    /// Whether all of it has been received, read or not.
    pub(crate) fn arrived(&self) -> bool {
        self.cursor.done()
    }

    /// Whether nothing more will come.
    pub(crate) fn ended(&self) -> bool {
        self.cursor.done() && self.cursor.first.is_empty()
    }

    /// How many bytes are still to come, where that is known.
    pub(crate) fn left(&self) -> Option<u64> {
        let first = self.cursor.first.len() as u64;
        match self.cursor.state {
            State::Done => Some(first),
            State::Length(left) => Some(left + first),
            State::Chunked(_) | State::Close => None,
        }
    }

    /// The next piece: everything that the socket has.
    pub(crate) fn poll_chunk(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Fault>>> {
        if !self.cursor.first.is_empty() {
            return Poll::Ready(Some(Ok(std::mem::take(&mut self.cursor.first))));
        }
        loop {
            let Some(connection) = &mut self.connection else {
                return Poll::Ready(None);
            };
            if let Some(upload) = &mut self.upload {
                // Whether the rest of the request arrives is the upstream's business now; a fault shows in the reply.
                match upload.poll(&mut connection.io, cx) {
                    Poll::Ready(Ok(())) => self.upload = None,
                    Poll::Ready(Err(_)) => {
                        self.upload = None;
                        self.pool = None;
                    }
                    Poll::Pending => {}
                }
            }
            let cursor = &mut self.cursor;
            let read = ready!(connection.io.poll_take(cx, |bytes| match bytes {
                [] => cursor.close().map(|()| Bytes::new()),
                bytes => cursor.take(bytes),
            }));
            let result = match read {
                Ok(result) => result,
                Err(error) => Err(Fault::Truncated(error.to_string())),
            };
            match result {
                Ok(content) => {
                    if self.cursor.done() {
                        self.release();
                    }
                    if !content.is_empty() {
                        return Poll::Ready(Some(Ok(content)));
                    }
                }
                Err(fault) => {
                    self.connection = None;
                    return Poll::Ready(Some(Err(fault)));
                }
            }
        }
    }

    /// Hands the connection back, or closes it.
    fn release(&mut self) {
        let connection = self.connection.take();
        if let (Some(connection), Some(pool), None, false) = (
            connection,
            self.pool.take(),
            &self.upload,
            self.cursor.surplus,
        ) {
            pool.put(connection);
        }
        self.upload = None;
    }
}
