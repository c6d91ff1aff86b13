//! The events of a stream.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;

use super::THOUGHT;
use super::block::{Block, Kind, Numbers, Shown, Text, is_whole};
use super::own::{Out, number};
use crate::json::{Edit, Members, ObjectEdit, scan, splice::splice_into, string};
use crate::sse::{Event, Framer, Relay};
use crate::think::parts::object;
use crate::think::rules::Rules;
use crate::think::shape::Shape;
use crate::think::stream::Unreadable;
use crate::think::stripper::{Pieces, Stripper};

/// How many blocks may be open at once. The vendor opens one at a time.
pub(in crate::think) const OPEN: usize = 128;

const EVENT: [&str; 4] = ["type", "index", "delta", "content_block"];
const PART: [&str; 2] = ["type", "text"];

type Object = Members<'static, &'static str>;

/// The thinking taken out of one streamed message.
///
/// ```
/// # use std::sync::Arc;
/// # use bytes::Bytes;
/// use dragoman_proxy::think::{MessagesStream, Rules};
/// let mut stream = MessagesStream::new(Arc::new(Rules::default()), false);
/// let mut out = Vec::new();
/// for text in ["<think>a", "b</thi", "nk>c"] {
///     let delta = format!("{{\"type\":\"text_delta\",\"text\":\"{text}\"}}");
///     let event = format!("data: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{delta}}}\n\n");
///     stream.push(Bytes::from(event), &mut out)?;
/// }
/// stream.finish(&mut out)?;
/// let said = "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"c\"}}\n\n";
/// assert_eq!(out.concat(), said.as_bytes());
/// # Ok::<(), dragoman_proxy::think::Unreadable>(())
/// ```
#[derive(Debug)]
pub struct MessagesStream {
    rules: Arc<Rules>,
    /// Whether thinking goes to blocks of its own.
    extracts: bool,
    framer: Framer,
    blocks: Vec<Block>,
    numbers: Numbers,
    /// Whether there was a text block already.
    texts: bool,
    shape: Shape,
    ending: &'static [u8],
}

/// One event, read.
struct Said<'a> {
    event: &'a Event,
    data: &'a [u8],
    json: &'a str,
    members: Object,
}

impl MessagesStream {
    /// A stream at its start. `shown`: the client asked for thinking, so that what is extracted reaches it.
    #[must_use]
    pub fn new(rules: Arc<Rules>, shown: bool) -> Self {
        let extracts = shown && rules.extracts();
        Self {
            extracts,
            numbers: Numbers::new(!extracts && !rules.drop_fields),
            rules,
            framer: Framer::default(),
            blocks: Vec::new(),
            texts: false,
            shape: Shape::default(),
            ending: b"\n",
        }
    }

    /// Takes the next chunk of the upstream's body and appends what goes to the client to `out`.
    ///
    /// # Errors
    /// [`Unreadable`]: the stream is to be ended with an error event.
    pub fn push(&mut self, chunk: Bytes, out: &mut Vec<Bytes>) -> Result<(), Unreadable> {
        if self.rules.is_inert() {
            out.push(chunk);
            return Ok(());
        }
        let mut relay = Relay::new(chunk.clone(), out);
        self.framer.feed(chunk);
        while let Some(event) = self.framer.next_event()? {
            self.event(event, &mut relay)?;
        }
        Ok(())
    }

    /// Ends the stream: appends all that was held back, of an unfinished event too.
    ///
    /// # Errors
    /// As for [`MessagesStream::push`].
    pub fn finish(&mut self, out: &mut Vec<Bytes>) -> Result<(), Unreadable> {
        let mut relay = Relay::new(Bytes::new(), out);
        if let Some(event) = self.framer.finish() {
            let (complete, ending) = (event.complete, event.line_ending());
            self.event(event, &mut relay)?;
            if !complete && self.hold() {
                relay.pass([ending, ending].concat().into());
            }
        }
        self.flush(&mut relay);
        Ok(())
    }

    /// Ends a stream that broke off: as [`MessagesStream::finish`], but an event that was cut is left out.
    pub fn cut(&mut self, out: &mut Vec<Bytes>) {
        self.framer = Framer::default();
        self.flush(&mut Relay::new(Bytes::new(), out));
    }

    fn hold(&self) -> bool {
        let holds =
            |block: &Block| matches!(&block.kind, Kind::Text(text) if text.stripper.holds());
        self.blocks.iter().any(holds)
    }

