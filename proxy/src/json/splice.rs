//! A body and its edits as segments: what is not edited shares the body's memory.

use std::cmp::Reverse;
use std::ops::Range;

use bytes::Bytes;

/// Replaces the bytes at `at` by `with`. An empty range inserts, an empty `with` removes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Bytes of the original.
    pub at: Range<usize>,
    /// What stands there instead.
    pub with: Bytes,
}

/// The body with its edits, as segments to be written one after another. Empty ones are left out.
///
/// Edits are taken in order of their place. One inside of a larger one is left out, as is one that lies
/// outside of the body.
#[must_use]
pub fn splice(body: &Bytes, edits: Vec<Edit>) -> Vec<Bytes> {
    let mut segments = Vec::with_capacity(edits.len() * 2 + 1);
    walk(body.len(), edits, |piece| match piece {
        Piece::Kept(range) => segments.push(body.slice(range)),
        Piece::New(bytes) => segments.push(bytes),
    });
    segments
}

/// Appends `body` with its edits to `out`: a copy, for what is too small to be worth segments.
pub fn splice_into(body: &[u8], edits: Vec<Edit>, out: &mut Vec<u8>) {
    walk(body.len(), edits, |piece| match piece {
        Piece::Kept(range) => out.extend_from_slice(&body[range]),
        Piece::New(bytes) => out.extend_from_slice(&bytes),
    });
}

enum Piece {
    Kept(Range<usize>),
    New(Bytes),
}

fn walk(length: usize, mut edits: Vec<Edit>, mut each: impl FnMut(Piece)) {
    // Where several start, insertions come first, then the largest, which swallows the others.
    edits.sort_by_key(|edit| (edit.at.start, !edit.at.is_empty(), Reverse(edit.at.end)));
    let mut done = 0;
    for Edit { at, with } in edits {
        let fits = at.start >= done && at.end >= at.start && at.end <= length;
        if !fits {
            continue;
        }
        if done < at.start {
            each(Piece::Kept(done..at.start));
        }
        if !with.is_empty() {
            each(Piece::New(with));
        }
        done = at.end;
    }
    if done < length {
        each(Piece::Kept(done..length));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(at: Range<usize>, with: &'static str) -> Edit {
        Edit {
            at,
            with: Bytes::from_static(with.as_bytes()),
        }
    }

    #[test]
    fn what_is_not_edited_is_the_same_memory() {
        let body = Bytes::from_static(b"0123456789");
        let segments = splice(
            &body,
            vec![edit(8..8, "+"), edit(0..1, ""), edit(3..5, "xyz")],
        );
        assert_eq!(segments, ["12", "xyz", "567", "+", "89"]);
        assert_eq!(segments[0].as_ptr(), body[1..].as_ptr());
        assert_eq!(segments[2].as_ptr(), body[5..].as_ptr());
        let mut copy = Vec::new();
        splice_into(&body, vec![edit(3..5, "xyz")], &mut copy);
        assert_eq!(copy, b"012xyz56789");
    }

    #[test]
    fn an_edit_of_the_whole_stands_instead_of_one_inside() {
        let body = Bytes::from_static(b"0123456789");
        let edits = vec![
            edit(4..5, "inner"),
            edit(2..3, "inner"),
            edit(2..8, "outer"),
            edit(2..2, "+"),
        ];
        assert_eq!(splice(&body, edits).concat(), b"01+outer89");
        assert_eq!(
            splice(&body, vec![edit(9..11, "outside")]).concat(),
            &body[..]
        );
    }

    #[test]
    fn no_edit_is_the_body_itself() {
        let body = Bytes::from_static(b"{}");
        assert_eq!(splice(&body, Vec::new()), [body]);
        assert!(splice(&Bytes::new(), Vec::new()).is_empty());
    }
}
