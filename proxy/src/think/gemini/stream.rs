//! The pieces of a stream: of events, or of one array.

use std::sync::Arc;

use bytes::Bytes;

use super::piece::Candidates;
use crate::array::{self, Array, Part};
use crate::json::splice::splice_into;
use crate::sse::{Event, Framer, Relay};
use crate::think::rules::Rules;
use crate::think::stream::Unreadable;

/// The thinking taken out of one streamed reply of Gemini's. Rules that change nothing still see to it that only whole elements of an array pass, so that an
/// error can follow them.
///
/// ```
/// # use std::sync::Arc;
/// # use bytes::Bytes;
/// use dragoman_proxy::think::{GeminiStream, Rules};
/// let mut stream = GeminiStream::events(Arc::new(Rules::default()), false);
/// let mut out = Vec::new();
/// for text in ["<think>a", "b</thi", "nk>c"] {
///     let content = format!("{{\"parts\":[{{\"text\":\"{text}\"}}]}}");
///     let event = format!("data: {{\"candidates\":[{{\"content\":{content}}}]}}\n\n");
///     stream.push(Bytes::from(event), &mut out)?;
/// }
/// stream.finish(&mut out)?;
/// assert_eq!(out.concat(), b"data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"c\"}]}}]}\n\n");
/// # Ok::<(), dragoman_proxy::think::Unreadable>(())
/// ```
#[derive(Debug)]
pub struct GeminiStream {
    rules: Arc<Rules>,
    candidates: Candidates,
    cutter: Cutter,
}

#[derive(Debug)]
enum Cutter {
    Events {
        framer: Framer,
        ending: &'static [u8],
    },
    Array(Box<Elements>),
}

/// The elements of an array on their way.
#[derive(Debug, Default)]
struct Elements {
    array: Array,
    /// What stood before the next element.
    comma: Bytes,
    /// Whether there was an opening bracket.
    opened: bool,
    /// Whether the client has an element.
    begun: bool,
    /// Whether the client has the end.
    closed: bool,
}

impl GeminiStream {
    /// A stream of events at its start. `shown`: the client asked for thoughts, so that what is extracted reaches it.
    #[must_use]
    pub fn events(rules: Arc<Rules>, shown: bool) -> Self {
        let framer = Framer::new(array::LONGEST);
        let ending = b"\n";
        Self::cut_by(rules, shown, Cutter::Events { framer, ending })
    }

    /// The same of an array.
    #[must_use]
    pub fn array(rules: Arc<Rules>, shown: bool) -> Self {
        Self::cut_by(rules, shown, Cutter::Array(Box::default()))
    }

    fn cut_by(rules: Arc<Rules>, shown: bool, cutter: Cutter) -> Self {
        let shown = shown && rules.extracts();
        Self {
            candidates: Candidates::new(Arc::clone(&rules), shown),
            rules,
            cutter,
        }
    }

    /// Takes the next chunk of the upstream's body and appends what goes to the client to `out`.
    ///
    /// # Errors
    /// [`Unreadable`]: the stream is to be ended with an error.
    pub fn push(&mut self, chunk: Bytes, out: &mut Vec<Bytes>) -> Result<(), Unreadable> {
        let Self {
            rules,
            candidates,
            cutter,
        } = self;
        match cutter {
            Cutter::Events { .. } if rules.is_inert() => out.push(chunk),
            Cutter::Events { framer, ending } => {
                let mut relay = Relay::new(chunk.clone(), out);
                framer.feed(chunk);
                while let Some(event) = framer.next_event()? {
                    *ending = event.line_ending();
                    pass_event(candidates, rules, event, &mut relay)?;
                }
            }
            Cutter::Array(elements) => {
                elements.array.feed(&chunk);
                while let Some(part) = elements.array.next_part()? {
                    elements.part(part, candidates, rules, out)?;
                }
            }
        }
        Ok(())
    }

    /// Ends the stream: appends all that was held back, of an unfinished piece too.
    ///
    /// # Errors
    /// As for [`GeminiStream::push`].
    pub fn finish(&mut self, out: &mut Vec<Bytes>) -> Result<(), Unreadable> {
        match &mut self.cutter {
            Cutter::Events { framer, ending } => {
                let rest = framer.finish();
                let complete = rest.as_ref().is_none_or(|event| event.complete);
                let before = out.len();
                if let Some(event) = rest {
                    let mut relay = Relay::new(Bytes::new(), out);
                    pass_event(&mut self.candidates, &self.rules, event, &mut relay)?;
                }
                if let Some(rest) = self.candidates.rest() {
                    if !complete && out.len() > before {
                        out.push([*ending, *ending].concat().into());
                    }
                    out.push(own_event(&rest, ending));
                }
            }
            Cutter::Array(elements) => {
                let rest = elements.array.finish();
                let leaks = self.candidates.think() || !self.rules.spares(&rest);
                if !rest.is_empty() && !leaks {
                    out.extend([std::mem::take(&mut elements.comma), rest]);
                }
                elements.flush(&mut self.candidates, out);
            }
        }
        Ok(())
    }

