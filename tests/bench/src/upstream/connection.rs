//! One connection: requests in, replies out.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::replies::{Replies, Streams};
use super::{Expectation, request};
use crate::wire::{FULL_BLOCKS, Kind};

/// The time between two events of a paced stream.
const PACE: Duration = Duration::from_millis(20);

/// Answers requests until the client leaves.
///
/// # Errors
/// When the client leaves in the middle of something, or sends what is no HTTP.
pub(super) async fn serve(
    mut stream: TcpStream,
    expectation: Expectation,
    replies: &Replies,
    streams: &AtomicUsize,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(4096);
    loop {
        let length = loop {
            match request::length(&buffer)? {
                Some(length) if length <= buffer.len() => break length,
                _ if stream.read_buf(&mut buffer).await? == 0 => return Ok(()),
                _ => {}
            }
        };
        let asked = request::asked(&buffer[..length], expectation);
        buffer.drain(..length);
        let Some((api, kind)) = asked else {
            stream.write_all(&replies.refusal).await?;
            continue;
        };
        let of = replies.streams(api);
        match kind {
            Kind::Plain => stream.write_all(&replies.plain).await?,
            Kind::Single => {
                stream.write_all(&of.first).await?;
                stream.write_all(&of.end).await?;
            }
            Kind::Full => {
                let _running = Running::new(streams);
                full_speed(&mut stream, of).await?;
            }
            Kind::Paced => {
                let _running = Running::new(streams);
                return paced(&mut stream, of).await;
            }
            Kind::Idle => {
                let _running = Running::new(streams);
                stream.write_all(&of.first).await?;
                // Until the client leaves.
                stream.read_buf(&mut buffer).await?;
                return Ok(());
            }
        }
    }
}

async fn full_speed(stream: &mut TcpStream, of: &Streams) -> io::Result<()> {
    stream.write_all(&of.head).await?;
    for _ in 0..FULL_BLOCKS {
        stream.write_all(&of.block).await?;
    }
    stream.write_all(&of.end).await
}

async fn paced(stream: &mut TcpStream, of: &Streams) -> io::Result<()> {
    stream.write_all(&of.first).await?;
    let mut ticks = interval_at(Instant::now() + PACE, PACE);
    // A stream that was held up keeps its phase: otherwise every hiccup of the machine would bring
    // more streams to the same moment, where a contender takes their events in one go.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        stream.write_all(&of.event).await?;
    }
}

/// Counts a stream for as long as it runs.
struct Running<'a>(&'a AtomicUsize);

impl<'a> Running<'a> {
    fn new(streams: &'a AtomicUsize) -> Self {
        streams.fetch_add(1, Ordering::Relaxed);
        Self(streams)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
