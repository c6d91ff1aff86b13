//! The exchanges of one HTTP/1.1 connection: which requests are being answered, and whether all of what was answered has left.
//!
//! While none is, and nothing of a reply is waiting to be written, whatever hyper writes are its own words. They can be told in
//! no other way: a reply's body may hold any bytes, and may be cut anywhere.

use std::cell::Cell;
use std::rc::Rc;

/// The exchanges of one connection.
pub(crate) struct Exchanges {
    /// How many requests came whose reply hyper has not taken to its end.
    open: Cell<usize>,
    /// Whether every byte that hyper took has been written.
    flushed: Cell<bool>,
    /// Whether the client was refused something and may still be sending.
    refused: Cell<bool>,
}

impl Exchanges {
    pub(crate) fn new() -> Rc<Self> {
        Rc::new(Self {
            open: Cell::new(0),
            flushed: Cell::new(true),
            refused: Cell::new(false),
        })
    }

    /// A request has come. The exchange lasts until the guard is dropped.
    pub(crate) fn begin(self: &Rc<Self>) -> Exchange {
        self.open.set(self.open.get() + 1);
        self.flushed.set(false);
        Exchange(Rc::clone(self))
    }

    /// hyper has written all that it had taken.
    pub(crate) fn flushed(&self) {
        // Of a reply that goes on, more will be taken.
        if self.open.get() == 0 {
            self.flushed.set(true);
        }
    }

    /// Whether no byte of a reply can be among those that are written now.
    pub(crate) fn are_none(&self) -> bool {
        self.flushed.get()
    }

    /// The client was refused something.
    pub(crate) fn refuse(&self) {
        self.refused.set(true);
    }

    /// Whether the client was refused something.
    pub(crate) fn refused(&self) -> bool {
        self.refused.get()
    }
}

/// One exchange, from the request's head to the reply's last byte.
pub(crate) struct Exchange(Rc<Exchanges>);

impl Exchange {
    /// The client was refused what it asked for.
    pub(crate) fn refuse(&self) {
        self.0.refuse();
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_may_be_a_replys_until_its_last_byte_has_left() {
        let exchanges = Exchanges::new();
        assert!(exchanges.are_none());
        let first = exchanges.begin();
        exchanges.flushed();
        assert!(!exchanges.are_none(), "the reply goes on");
        let second = exchanges.begin();
        drop(first);
        exchanges.flushed();
        assert!(!exchanges.are_none(), "the next one has begun");
        drop(second);
        assert!(!exchanges.are_none(), "its end is still to be written");
        exchanges.flushed();
        assert!(exchanges.are_none());
    }
}
