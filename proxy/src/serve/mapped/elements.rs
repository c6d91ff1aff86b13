//! A streamed JSON array whose elements a Mapper changes, one by one: Gemini's stream where no events are asked for. It holds one element at most.

use bytes::Bytes;
use serde_json::Value;

use super::Mapped;
use crate::array::{Array, Part};
use crate::upstream::{Edit, Fault};

/// A stream on its way.
pub(super) struct Elements {
    array: Array,
    mapped: Mapped,
    /// Whether the next byte stands within the brackets.
    open: bool,
    /// Whether an element has been written.
    any: bool,
    /// Whether the array has been closed: whatever still comes is dropped.
    done: bool,
}

impl Elements {
    pub(super) fn new(mapped: Mapped) -> Self {
        Self {
            array: Array::default(),
            mapped,
            open: false,
            any: false,
            done: false,
        }
    }

    fn part(&mut self, part: Part, out: &mut Vec<u8>) -> Result<(), Fault> {
        match part {
            _ if self.done => {}
            Part::Open(open) => {
                out.extend_from_slice(&open);
                self.open = true;
            }
            Part::Element(element) => self.element(&element, out)?,
            // They stand between what is written, not between what came.
            Part::Comma(_) => {}
            Part::Close(close) => {
                out.extend_from_slice(&close);
                // What follows anything else than a bracket is no array's.
                if std::mem::take(&mut self.open) {
                    self.done = close.trim_ascii().starts_with(b"]");
                }
            }
        }
        Ok(())
    }

    fn element(&mut self, element: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        let Ok(body) = serde_json::from_slice::<Value>(element) else {
            self.write(element, out);
            return Ok(());
        };
        let Some(made) = self.mapped.events(&body)? else {
            self.write(element, out);
            return Ok(());
        };
        for event in made.events {
            self.write(event.to_string().as_bytes(), out);
        }
        if made.done {
            if self.open {
                out.push(b']');
            }
            self.done = true;
        }
        Ok(())
    }

    fn write(&mut self, element: &[u8], out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.any, true) {
            out.extend_from_slice(b",\n");
        }
        out.extend_from_slice(element);
    }
}

impl Edit for Elements {
    fn push(&mut self, chunk: Bytes, out: &mut Vec<u8>) -> Result<(), Fault> {
        self.array.feed(&chunk);
        loop {
            let part = self.array.next_part().map_err(|fault| Fault::Protocol {
                reason: fault.to_string(),
                replying: true,
            })?;
            match part {
                Some(part) => self.part(part, out)?,
                None => return Ok(()),
            }
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Fault> {
        let rest = self.array.finish();
        // Half an element is none that the Mapper has seen; that the array has no end tells the client enough.
        if !self.open && !self.done {
            out.extend_from_slice(&rest);
        }
        Ok(())
    }
}
