//! The events of a stream.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use super::text::{TEXT, TOKENS, hide_tokens, strip};
use crate::json::{Edit, Members, ObjectEdit, scan, splice::splice_into, string};
use crate::sse::{Event, Framer, Relay, TooLong};
use crate::think::parts::object;
use crate::think::rules::Rules;
use crate::think::stripper::Stripper;

/// The members of an event that are looked at.
const EVENT: [&str; 4] = [TOKEN, TEXT, TOKENS[1], "error"];
const TOKEN: &str = "token";
const OF_TOKEN: [&str; 2] = ["text", "special"];

/// The most events that wait for what follows them.
const WAITING: usize = 1024;

/// The thinking taken out of one streamed reply of TGI's own.
///
/// ```
/// # use std::sync::Arc;
/// # use bytes::Bytes;
/// use dragoman_proxy::think::{Rules, TgiStream};
/// let mut stream = TgiStream::new(Arc::new(Rules::default()));
/// let mut out = Vec::new();
/// for text in ["<think>a", "b</thi", "nk>c"] {
///     let event = format!("data:{{\"token\":{{\"text\":\"{text}\"}}}}\n\n");
///     stream.push(Bytes::from(event), &mut out)?;
/// }
/// stream.finish(&mut out);
/// assert_eq!(out.concat(), b"data:{\"token\":{\"text\":\"c\"}}\n\n");
/// # Ok::<(), dragoman_proxy::sse::TooLong>(())
/// ```
#[derive(Debug)]
pub struct TgiStream {
    rules: Arc<Rules>,
    framer: Framer,
    stripper: Stripper,
    /// Events of which it is not known yet whether they are a part of a tag.
    waiting: VecDeque<Waiting>,
    /// How much of the first one's text is known to be none.
    released: usize,
}

/// An event that waits.
#[derive(Debug)]
struct Waiting {
    event: Event,
    /// What its token says, or what is left of that.
    text: String,
    /// Whether its token said more.
    cut: bool,
    /// Whether it holds the whole text.
    ends: bool,
}

type Object = Members<'static, &'static str>;

impl TgiStream {
    /// A stream at its start.
    #[must_use]
    pub fn new(rules: Arc<Rules>) -> Self {
        Self {
            stripper: Stripper::new(Arc::clone(&rules)),
            rules,
            framer: Framer::default(),
            waiting: VecDeque::new(),
            released: 0,
        }
    }

    /// Takes the next chunk of the upstream's body and appends what goes to the client to `out`.
    ///
    /// # Errors
    /// [`TooLong`]: the stream is to be ended with an error event.
    pub fn push(&mut self, chunk: Bytes, out: &mut Vec<Bytes>) -> Result<(), TooLong> {
        if self.rules.is_inert() {
            out.push(chunk);
            return Ok(());
        }
        let mut relay = Relay::new(chunk.clone(), out);
        self.framer.feed(chunk);
        while let Some(event) = self.framer.next_event()? {
            self.event(event, &mut relay);
        }
        Ok(())
    }

    /// Ends the stream: appends all that waits, and an unfinished event.
    pub fn finish(&mut self, out: &mut Vec<Bytes>) {
        let mut relay = Relay::new(Bytes::new(), out);
        if let Some(event) = self.framer.finish() {
            self.event(event, &mut relay);
        }
        self.flush(&mut relay);
    }

    fn event(&mut self, event: Event, relay: &mut Relay<'_>) {
        let Some(data) = event.data() else {
            relay.pass(event.raw);
            return;
        };
        let Ok(members) = scan(data, &EVENT) else {
            let leaks = self.stripper.is_thinking() || !self.rules.spares(data);
            if event.complete || !leaks {
                self.flush(relay);
                relay.pass(event.raw);
            }
            return;
        };
        let json = std::str::from_utf8(data).unwrap_or_default();
        let token = members.some(json, TOKEN);
        let token = token.and_then(|at| object(json, &at, &OF_TOKEN));
        let special = |token: &Object| token.is_true(data, "special");
        let text = token.as_ref().filter(|token| !special(token));
        let text = text.and_then(|token| string::read(json, token.some(json, "text")?));
        let text = text.map(String::from);
        let ends = members.some(json, TEXT).is_some();
        let left = text.as_deref().and_then(|text| self.strip(text, relay));
        let waiting = Waiting {
            cut: left.is_some(),
            text: left.or(text).unwrap_or_default(),
            ends,
            event,
        };
        let hidden = waiting.cut || self.stripper.is_thinking();
        let silent = token.is_some() && hidden && waiting.text.is_empty();
        if ends || !silent {
            self.waiting.push_back(waiting);
        }
        if ends || token.is_none() || self.waiting.len() > WAITING {
            self.flush(relay);
        } else {
            self.pass(relay);
        }
    }

    /// Takes what a token says. Gives what is left of it where something is taken out: of those that wait nothing is a part of the text then but
    /// what was known to be.
    fn strip(&mut self, text: &str, relay: &mut Relay<'_>) -> Option<String> {
        let pieces = self.stripper.push(text);
        if !pieces.removed {
            self.released += pieces.visible.len();
            return None;
        }
        let mut left = pieces.visible.into_owned();
        for mut other in self.waiting.drain(..) {
            let known = other.text.get(..self.released).unwrap_or_default();
            if known.is_empty() && !other.text.is_empty() {
                continue;
            }
            other.cut |= known != other.text;
            other.text = known.to_owned();
            relay.pass(other.written(&self.rules));
            self.released = 0;
        }
        self.released = left.len();
        if !self.stripper.is_thinking() {
            left.push_str(self.stripper.held());
        }
        Some(left)
    }

    /// Passes on those of which nothing can be a part of a tag.
    fn pass(&mut self, relay: &mut Relay<'_>) {
        while let Some(first) = self
            .waiting
            .pop_front_if(|it| it.text.len() <= self.released)
        {
            self.released -= first.text.len();
            relay.pass(first.written(&self.rules));
        }
    }

    /// Passes on all that waits: nothing more comes that could make a tag of it.
    fn flush(&mut self, relay: &mut Relay<'_>) {
        self.stripper.finish();
        self.released = 0;
        for each in self.waiting.drain(..) {
            relay.pass(each.written(&self.rules));
        }
    }
}

impl Waiting {
    /// The event as it goes to the client.
    fn written(self, rules: &Arc<Rules>) -> Bytes {
        let data = self.event.data().unwrap_or_default();
        let edits = match self.cut || self.ends {
            true => self.edits(data, rules),
            false => Vec::new(),
        };
        if edits.is_empty() {
            return self.event.raw;
        }
        let mut edited = Vec::with_capacity(data.len());
        splice_into(data, edits, &mut edited);
        self.event.with_data(&edited).into()
    }

    fn edits(&self, data: &[u8], rules: &Arc<Rules>) -> Vec<Edit> {
        let Ok(members) = scan(data, &EVENT) else {
            return Vec::new();
        };
        let json = std::str::from_utf8(data).unwrap_or_default();
        let mut edit = ObjectEdit::new(&members);
        if self.ends {
            strip(json, &members, rules, &mut edit);
        }
        if !self.cut {
            return edit.finish();
        }
        hide_tokens(json, &members, &mut edit);
        let mut edits = edit.finish();
        let token = members.some(json, TOKEN);
        if let Some(token) = token.and_then(|at| object(json, &at, &OF_TOKEN)) {
            let mut edit = ObjectEdit::new(&token);
            edit.set("text", string::literal(&self.text).into());
            edits.extend(edit.finish());
        }
        edits
    }
}
