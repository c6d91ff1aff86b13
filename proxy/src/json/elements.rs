//! The elements of an array as byte ranges, one after another.

use std::ops::Range;

use super::lexer;
use super::malformed::{Malformed, What};

/// Walks the array at `range` of `text`, a value that a scan has found.
///
/// An element that is malformed ends the walk with an error.
///
/// # Errors
/// [`Malformed`] if the value there is no array.
pub fn elements<'a>(
    text: &'a str,
    range: &Range<usize>,
) -> Result<impl Iterator<Item = Result<Range<usize>, Malformed>> + use<'a>, Malformed> {
    let bytes = text.as_bytes();
    if bytes.get(range.start) != Some(&b'[') {
        return Err(What::Array.at(range.start));
    }
    let mut next = Some(lexer::whitespace(bytes, range.start + 1));
    if next.and_then(|at| bytes.get(at)) == Some(&b']') {
        next = None;
    }
    Ok(std::iter::from_fn(move || {
        let start = next.take()?;
        Some(lexer::value(bytes, start, 1).and_then(|end| {
            let comma = lexer::whitespace(bytes, end);
            match bytes.get(comma) {
                Some(b',') => next = Some(lexer::whitespace(bytes, comma + 1)),
                Some(b']') => {}
                Some(_) => return Err(What::Comma.at(comma)),
                None => return Err(What::End.at(comma)),
            }
            Ok(start..end)
        }))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(text: &str) -> Vec<&str> {
        let found: Result<Vec<_>, _> = elements(text, &(0..text.len())).unwrap().collect();
        found
            .unwrap()
            .into_iter()
            .map(|range| &text[range])
            .collect()
    }

    #[test]
    fn every_element_is_given_once_in_order() {
        assert_eq!(
            walk("[ 1 , [2,3] ,{\"a\":[]}, \"]\" ]"),
            ["1", "[2,3]", "{\"a\":[]}", "\"]\""]
        );
        assert!(walk("[ ]").is_empty());
    }

    #[test]
    fn what_is_no_array_is_refused() {
        assert!(elements("{}", &(0..2)).is_err());
    }

    #[test]
    fn a_malformed_element_ends_the_walk() {
        let mut walk = elements("[1,x]", &(0..5)).unwrap();
        assert_eq!(walk.next(), Some(Ok(1..2)));
        assert!(walk.next().unwrap().is_err());
        assert!(walk.next().is_none());
    }
}
