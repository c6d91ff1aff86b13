//! The chunks of `invoke` with Anthropic's bodies: each holds an event of a message.

use std::sync::Arc;

use bytes::Bytes;

use crate::chunk::{self, Chunk};
use crate::messages::Messages;
use crate::sse::Framer;
use crate::think::messages::MessagesStream;
use crate::think::rules::Rules;
use crate::think::stream::Unreadable;

/// The thinking taken out of one streamed reply of `invoke`. Rules that change nothing still see to it that only whole messages pass, so that an
/// exception can follow them.
#[derive(Debug)]
pub struct InvokeStream {
    inert: bool,
    messages: Messages,
    inner: MessagesStream,
}

impl InvokeStream {
    /// A stream at its start. `shown` as for [`MessagesStream::new`].
    #[must_use]
    pub fn new(rules: Arc<Rules>, shown: bool) -> Self {
        Self {
            inert: rules.is_inert(),
            messages: Messages::default(),
            inner: MessagesStream::new(rules, shown),
        }
    }

    /// Takes the next chunk of the upstream's body and appends what goes to the client to `out`.
    ///
    /// # Errors
    /// [`Unreadable`]: the stream is to be ended with an exception.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<Bytes>) -> Result<(), Unreadable> {
        if self.inert {
            return Ok(self.messages.push(chunk, out)?);
        }
        let mut messages = Vec::new();
        let cut = self.messages.push(chunk, &mut messages);
        for raw in messages {
            match Chunk::read(raw) {
                Ok(chunk) => self.chunk(chunk, out)?,
                Err(other) => {
                    self.cut(out)?;
                    out.push(other);
                }
            }
        }
        Ok(cut?)
    }

    /// Ends the stream as the upstream has ended it: appends all that was held back, of an unfinished message too where nothing is looked for.
    ///
    /// # Errors
    /// As for [`InvokeStream::push`].
    pub fn finish(&mut self, out: &mut Vec<Bytes>) -> Result<(), Unreadable> {
        self.cut(out)?;
        if self.inert {
            out.extend(Some(self.messages.rest()).filter(|rest| !rest.is_empty()));
        }
        Ok(())
    }

    /// Ends a stream that broke off: nothing can follow half a message.
    ///
    /// # Errors
    /// As for [`InvokeStream::push`].
    pub fn cut(&mut self, out: &mut Vec<Bytes>) -> Result<(), Unreadable> {
        let mut said = Vec::new();
        self.inner.cut(&mut said);
        out.extend(events(said)?.iter().map(|(_, event)| chunk::own(event)));
        Ok(())
    }

    fn chunk(&mut self, chunk: Chunk, out: &mut Vec<Bytes>) -> Result<(), Unreadable> {
        let mut event = Vec::with_capacity(chunk.event().len() + 8);
        for line in chunk.event().split(|byte| *byte == b'\n') {
            event.extend_from_slice(b"data: ");
            event.extend_from_slice(line);
            event.push(b'\n');
        }
        event.push(b'\n');
        let mut said = Vec::new();
        self.inner.push(event.into(), &mut said)?;
        let mut events = events(said)?;
        // Most events pass alone and as they came.
        if let [(false, only)] = &events[..]
            && only == chunk.event()
        {
            out.push(chunk.into_raw());
            return Ok(());
        }
        for (is_own, event) in events.drain(..) {
            out.push(if is_own {
                chunk::own(&event)
            } else {
                chunk.with_event(&event)
            });
        }
        Ok(())
    }
}

/// The events that came of one: whether each is our own, which alone have names here, and its data.
fn events(said: Vec<Bytes>) -> Result<Vec<(bool, Vec<u8>)>, Unreadable> {
    let mut framer = Framer::new(usize::MAX);
    framer.feed(said.concat().into());
    let mut events = Vec::new();
    while let Some(event) = framer.next_event()? {
        if let Some(data) = event.data() {
            events.push((event.name().is_some(), data.to_vec()));
        }
    }
    Ok(events)
}
