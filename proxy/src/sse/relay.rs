//! Passes neighbouring bytes of one chunk on in one piece.
//!
//! A server writes what it is given piece by piece. A chunk that is cut into events and passed on
//! untouched must therefore become one piece again, or every event costs a write of its own.

use bytes::Bytes;

/// Collects pieces for `out`, and joins those that lie side by side in the source.
#[derive(Debug)]
pub struct Relay<'a> {
    source: Bytes,
    /// Bytes of the source that are to be passed on next.
    run: std::ops::Range<usize>,
    out: &'a mut Vec<Bytes>,
}

impl<'a> Relay<'a> {
    /// A relay of pieces that mostly are slices of `source`.
    #[must_use]
    pub fn new(source: Bytes, out: &'a mut Vec<Bytes>) -> Self {
        Self {
            source,
            run: 0..0,
            out,
        }
    }

    /// Passes one piece on, after all earlier ones.
    pub fn pass(&mut self, piece: Bytes) {
        if piece.is_empty() {
            return;
        }
        let start = (piece.as_ptr() as usize).wrapping_sub(self.source.as_ptr() as usize);
        let inside = start
            .checked_add(piece.len())
            .is_some_and(|end| end <= self.source.len());
        if !inside {
            self.flush();
            self.out.push(piece);
        } else if start == self.run.end && !self.run.is_empty() {
            self.run.end += piece.len();
        } else {
            self.flush();
            self.run = start..start + piece.len();
        }
    }

    /// Hands over what is still being joined. Dropping the relay does so as well.
    pub fn flush(&mut self) {
        let run = std::mem::take(&mut self.run);
        if !run.is_empty() {
            self.out.push(self.source.slice(run));
        }
    }
}

impl Drop for Relay<'_> {
    fn drop(&mut self) {
        self.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_become_one_piece_and_order_is_kept() {
        let source = Bytes::from_static(b"0123456789");
        let mut out = Vec::new();
        let mut relay = Relay::new(source.clone(), &mut out);
        relay.pass(source.slice(0..2));
        relay.pass(source.slice(2..5));
        relay.pass(Bytes::from_static(b"new"));
        relay.pass(source.slice(5..6));
        relay.pass(source.slice(8..10));
        drop(relay);
        assert_eq!(out, ["01234", "new", "5", "89"]);
        assert_eq!(out[0].as_ptr(), source.as_ptr());
    }
}