    fn may_be_thought(&self, data: &[u8]) -> bool {
        let thinks =
            |block: &Block| matches!(&block.kind, Kind::Text(text) if text.stripper.is_thinking());
        self.blocks.iter().any(thinks) || !self.rules.spares(data)
    }

    fn flush(&mut self, relay: &mut Relay<'_>) {
        let ending = self.ending;
        for block in &mut self.blocks {
            let out = &mut Out { relay, ending };
            block.flush(self.extracts, &mut self.numbers, out);
        }
    }

    fn event(&mut self, event: Event, relay: &mut Relay<'_>) -> Result<(), Unreadable> {
        let Some(data) = event.data() else {
            relay.pass(event.raw);
            return Ok(());
        };
        let mut known = None;
        if let Some(inside) = self.shape.text(data) {
            let said = string::decode(inside);
            let pieces = self.blocks[self.shape.slot].push(&said).unwrap_or_default();
            if is_whole(&pieces, &said) {
                relay.pass(event.raw);
                return Ok(());
            }
            known = Some(Pieces {
                visible: Cow::Owned(pieces.visible.into_owned()),
                reasoning: Cow::Owned(pieces.reasoning.into_owned()),
                removed: pieces.removed,
            });
        }
        let (Ok(members), Ok(json)) = (scan(data, &EVENT), std::str::from_utf8(data)) else {
            if event.complete || !self.may_be_thought(data) {
                relay.pass(event.raw);
            }
            return Ok(());
        };
        let said = Said {
            event: &event,
            data,
            json,
            members,
        };
        let ending = self.ending;
        match said.kind().as_deref() {
            Some("content_block_start") => {
                self.ending = event.line_ending();
                let ending = self.ending;
                self.start(&said, &mut Out { relay, ending })?;
            }
            Some("content_block_delta") => {
                self.delta(&said, known, &mut Out { relay, ending })?;
            }
            Some("content_block_stop") => self.stop(&said, &mut Out { relay, ending }),
            Some("message_delta" | "message_stop" | "error") => {
                self.flush(relay);
                relay.pass(event.raw);
            }
            _ => relay.pass(event.raw),
        }
        Ok(())
    }

    fn start(&mut self, said: &Said<'_>, out: &mut Out<'_, '_>) -> Result<(), Unreadable> {
        let index = said.index();
        self.blocks.retain(|block| block.index != index);
        self.shape = Shape::default();
        let block = said.part("content_block");
        let kind = block
            .as_ref()
            .and_then(|block| block.text(said.data, "type"));
        let kind = kind.as_deref().unwrap_or_default();
        if self.rules.drop_fields && THOUGHT.contains(&kind) {
            let dropped = Kind::Dropped;
            return self.open(index, 0, dropped).map(|_| ());
        }
        let Some(block) = block.filter(|_| kind == "text") else {
            let at = self.numbers.take(index);
            self.open(index, at, Kind::Other)?;
            out.pass(said.renumbered(at, Vec::new()));
            return Ok(());
        };
        let place = block.some(said.json, "text");
        let first = place.and_then(|at| string::read(said.json, at));
        let first = first.unwrap_or_default();
        let mut edits = Vec::new();
        if self.extracts {
            let place = self.text(index, Shown::Nothing)?;
            if !first.is_empty() {
                edits = set_text(&block, "");
            }
            let start = said.renumbered(index, edits);
            if let Kind::Text(text) = &mut self.blocks[place].kind {
                text.start = Some(start);
            }
            let block = &mut self.blocks[place];
            let pieces = block.push(&first).unwrap_or_default();
            if block.prepare(&pieces, true, &mut self.numbers, out) {
                out.text(block.at, &pieces.visible);
            }
            return Ok(());
        }
        let place = self.text(index, Shown::Text)?;
        let block_ = &mut self.blocks[place];
        let pieces = block_.push(&first).unwrap_or_default();
        if pieces.visible != first {
            edits = set_text(&block, &pieces.visible);
        }
        out.pass(said.renumbered(block_.at, edits));
        Ok(())
    }

    /// Opens a text block. Says where it stands.
    fn text(&mut self, index: u64, shown: Shown) -> Result<usize, Unreadable> {
        let rules = Arc::clone(&self.rules);
        let stripper = if std::mem::replace(&mut self.texts, true) {
            Stripper::later(rules)
        } else {
            Stripper::new(rules)
        };
        let at = match shown {
            Shown::Text => self.numbers.take(index),
            // The client has none yet.
            Shown::Nothing | Shown::Thinking => index,
        };
        let start = None;
        let text = Text {
            stripper,
            shown,
            start,
        };
        self.open(index, at, Kind::Text(Box::new(text)))
    }