    /// Ends a stream that broke off: as [`GeminiStream::finish`], but a piece that was cut is left out.
    pub fn cut(&mut self, out: &mut Vec<Bytes>) {
        match &mut self.cutter {
            Cutter::Events { framer, ending } => {
                *framer = Framer::new(array::LONGEST);
                let rest = self.candidates.rest();
                out.extend(rest.map(|rest| own_event(&rest, ending)));
            }
            Cutter::Array(elements) => {
                elements.array = Array::default();
                elements.flush(&mut self.candidates, out);
            }
        }
    }

    /// What ends an array with an error, `{"error"}`, after all that was passed on; none of a stream of events.
    #[must_use]
    pub fn error(&self, error: &[u8]) -> Option<Bytes> {
        let Cutter::Array(elements) = &self.cutter else {
            return None;
        };
        let before: &[u8] = match **elements {
            Elements { closed: true, .. } => return Some(Bytes::new()),
            Elements { begun: true, .. } => b",\r\n",
            Elements { opened: true, .. } => b"",
            _ => b"[",
        };
        Some([before, error, b"\n]\n"].concat().into())
    }
}

impl Elements {
    fn part(
        &mut self,
        part: Part,
        candidates: &mut Candidates,
        rules: &Rules,
        out: &mut Vec<Bytes>,
    ) -> Result<(), Unreadable> {
        match part {
            Part::Open(bytes) => {
                self.opened = true;
                out.push(bytes);
            }
            Part::Comma(bytes) => self.comma = bytes,
            Part::Close(bytes) => {
                if !std::mem::replace(&mut self.closed, true) {
                    self.flush(candidates, out);
                }
                out.push(bytes);
            }
            Part::Element(bytes) => {
                let edited = if rules.is_inert() {
                    None
                } else {
                    candidates.strip(&bytes, !self.opened)?
                };
                let Some(edited) = edited else {
                    self.before(out);
                    out.push(bytes);
                    return Ok(());
                };
                if edited.fails {
                    self.flush(candidates, out);
                }
                if !edited.tells {
                    return Ok(());
                }
                self.before(out);
                if edited.edits.is_empty() {
                    out.push(bytes);
                    return Ok(());
                }
                let mut element = Vec::with_capacity(bytes.len());
                splice_into(&bytes, edited.edits, &mut element);
                out.push(element.into());
            }
        }
        Ok(())
    }

    /// What tells the next element from the one that the client has.
    fn before(&mut self, out: &mut Vec<Bytes>) {
        let comma = std::mem::take(&mut self.comma);
        if std::mem::replace(&mut self.begun, true) {
            out.push(if comma.is_empty() {
                Bytes::from_static(b",")
            } else {
                comma
            });
        }
        if !self.opened {
            // One element alone, which nothing follows.
            self.closed = true;
        }
    }

    /// Passes on what is held back, as an element of our own.
    fn flush(&mut self, candidates: &mut Candidates, out: &mut Vec<Bytes>) {
        if let Some(rest) = candidates.rest().filter(|_| self.opened) {
            self.before(out);
            out.push(rest.into());
        }
    }
}

fn pass_event(
    candidates: &mut Candidates,
    rules: &Rules,
    event: Event,
    relay: &mut Relay<'_>,
) -> Result<(), Unreadable> {
    let Some(data) = event.data().filter(|_| !rules.is_inert()) else {
        relay.pass(event.raw);
        return Ok(());
    };
    let Some(edited) = candidates.strip(data, false)? else {
        let leaks = !event.complete && (candidates.think() || !rules.spares(data));
        if !leaks {
            relay.pass(event.raw);
        }
        return Ok(());
    };
    if edited.fails
        && let Some(rest) = candidates.rest()
    {
        relay.pass(own_event(&rest, event.line_ending()));
    }
    if !edited.tells {
        return Ok(());
    }
    if edited.edits.is_empty() {
        relay.pass(event.raw);
        return Ok(());
    }
    let mut said = Vec::with_capacity(data.len());
    splice_into(data, edited.edits, &mut said);
    relay.pass(event.with_data(&said).into());
    Ok(())
}

fn own_event(piece: &[u8], ending: &[u8]) -> Bytes {
    [b"data: ", piece, ending, ending].concat().into()
}
