//! The messages of a stream of Converse's.

use std::sync::Arc;

use bytes::Bytes;
use dragoman_dialects::framing::event_stream::{Message, write};

use super::block::{Block, Kind, Text, said};
use crate::json::{Edit, Members, ObjectEdit, scan, splice::splice_into, string};
use crate::messages::Messages;
use crate::think::messages::{Numbers, OPEN, Shown};
use crate::think::parts::object;
use crate::think::rules::Rules;
use crate::think::stream::Unreadable;
use crate::think::stripper::Stripper;

/// The members of an event that are looked at; `p` pads it.
const EVENT: [&str; 4] = [INDEX, "start", "delta", "p"];
const INDEX: &str = "contentBlockIndex";
const DELTA: [&str; 2] = ["text", "reasoningContent"];

/// The thinking taken out of one streamed reply of Converse's. Rules that change nothing still see to it that only whole messages pass, so that an
/// exception can follow them.
///
/// ```
/// # use std::sync::Arc;
/// use dragoman_dialects::framing::event_stream::write;
/// use dragoman_proxy::think::{ConverseStream, Rules};
/// let delta = |text: &str| {
///     let mut message = Vec::new();
///     let json = format!("{{\"contentBlockIndex\":0,\"delta\":{{\"text\":\"{text}\"}}}}");
///     write::event("contentBlockDelta", &mut message, |out| out.extend_from_slice(json.as_bytes()));
///     message
/// };
/// let mut stream = ConverseStream::new(Arc::new(Rules::default()), false);
/// let mut out = Vec::new();
/// for text in ["<think>a", "b</thi", "nk>c"] {
///     stream.push(&delta(text), &mut out)?;
/// }
/// stream.finish(&mut out);
/// assert_eq!(out.concat(), delta("c"));
/// # Ok::<(), dragoman_proxy::think::Unreadable>(())
/// ```
#[derive(Debug)]
pub struct ConverseStream {
    rules: Arc<Rules>,
    /// Whether thinking goes to blocks of its own.
    extracts: bool,
    messages: Messages,
    blocks: Vec<Block>,
    numbers: Numbers,
    /// Whether there was a text block already.
    texts: bool,
}

/// One event, read.
struct Event<'a> {
    raw: &'a Bytes,
    json: &'a str,
    members: Members<'static, &'static str>,
}

impl ConverseStream {
    /// A stream at its start. `shown`: the client asked for thinking, so that what is extracted reaches it.
    #[must_use]
    pub fn new(rules: Arc<Rules>, shown: bool) -> Self {
        let extracts = shown && rules.extracts();
        Self {
            extracts,
            numbers: Numbers::new(!extracts && !rules.drop_fields),
            rules,
            messages: Messages::default(),
            blocks: Vec::new(),
            texts: false,
        }
    }

