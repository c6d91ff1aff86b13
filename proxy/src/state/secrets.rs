//! What nobody is quoted: the values of a backend's credentials, taken out of whatever an upstream says of them.

use bytes::Bytes;
use memchr::memmem::{self, Finder};

/// A value that is no longer says nothing that only we know.
const TRIFLE: usize = 3;
/// What stands in a secret's place.
const MASK: &[u8] = b"[masked]";

/// The secrets of one backend.
#[derive(Debug, Default)]
pub struct Secrets {
    /// Each header's value, and what follows its scheme (`Bearer`, `Basic`) without it. The longest first: none is left in part
    /// because another was masked within it.
    all: Vec<Finder<'static>>,
    /// Those of them of which one is found wherever any is.
    least: Vec<Finder<'static>>,
}

impl Secrets {
    /// From the values of headers.
    pub fn of<'a>(values: impl Iterator<Item = &'a [u8]>) -> Self {
        let (mut all, mut least) = (Vec::new(), Vec::new());
        for value in values.map(<[u8]>::trim_ascii) {
            let bare = value.splitn(2, |byte| *byte == b' ').nth(1);
            let told = |text: &&[u8]| text.len() > TRIFLE;
            least.extend(bare.filter(told).or(Some(value).filter(told)));
            all.extend([Some(value), bare].into_iter().flatten().filter(told));
        }
        all.sort_unstable_by_key(|secret| std::cmp::Reverse(secret.len()));
        let finder = |secret: &[u8]| Finder::new(secret).into_owned();
        Self {
            all: all.into_iter().map(finder).collect(),
            least: least.into_iter().map(finder).collect(),
        }
    }

    /// Whether there is none.
    pub fn are_none(&self) -> bool {
        self.least.is_empty()
    }

    /// What was said, without the secrets in it. Nothing is copied where there is none.
    pub fn mask(&self, said: Bytes) -> Bytes {
        if self.least.iter().all(|secret| secret.find(&said).is_none()) {
            return said;
        }
        self.all.iter().fold(said, without)
    }

    /// How many bytes at the end may be the beginning of a secret that goes on in the next piece.
    pub fn may_go_on(&self, said: &[u8]) -> usize {
        // No header's value holds a line end, with which the usual piece of a stream ends.
        if said.last().is_none_or(|last| *last == b'\n') {
            return 0;
        }
        let longest = |secret: &Finder<'_>| {
            let secret = secret.needle();
            let most = said.len().min(secret.len() - 1);
            let mut lengths = (1..=most).rev();
            lengths.find(|length| said.ends_with(&secret[..*length]))
        };
        self.all.iter().filter_map(longest).max().unwrap_or(0)
    }
}

fn without(said: Bytes, secret: &Finder<'_>) -> Bytes {
    if secret.find(&said).is_none() {
        return said;
    }
    let mut clean = Vec::with_capacity(said.len());
    let mut from = 0;
    for at in memmem::find_iter(&said, secret.needle()) {
        clean.extend_from_slice(&said[from..at]);
        clean.extend_from_slice(MASK);
        from = at + secret.needle().len();
    }
    clean.extend_from_slice(&said[from..]);
    clean.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer() -> Secrets {
        Secrets::of([&b"Bearer sk-ours"[..]].into_iter())
    }

    #[test]
    fn a_secret_is_masked_with_and_without_its_scheme() {
        let mask = |said: &'static str| bearer().mask(said.into());
        assert_eq!(mask("no sk-ours here"), "no [masked] here");
        assert_eq!(mask("Bearer sk-ours, sk-ours"), "[masked], [masked]");
        assert_eq!(mask("Bearer of news"), "Bearer of news");
        assert!(Secrets::of([&b"abc"[..]].into_iter()).are_none());
    }

    #[test]
    fn the_beginning_of_a_secret_is_known_and_nothing_else_is_held_back() {
        let secrets = bearer();
        for (said, held) in [
            ("data: sk-our", 6),
            ("data: Bearer s", 8),
            ("data: s", 1),
            ("data: sk-ourx", 0),
            ("data: sk-our\n", 0),
            ("", 0),
        ] {
            assert_eq!(secrets.may_go_on(said.as_bytes()), held, "{said}");
        }
    }
}
