//! An input's first bytes as choices, and the rest cut into chunks.

/// Takes the first `N` bytes as choices; none if there are fewer.
pub fn choices<const N: usize>(data: &[u8]) -> Option<([u8; N], &[u8])> {
    let (head, rest) = data.split_first_chunk::<N>()?;
    Some((*head, rest))
}

/// Cuts `bytes` into chunks of `sizes` bytes in turn, each at least one.
pub fn chunks<'a>(mut bytes: &'a [u8], sizes: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut sizes = sizes.iter().cycle();
    std::iter::from_fn(move || {
        let size = usize::from(*sizes.next().unwrap_or(&1)).clamp(1, bytes.len().max(1));
        let (chunk, rest) = bytes.split_at_checked(size)?;
        bytes = rest;
        Some(chunk)
    })
}
