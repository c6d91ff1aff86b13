//! A client's socket, with better last words: what hyper refuses before any request exists gets OpenAI's shape and a request id
//! here, and a client that is still sending when it is refused gets to read why.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::StatusCode;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use super::error::{FAULT, Refusal, SHOULD_RETRY};
use super::exchanges::Exchanges;
use super::request_id::{self, RequestId};

/// How long, and for how many bytes, a refused client is listened to before its connection is closed: closing at once would reset it, and
/// the refusal be lost with it.
const LINGER: (Duration, usize) = (Duration::from_secs(2), 64 << 20);

/// What a client's connection is: bytes both ways, in the clear or decrypted.
pub(crate) trait Socket: AsyncRead + AsyncWrite + Unpin + 'static {}

impl<S: AsyncRead + AsyncWrite + Unpin + 'static> Socket for S {}

/// A client's socket.
pub(crate) struct Wire<S: Socket> {
    io: Option<TokioIo<S>>,
    exchanges: Rc<Exchanges>,
    /// What is being written instead of hyper's own words, and how far it is.
    instead: Option<(Vec<u8>, usize)>,
}

impl<S: Socket> Wire<S> {
    pub(crate) fn new(stream: S, exchanges: Rc<Exchanges>) -> Self {
        Self {
            io: Some(TokioIo::new(stream)),
            exchanges,
            instead: None,
        }
    }

    fn io(&mut self) -> io::Result<Pin<&mut TokioIo<S>>> {
        self.io
            .as_mut()
            .map(Pin::new)
            .ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Writes our words if `written` are hyper's own; ready once they are out.
    fn poll_instead(&mut self, cx: &mut Context<'_>, written: &[u8]) -> Poll<io::Result<bool>> {
        if self.instead.is_none() {
            if !self.exchanges.are_none() {
                return Poll::Ready(Ok(false));
            }
            let Some(words) = refusal(written).map(words) else {
                return Poll::Ready(Ok(false));
            };
            self.instead = Some((words, 0));
            self.exchanges.refuse();
        }
        while let Some((words, at)) = &mut self.instead {
            if *at == words.len() {
                self.instead = None;
                break;
            }
            let Some(io) = &mut self.io else {
                return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
            };
            match ready!(Pin::new(io).poll_write(cx, &words[*at..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => *at += count,
            }
        }
        Poll::Ready(Ok(true))
    }
}

/// The status of a refusal that hyper writes by itself.
fn refusal(own: &[u8]) -> Option<StatusCode> {
    // The version is that of the request before, should there have been one.
    let code = own.strip_prefix(b"HTTP/1.")?.get(2..5)?;
    let status = StatusCode::from_bytes(code).ok()?;
    status.is_client_error().then_some(status)
}

fn words(status: StatusCode) -> Vec<u8> {
    let (code, message) = match status {
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => (
            "headers_too_large",
            "The request's headers are more or larger than this proxy reads (spec.limits.headerBytes of the LLMProxy).",
        ),
        StatusCode::URI_TOO_LONG => ("uri_too_long", "The request's target is too long."),
        _ => (
            "malformed_request",
            "What arrived is no well-formed HTTP request.",
        ),
    };
    let object = Refusal::client(status, code, message).object();
    let mut words = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n{}: {}\r\n{}: client\r\n{}: false\r\n\r\n",
        object.len(),
        request_id::HEADER.as_str(),
        RequestId::new(),
        FAULT.as_str(),
        SHOULD_RETRY.as_str(),
    )
    .into_bytes();
    words.extend_from_slice(&object);
    words
}

impl<S: Socket> Read for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        self.io()?.poll_read(cx, buffer)
    }
}

impl<S: Socket> Write for Wire<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if ready!(self.poll_instead(cx, bytes))? {
            return Poll::Ready(Ok(bytes.len()));
        }
        self.io()?.poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let [only] = slices
            && ready!(self.poll_instead(cx, only))?
        {
            return Poll::Ready(Ok(only.len()));
        }
        self.io()?.poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.as_ref().is_some_and(Write::is_write_vectored)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.io()?.poll_flush(cx))?;
        // hyper flushes when it has nothing left to write.
        self.exchanges.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io()?.poll_shutdown(cx)
    }
}

impl<S: Socket> Drop for Wire<S> {
    fn drop(&mut self) {
        // Without a runtime the thread is ending, and there is nobody to listen.
        if self.exchanges.refused()
            && tokio::runtime::Handle::try_current().is_ok()
            && let Some(io) = self.io.take()
        {
            tokio::task::spawn_local(linger(io.into_inner()));
        }
    }
}

async fn linger(mut stream: impl Socket) {
    use tokio::io::AsyncWriteExt;
    let (patience, most) = LINGER;
    let listen = async {
        // hyper shuts down by itself where all went well, and a second time does no harm.
        let _ = stream.shutdown().await;
        let mut scrap = [0; 4096];
        let mut read = 0;
        while read < most {
            match stream.read(&mut scrap).await {
                Ok(count) if count > 0 => read += count,
                _ => break,
            }
        }
    };
    let _ = tokio::time::timeout(patience, listen).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_read_whatever_the_version_of_the_request_before() {
        for version in ["1.0", "1.1"] {
            let own = format!(
                "HTTP/{version} 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
            );
            assert_eq!(
                refusal(own.as_bytes()),
                Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
            );
        }
        for other in ["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1", ""] {
            assert_eq!(refusal(other.as_bytes()), None, "{other}");
        }
    }
}
