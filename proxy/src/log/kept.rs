//! Bytes that pass, kept within bounds.

use bytes::Bytes;

/// How much is kept of the end of what is longer than is kept: servers tell there how many tokens it took.
const TAIL: usize = 32 << 10;

/// What is kept of a body.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// How many bytes there were.
    total: u64,
    /// The beginning.
    head: Head,
    /// The end of what is longer.
    tail: Vec<u8>,
    /// The most of the beginning.
    bound: usize,
}

#[derive(Debug)]
enum Head {
    /// A piece that is held by somebody anyhow.
    Shared(Bytes),
    Copied(Vec<u8>),
}

impl Default for Head {
    fn default() -> Self {
        Self::Copied(Vec::new())
    }
}

impl Kept {
    /// Keeps at most so many bytes of the beginning.
    pub(crate) fn bounded(bound: usize) -> Self {
        Self {
            bound,
            ..Self::default()
        }
    }

    /// Keeps a body that is there in one piece. Says how much memory that holds.
    pub(crate) fn whole(&mut self, body: &Bytes) -> usize {
        self.total = body.len() as u64;
        self.head = if body.len() <= self.bound {
            Head::Shared(body.clone())
        } else {
            // The rest of a large body is not held for its beginning.
            Head::Copied(body.slice(..self.bound).to_vec())
        };
        self.held()
    }

    /// Keeps the next piece. Says how much more memory that holds.
    pub(crate) fn push(&mut self, piece: &[u8]) -> usize {
        self.total += piece.len() as u64;
        let Head::Copied(head) = &mut self.head else {
            return 0;
        };
        let before = head.len() + self.tail.len();
        let room = self.bound.saturating_sub(head.len());
        let (first, rest) = piece.split_at(room.min(piece.len()));
        head.extend_from_slice(first);
        if self.bound > 0 && !rest.is_empty() {
            self.tail.extend_from_slice(rest);
            if self.tail.len() > 2 * TAIL {
                let gone = self.tail.len() - TAIL;
                self.tail.drain(..gone);
            }
        }
        (head.len() + self.tail.len()).saturating_sub(before)
    }

    /// Counts a piece that is not kept.
    pub(crate) fn pass(&mut self, length: usize) {
        self.total += length as u64;
        self.bound = 0;
    }

    /// How many bytes there were.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// The beginning, or all of it.
    pub(crate) fn head(&self) -> &[u8] {
        match &self.head {
            Head::Shared(bytes) => bytes,
            Head::Copied(bytes) => bytes,
        }
    }

    /// The end of what is longer; empty where the beginning is all.
    pub(crate) fn tail(&self) -> &[u8] {
        &self.tail
    }

    /// Whether there was more than the beginning.
    pub(crate) fn is_cut(&self) -> bool {
        self.head().len() as u64 != self.total
    }

    /// How many bytes of memory it holds.
    pub(crate) fn held(&self) -> usize {
        self.head().len() + self.tail.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_short_is_kept_whole() {
        let mut kept = Kept::bounded(8);
        assert_eq!(kept.push(b"abc") + kept.push(b"defgh"), 8);
        assert_eq!(
            (kept.head(), kept.total(), kept.is_cut()),
            (&b"abcdefgh"[..], 8, false)
        );
    }

    #[test]
    fn of_what_is_long_both_ends_are_kept_within_bounds() {
        let mut kept = Kept::bounded(4);
        for byte in 0..100_000_u32 {
            kept.push(&byte.to_be_bytes());
        }
        assert_eq!(kept.head(), [0; 4]);
        assert!(kept.tail().ends_with(&99_999_u32.to_be_bytes()));
        assert!(kept.held() <= 2 * TAIL + 4);
        assert_eq!((kept.total(), kept.is_cut()), (400_000, true));
    }

    #[test]
    fn a_large_body_is_not_held_for_its_beginning() {
        let mut kept = Kept::bounded(4);
        kept.whole(&Bytes::from(vec![7; 1 << 20]));
        assert_eq!(
            (kept.held(), kept.total(), kept.is_cut()),
            (4, 1 << 20, true)
        );
    }

    #[test]
    fn nothing_is_kept_where_nothing_may_be() {
        let mut kept = Kept::bounded(0);
        kept.push(b"secret");
        assert_eq!((kept.held(), kept.total()), (0, 6));
    }
}
