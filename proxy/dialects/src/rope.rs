//! Bytes in pieces, which can be shared instead of copied: what is kept of an answer and said again at its end.

use bytes::Bytes;

/// How long the pieces of what is kept are, in bytes: no more than this is set aside in vain.
const PIECE: usize = 8 << 10;

/// What is shorter is copied rather than shared, in bytes: it costs less than a piece of its own.
const SHORT: usize = 512;

/// Bytes in pieces, in order.
#[derive(Debug, Default)]
pub struct Rope {
    whole: Vec<Bytes>,
    tail: Vec<u8>,
    /// The length of those that are whole.
    length: usize,
}

impl Rope {
    /// Where the next bytes are appended. It may be looked at from its end only: what comes before may lie in other pieces.
    pub fn tail(&mut self) -> &mut Vec<u8> {
        &mut self.tail
    }

    /// Appends a copy that is never moved, however much follows, and sets aside no more than 8 KiB for what does.
    pub fn keep(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = PIECE.saturating_sub(self.tail.len());
            if room == 0 {
                self.seal();
                self.tail.reserve_exact(PIECE);
                continue;
            }
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            if self.tail.capacity() < self.tail.len() + now.len() {
                let wanted = (self.tail.len() + now.len()).next_power_of_two();
                self.tail.reserve_exact(wanted.min(PIECE) - self.tail.len());
            }
            self.tail.extend_from_slice(now);
            bytes = later;
        }
    }

    /// Appends what `other` holds, and copies it only if it is short.
    pub fn share(&mut self, other: &mut Self) {
        if other.len() <= SHORT {
            other.each(|piece| self.tail.extend_from_slice(piece));
            return;
        }
        self.seal();
        other.seal();
        self.whole.extend_from_slice(&other.whole);
        self.length += other.length;
    }

    /// How many bytes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.length + self.tail.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The pieces, one after another; none of them is empty.
    pub fn into_pieces(mut self) -> impl Iterator<Item = Bytes> {
        let tail = std::mem::take(&mut self.tail);
        let tail = (!tail.is_empty()).then(|| tail.into());
        self.whole.into_iter().chain(tail)
    }

    /// All of them copied together.
    #[must_use]
    pub fn into_vec(self) -> Vec<u8> {
        if self.whole.is_empty() {
            return self.tail;
        }
        let mut all = Vec::with_capacity(self.len());
        // Each is let go of as soon as it is copied.
        for piece in self.into_pieces() {
            all.extend_from_slice(&piece);
        }
        all
    }

    fn each(&self, mut of: impl FnMut(&[u8])) {
        self.whole.iter().for_each(|piece| of(piece));
        of(&self.tail);
    }

    fn seal(&mut self) {
        if !self.tail.is_empty() {
            self.length += self.tail.len();
            self.whole.push(std::mem::take(&mut self.tail).into());
        }
    }
}

impl From<Vec<u8>> for Rope {
    fn from(tail: Vec<u8>) -> Self {
        Self {
            tail,
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(length: usize) -> (Rope, Vec<u8>) {
        let bytes: Vec<u8> = (0..=250).cycle().take(length).collect();
        let mut pieces = Rope::default();
        for few in bytes.chunks(7) {
            pieces.keep(few);
        }
        (pieces, bytes)
    }

    #[test]
    fn what_is_kept_is_what_was_given_and_what_is_shared_is_the_same_memory() {
        for length in [0, 1, SHORT, SHORT + 1, PIECE, PIECE + 1, 5 * PIECE + 3] {
            let (mut pieces, bytes) = kept(length);
            assert_eq!(pieces.len(), length);
            let mut out = Rope::from(b"before".to_vec());
            out.share(&mut pieces);
            out.tail().extend_from_slice(b"after");
            let places = |of: &[Bytes]| of.iter().map(|piece| piece.as_ptr()).collect::<Vec<_>>();
            if length > SHORT {
                assert_eq!(places(&out.whole[1..]), places(&pieces.whole));
            }
            let all = [b"before", bytes.as_slice(), b"after"].concat();
            assert_eq!(out.into_vec(), all);
            assert_eq!(pieces.into_vec(), bytes);
        }
    }

    #[test]
    fn pieces_are_full_so_that_nothing_is_set_aside_in_vain() {
        let (pieces, bytes) = kept(9 * PIECE + 100);
        assert!(pieces.tail.capacity() <= PIECE);
        let lengths: Vec<usize> = pieces.into_pieces().map(|piece| piece.len()).collect();
        assert_eq!(lengths, [[PIECE; 9].as_slice(), &[100]].concat());
        assert_eq!(bytes.len(), 9 * PIECE + 100);
    }
}