    /// Takes the next chunk of the upstream's body and appends what goes to the client to `out`.
    ///
    /// # Errors
    /// [`Unreadable`]: the stream is to be ended with an exception.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<Bytes>) -> Result<(), Unreadable> {
        if self.rules.is_inert() {
            return Ok(self.messages.push(chunk, out)?);
        }
        let mut messages = Vec::new();
        let cut = self.messages.push(chunk, &mut messages);
        for raw in messages {
            self.message(raw, out)?;
        }
        Ok(cut?)
    }

    /// Ends the stream as the upstream has ended it: appends all that was held back, of an unfinished message too where nothing is looked for.
    pub fn finish(&mut self, out: &mut Vec<Bytes>) {
        self.cut(out);
        if self.rules.is_inert() {
            out.extend(Some(self.messages.rest()).filter(|rest| !rest.is_empty()));
        }
    }

    /// Ends a stream that broke off: nothing can follow half a message.
    pub fn cut(&mut self, out: &mut Vec<Bytes>) {
        for block in &mut self.blocks {
            block.flush(self.extracts, &mut self.numbers, out);
        }
    }

    fn message(&mut self, raw: Bytes, out: &mut Vec<Bytes>) -> Result<(), Unreadable> {
        let Ok(message) = Message::read(&raw) else {
            out.push(raw);
            return Ok(());
        };
        let name = message.name().unwrap_or_default();
        if message.is_exception() || matches!(name, "messageStop" | "metadata") {
            self.cut(out);
            out.push(raw);
            return Ok(());
        }
        let payload = message.payload();
        let (Ok(members), Ok(json)) = (scan(payload, &EVENT), std::str::from_utf8(payload)) else {
            out.push(raw);
            return Ok(());
        };
        let event = Event {
            raw: &raw,
            json,
            members,
        };
        match name {
            "contentBlockStart" => self.start(&event, out)?,
            "contentBlockDelta" => self.delta(&event, out)?,
            "contentBlockStop" => self.stop(&event, out),
            _ => out.push(raw),
        }
        Ok(())
    }

    fn start(&mut self, event: &Event<'_>, out: &mut Vec<Bytes>) -> Result<(), Unreadable> {
        let index = event.index();
        self.blocks.retain(|block| block.index != index);
        let start = event.members.some(event.json, "start");
        let start = start.and_then(|at| object(event.json, &at, &["text"]));
        // Servers that open texts too say nothing of them.
        let is_text = start.is_none_or(|start| start.rest_is_null());
        let kind = if is_text {
            self.text(Shown::Text)
        } else {
            Kind::Other
        };
        let at = self.numbers.take(index);
        self.open(index, at, kind)?;
        out.push(event.renumbered(at, Vec::new()));
        Ok(())
    }

    /// A text block.
    fn text(&mut self, shown: Shown) -> Kind {
        let rules = Arc::clone(&self.rules);
        let stripper = if std::mem::replace(&mut self.texts, true) {
            Stripper::later(rules)
        } else {
            Stripper::new(rules)
        };
        Kind::Text(Box::new(Text { stripper, shown }))
    }

    fn open(&mut self, index: u64, at: u64, kind: Kind) -> Result<usize, Unreadable> {
        if self.blocks.len() == OPEN {
            return Err(Unreadable::Blocks);
        }
        self.blocks.push(Block { index, at, kind });
        Ok(self.blocks.len() - 1)
    }

    /// Where the block of a delta stands, which opens it if it is the first.
    fn place(&mut self, index: u64, text: bool, thought: bool) -> Result<usize, Unreadable> {
        let place = self.blocks.iter().position(|block| block.index == index);
        if let Some(place) = place {
            return Ok(place);
        }
        if text {
            let kind = self.text(Shown::Nothing);
            // The client has none yet.
            return self.open(index, index, kind);
        }
        if thought && self.rules.drop_fields {
            return self.open(index, 0, Kind::Dropped);
        }
        let at = self.numbers.take(index);
        self.open(index, at, Kind::Other)
    }

    fn delta(&mut self, event: &Event<'_>, out: &mut Vec<Bytes>) -> Result<(), Unreadable> {
        let delta = event.members.some(event.json, "delta");
        let Some(delta) = delta.and_then(|at| object(event.json, &at, &DELTA)) else {
            out.push(event.raw.clone());
            return Ok(());
        };
        let spoken = delta.some(event.json, "text");
        let spoken = spoken.and_then(|at| string::read(event.json, at));
        let thought = delta.some(event.json, "reasoningContent").is_some();
        let place = self.place(event.index(), spoken.is_some(), thought)?;
        let block = &mut self.blocks[place];
        let (spoken, text) = match (&mut block.kind, spoken) {
            (Kind::Dropped, _) => return Ok(()),
            (Kind::Text(text), Some(spoken)) => (spoken, text),
            _ => {
                // Citations, perhaps.
                block.show_text(&mut self.numbers, out);
                out.push(event.renumbered(block.at, Vec::new()));
                return Ok(());
            }
        };
        let pieces = text.stripper.push(&spoken);
        block.prepare(&pieces, self.extracts, &mut self.numbers, out);
        let untouched = pieces.visible == spoken;
        let only_text = delta.rest_is_null() && event.members.rest_is_null();
        let waits = self.extracts && block.is_unknown();
        if pieces.visible.is_empty() && only_text && (waits || !untouched) {
            return Ok(());
        }
        block.show_text(&mut self.numbers, out);
        let edits = if untouched {
            Vec::new()
        } else {
            let mut edit = ObjectEdit::new(&delta);
            edit.set("text", string::literal(&pieces.visible).into());
            edit.finish()
        };
        out.push(event.renumbered(block.at, edits));
        Ok(())
    }

    fn stop(&mut self, event: &Event<'_>, out: &mut Vec<Bytes>) {
        let index = event.index();
        let place = self.blocks.iter().position(|block| block.index == index);
        let Some(place) = place else {
            out.push(event.raw.clone());
            return;
        };
        let mut block = self.blocks.remove(place);
        block.flush(self.extracts, &mut self.numbers, out);
        if matches!(block.kind, Kind::Dropped) {
            return;
        }
        if block.is_unknown() {
            block.show_text(&mut self.numbers, out);
            out.push(said(block.at, ""));
        }
        out.push(event.renumbered(block.at, Vec::new()));
    }
}

impl Event<'_> {
    fn index(&self) -> u64 {
        let at = self.members.some(self.json, INDEX);
        at.and_then(|at| self.json[at].parse().ok()).unwrap_or(0)
    }

    /// The message with other edits, and the number that the client knows its block by. Untouched if nothing changes.
    fn renumbered(&self, at: u64, mut edits: Vec<Edit>) -> Bytes {
        let number = at.to_string();
        let others = self
            .members
            .all(INDEX)
            .filter(|index| self.json[index.value.clone()] != number);
        edits.extend(others.map(|index| Edit {
            at: index.value.clone(),
            with: number.clone().into(),
        }));
        if edits.is_empty() {
            return self.raw.clone();
        }
        let mut payload = Vec::with_capacity(self.json.len());
        splice_into(self.json.as_bytes(), edits, &mut payload);
        let mut out = Vec::with_capacity(self.raw.len());
        write::with_payload(self.raw, &payload, &mut out);
        out.into()
    }
}
