//! One connection's bytes, in clear or in TLS, and how they are read: all that the socket has, in one piece.

use std::{
    cell::RefCell,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

/// How much is read in one piece. One buffer serves a whole thread, so that a connection that waits holds none.
const READ_SIZE: usize = 32 * 1024;

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_SIZE].into_boxed_slice());
}

/// A connection's two directions.
#[derive(Debug)]
pub(crate) enum Io {
    /// In clear.
    Tcp(TcpStream),
    /// Encrypted.
    Tls(Box<TlsStream<TcpStream>>),
    /// Within a test.
    #[cfg(test)]
    Memory(tokio::io::DuplexStream),
}

impl Io {
    /// Reads all that has arrived, up to 32 KiB, and shows it to `take`; nothing at all means that the upstream has closed.
    ///
    /// `take` may scribble on what it is shown and must copy what it keeps: a slice of a read buffer
    /// that outlives the read (in a log, say) would hold the whole buffer in memory.
    pub(crate) fn poll_take<T>(
        &mut self,
        cx: &mut Context<'_>,
        take: impl FnOnce(&mut [u8]) -> T,
    ) -> Poll<io::Result<T>> {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            ready!(Pin::new(&mut *self).poll_read(cx, &mut buffer))?;
            // A record is read at a time; the others that came with it are taken along. (In clear a read gives all.)
            while let Io::Tls(tls) = self {
                let before = buffer.filled().len();
                if before == 0 || buffer.remaining() == 0 {
                    break;
                }
                match Pin::new(tls).poll_read(cx, &mut buffer) {
                    // An end or a fault shows again at the next read.
                    Poll::Ready(Ok(())) if buffer.filled().len() > before => {}
                    _ => break,
                }
            }
            Poll::Ready(Ok(take(buffer.filled_mut())))
        })
    }

    /// Whether an unused connection can still be used: open, and silent.
    ///
    /// `poll_read` is what clears tokio's readiness; `try_read` would see a stale "readable" and condemn every connection.
    pub(crate) fn quiet(&mut self) -> bool {
        let mut byte = [0];
        let mut cx = Context::from_waker(Waker::noop());
        Pin::new(self)
            .poll_read(&mut cx, &mut ReadBuf::new(&mut byte))
            .is_pending()
    }
}

macro_rules! either {
    ($self:ident, $io:ident => $call:expr) => {
        match $self.get_mut() {
            Io::Tcp($io) => $call,
            Io::Tls($io) => $call,
            #[cfg(test)]
            Io::Memory($io) => $call,
        }
    };
}

impl AsyncRead for Io {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        either!(self, io => Pin::new(io).poll_read(cx, buffer))
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        either!(self, io => Pin::new(io).poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self, io => Pin::new(io).poll_write_vectored(cx, bytes))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, io => Pin::new(io).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, io => Pin::new(io).poll_shutdown(cx))
    }
}
