//! What a rendering costs: a meter, and values that pay for the bytes that they hold.

use std::cell::Cell;
use std::fmt;
use std::ops::Deref;
use std::rc::Rc;

use super::fault::{Fault, Outcome};

/// What one rendering may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The most bytes that it may hold at once: its input, its variables and what it has written.
    pub held: usize,
    /// The most work. A unit is about a byte that is copied or looked at; a step of the template is 32.
    pub work: usize,
}

/// What a step costs: an expression, a statement, an item that is looked at.
pub(super) const STEP: usize = 32;
/// What a value costs besides its bytes.
const NODE: usize = 64;

/// What was spent.
#[derive(Debug)]
pub(super) struct Meter {
    bounds: Bounds,
    held: Cell<usize>,
    worked: Cell<usize>,
}

impl Meter {
    pub(super) fn new(bounds: Bounds) -> Rc<Self> {
        Rc::new(Self {
            bounds,
            held: Cell::new(0),
            worked: Cell::new(0),
        })
    }

    /// Pays for work before it is done.
    pub(super) fn work(&self, units: usize) -> Outcome<()> {
        let worked = self.worked.get().saturating_add(units);
        self.worked.set(worked);
        if worked > self.bounds.work {
            return Err(Fault::TooMuch);
        }
        Ok(())
    }

    pub(super) fn worked(&self) -> usize {
        self.worked.get()
    }

    fn hold(&self, bytes: usize) -> Outcome<()> {
        let held = self.held.get().saturating_add(bytes);
        if held > self.bounds.held {
            return Err(Fault::TooMuch);
        }
        self.work(bytes)?;
        self.held.set(held);
        Ok(())
    }

    /// Something empty that will pay for what it holds.
    pub(super) fn empty<T: Default>(self: &Rc<Self>) -> Outcome<Held<T>> {
        self.keep(T::default(), 0)
    }

    /// A text that is made at once and has at most `most` bytes.
    pub(super) fn made(
        self: &Rc<Self>,
        most: usize,
        make: impl FnOnce() -> String,
    ) -> Outcome<Held<String>> {
        let room = self.keep((), most)?;
        let text = make();
        drop(room);
        let bytes = text.capacity();
        self.keep(text, bytes)
    }

    /// Something that holds `bytes` already.
    pub(super) fn keep<T>(self: &Rc<Self>, of: T, bytes: usize) -> Outcome<Held<T>> {
        let bytes = bytes.saturating_add(NODE);
        self.hold(bytes)?;
        Ok(Held {
            of,
            bytes,
            meter: Rc::clone(self),
        })
    }
}

/// Something that is paid for while it is there.
pub(super) struct Held<T> {
    of: T,
    bytes: usize,
    meter: Rc<Meter>,
}

impl<T> Held<T> {
    /// Pays for `count` more of `size` bytes; how much room there must be, if there is too little.
    fn grow(&mut self, len: usize, count: usize, capacity: usize, size: usize) -> Outcome<usize> {
        let need = len.saturating_add(count);
        if need <= capacity {
            return Ok(0);
        }
        let target = need.max(capacity.saturating_add(capacity / 2));
        let more = (target - capacity).saturating_mul(size);
        self.meter.hold(more)?;
        self.bytes += more;
        Ok(target - len)
    }
}

impl Held<String> {
    pub(super) fn push(&mut self, text: &str) -> Outcome<()> {
        self.meter.work(text.len())?;
        let room = self.grow(self.of.len(), text.len(), self.of.capacity(), 1)?;
        self.of.reserve_exact(room);
        self.of.push_str(text);
        Ok(())
    }

    pub(super) fn push_char(&mut self, char: char) -> Outcome<()> {
        self.push(char.encode_utf8(&mut [0; 4]))
    }

    /// A text so many times.
    pub(super) fn push_times(&mut self, text: &str, times: usize) -> Outcome<()> {
        let bytes = text.len().saturating_mul(times);
        self.meter.work(bytes)?;
        let room = self.grow(self.of.len(), bytes, self.of.capacity(), 1)?;
        self.of.reserve_exact(room);
        if !text.is_empty() {
            for _ in 0..times {
                self.of.push_str(text);
            }
        }
        Ok(())
    }

    /// The text itself, which is paid for no more.
    pub(super) fn take(mut self) -> String {
        std::mem::take(&mut self.of)
    }
}

impl<T> Held<Vec<T>> {
    pub(super) fn push(&mut self, item: T) -> Outcome<()> {
        let room = self.grow(self.of.len(), 1, self.of.capacity(), size_of::<T>())?;
        self.of.reserve_exact(room);
        self.of.push(item);
        Ok(())
    }

    pub(super) fn items(&mut self) -> &mut Vec<T> {
        &mut self.of
    }
}

impl<T> Deref for Held<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.of
    }
}

impl<T: fmt::Debug> fmt::Debug for Held<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.of.fmt(f)
    }
}

impl<T> Drop for Held<T> {
    fn drop(&mut self) {
        let held = self.meter.held.get().saturating_sub(self.bytes);
        self.meter.held.set(held);
    }
}