    fn open(&mut self, index: u64, at: u64, kind: Kind) -> Result<usize, Unreadable> {
        if self.blocks.len() == OPEN {
            return Err(Unreadable::Blocks);
        }
        self.blocks.push(Block { index, at, kind });
        Ok(self.blocks.len() - 1)
    }

    fn delta(
        &mut self,
        said: &Said<'_>,
        known: Option<Pieces<'_>>,
        out: &mut Out<'_, '_>,
    ) -> Result<(), Unreadable> {
        let index = said.index();
        let part = said.part("delta");
        let is_text = |part: &Object| part.text(said.data, "type").as_deref() == Some("text_delta");
        let text = part.as_ref().filter(|part| is_text(part));
        let place = self.blocks.iter().position(|block| block.index == index);
        let place = match place {
            Some(place) => place,
            // Servers that open no block have one text at least.
            None if text.is_some() => self.text(index, Shown::Text)?,
            None => {
                out.pass(said.event.raw.clone());
                return Ok(());
            }
        };
        let block = &mut self.blocks[place];
        let literal = text.and_then(|part| part.some(said.json, "text"));
        let spoken = literal
            .clone()
            .and_then(|at| string::read(said.json, at))
            .unwrap_or_default();
        let (Kind::Text(_), Some(part), Some(literal)) = (&block.kind, text, literal) else {
            if let Kind::Text(_) = block.kind {
                // Citations, perhaps.
                block.show_text(&mut self.numbers, out);
            }
            if !matches!(block.kind, Kind::Dropped) {
                out.pass(said.renumbered(block.at, Vec::new()));
            }
            return Ok(());
        };
        let pieces = match known {
            Some(known) => known,
            None => block.push(&spoken).unwrap_or_default(),
        };
        let only_text = part.rest_is_null() && said.members.rest_is_null();
        let visible = block.prepare(&pieces, self.extracts, &mut self.numbers, out);
        if !block.is_plain() {
            // What has its shape would pass under the upstream's number.
            self.shape = Shape::default();
        }
        let untouched = pieces.visible == spoken;
        let waits = matches!(&block.kind, Kind::Text(text) if text.shown != Shown::Text);
        if !visible && only_text && (waits || !untouched) {
            return Ok(());
        }
        block.show_text(&mut self.numbers, out);
        let edits = if untouched {
            Vec::new()
        } else {
            set_text(part, &pieces.visible)
        };
        out.pass(said.renumbered(block.at, edits));
        if block.is_plain() && part.all("text").count() == 1 {
            self.shape.learn(said.json, &literal, place, only_text);
        }
        Ok(())
    }

    fn stop(&mut self, said: &Said<'_>, out: &mut Out<'_, '_>) {
        let index = said.index();
        self.shape = Shape::default();
        let place = self.blocks.iter().position(|block| block.index == index);
        let Some(place) = place else {
            out.pass(said.event.raw.clone());
            return;
        };
        let mut block = self.blocks.remove(place);
        block.flush(self.extracts, &mut self.numbers, out);
        if matches!(&block.kind, Kind::Text(text) if text.shown == Shown::Nothing) {
            block.show_text(&mut self.numbers, out);
        }
        if !matches!(block.kind, Kind::Dropped) {
            out.pass(said.renumbered(block.at, Vec::new()));
        }
    }
}

impl Said<'_> {
    fn kind(&self) -> Option<Cow<'_, str>> {
        self.members.text(self.data, "type")
    }

    fn index(&self) -> u64 {
        let at = self.members.get("index");
        at.and_then(|at| self.json[at].parse().ok()).unwrap_or(0)
    }

    fn part(&self, name: &str) -> Option<Object> {
        object(self.json, &self.members.some(self.json, name)?, &PART)
    }

    /// The event with other edits, and the number that the client knows its block by. Untouched if nothing changes.
    fn renumbered(&self, at: u64, mut edits: Vec<Edit>) -> Bytes {
        edits.extend(number(&self.members, self.data, at));
        if edits.is_empty() {
            return self.event.raw.clone();
        }
        let mut data = Vec::with_capacity(self.data.len());
        splice_into(self.data, edits, &mut data);
        self.event.with_data(&data).into()
    }
}

fn set_text(part: &Object, text: &str) -> Vec<Edit> {
    let mut edit = ObjectEdit::new(part);
    edit.set("text", string::literal(text).into());
    edit.finish()
}
