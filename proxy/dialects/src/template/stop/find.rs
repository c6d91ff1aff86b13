//! Where a stop is in a text, or may begin at its end.

use memchr::memmem;

/// The first stop in the text: where, and which. Of several at the same place, the longest.
pub(super) fn first(stops: &[(String, bool)], text: &str) -> Option<(usize, usize)> {
    let each = stops.iter().enumerate().filter_map(|(number, (stop, _))| {
        let at = memmem::find(text.as_bytes(), stop.as_bytes())?;
        Some((at, usize::MAX - stop.len(), number))
    });
    each.min().map(|(at, _, number)| (at, number))
}

/// How many bytes at the end of the text may be the beginning of a stop.
pub(super) fn begun(stops: &[(String, bool)], text: &str) -> usize {
    let each = stops.iter().map(|(stop, _)| {
        let longest = text.len().min(stop.len() - 1);
        let lengths = (1..=longest).rev();
        let mut begun =
            lengths.filter(|length| text.as_bytes().ends_with(&stop.as_bytes()[..*length]));
        begun.next().unwrap_or(0)
    });
    each.max().unwrap_or(0)
}
