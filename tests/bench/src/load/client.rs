//! One kept connection to a contender.

use std::io;
use std::net::SocketAddr;

use memchr::memmem;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::fault::Fault;

/// More headers than any contender answers with.
const MOST_HEADERS: usize = 32;
/// How a chunked body ends.
const LAST_CHUNK: &[u8] = b"\r\n0\r\n\r\n";

/// One connection; one exchange at a time.
pub(super) struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    /// Connects.
    pub(super) async fn connect(address: SocketAddr) -> Result<Self, Fault> {
        let connect = async {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Ok(stream)
        };
        let stream = connect
            .await
            .map_err(|e| Fault::machine(format!("connect to {address}"), e))?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(64 * 1024),
        })
    }

    /// Sends a request and reads the whole reply; the body is left in the buffer from the returned offset on.
    pub(super) async fn exchange(&mut self, request: &[u8]) -> Result<usize, Fault> {
        let head = self.open(request).await?;
        let length = head.length.ok_or_else(|| self.wrong("no content-length"))?;
        while self.buffer.len() < head.end + length {
            self.read().await?;
        }
        Ok(head.end)
    }

    /// Sends a request and reads the reply's head; what came of the body is left in the buffer.
    pub(super) async fn open(&mut self, request: &[u8]) -> Result<Head, Fault> {
        self.buffer.clear();
        self.stream
            .write_all(request)
            .await
            .map_err(|e| Fault::machine("send a request", e))?;
        loop {
            self.read().await?;
            if let Some(head) = Head::parse(&self.buffer)? {
                return if head.status == 200 {
                    Ok(head)
                } else {
                    Err(self.wrong(&format!("status {}", head.status)))
                };
            }
        }
    }

    /// Reads a chunked body to its end and says how many bytes it had with its framing.
    pub(super) async fn drain(&mut self, head: Head) -> Result<u64, Fault> {
        let mut total = 0;
        self.buffer.drain(..head.end);
        loop {
            let ended = self.buffer.ends_with(LAST_CHUNK);
            let kept = if ended {
                0
            } else {
                LAST_CHUNK.len().min(self.buffer.len())
            };
            let passed = self.buffer.len() - kept;
            total += passed as u64;
            self.buffer.drain(..passed);
            if ended {
                return Ok(total);
            }
            self.read().await?;
        }
    }

    /// Waits for more and says how many events begin in it.
    pub(super) async fn events(&mut self) -> Result<u64, Fault> {
        self.buffer.clear();
        self.read().await?;
        Ok(memmem::find_iter(&self.buffer, b"data: ").count() as u64)
    }

    /// Waits until `mark` has come.
    pub(super) async fn until(&mut self, mark: &str) -> Result<(), Fault> {
        while memmem::find(&self.buffer, mark.as_bytes()).is_none() {
            self.read().await?;
        }
        Ok(())
    }

    /// What has been read of the current exchange.
    pub(super) fn buffer(&self) -> &[u8] {
        &self.buffer
    }

    /// Reads a chunked body to its end, all of it into the buffer.
    pub(super) async fn collect(&mut self) -> Result<(), Fault> {
        while !self.buffer.ends_with(LAST_CHUNK) {
            self.read().await?;
        }
        Ok(())
    }

    async fn read(&mut self) -> Result<(), Fault> {
        let read = self.stream.read_buf(&mut self.buffer).await;
        match read.map_err(|e| Fault::machine("read a reply", e))? {
            0 => Err(Fault::machine(
                "read a reply",
                io::ErrorKind::UnexpectedEof.into(),
            )),
            _ => Ok(()),
        }
    }

    fn wrong(&self, what: &str) -> Fault {
        Fault::WrongReply(format!("{what}: {}", String::from_utf8_lossy(&self.buffer)))
    }
}

/// What is needed of a reply's head.
#[derive(Clone, Copy)]
pub(super) struct Head {
    status: u16,
    /// Where the body begins.
    pub(super) end: usize,
    length: Option<usize>,
}

impl Head {
    fn parse(buffer: &[u8]) -> Result<Option<Self>, Fault> {
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut reply = httparse::Response::new(&mut headers);
        let parsed = reply
            .parse(buffer)
            .map_err(|e| Fault::WrongReply(e.to_string()))?;
        let httparse::Status::Complete(end) = parsed else {
            return Ok(None);
        };
        let length = reply
            .headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case("content-length"))
            .and_then(|header| std::str::from_utf8(header.value).ok()?.parse().ok());
        Ok(Some(Self {
            status: reply.code.unwrap_or_default(),
            end,
            length,
        }))
    }
}
