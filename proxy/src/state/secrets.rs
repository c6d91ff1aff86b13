//! What nobody is quoted: the values of a backend's credentials, taken out of whatever an upstream says of them.

use bytes::Bytes;
use http::{HeaderName, header};
use memchr::memmem::Finder;

/// The fewest bytes of a secret that is looked for in an error: a shorter one says nothing that only we know.
const IN_ERRORS: usize = 4;
/// The fewest bytes of a secret that is looked for in a stream of good replies, where a shorter one is not told from a model's words.
const IN_STREAMS: usize = 16;
/// What stands in a secret's place.
const MASK: &[u8] = b"[masked]";

/// The secrets of one backend.
#[derive(Debug, Default)]
pub struct Secrets {
    errors: Needles,
    streams: Needles,
}

impl Secrets {
    /// From headers.
    pub fn of<'a>(headers: impl Iterator<Item = (&'a HeaderName, &'a [u8])> + Clone) -> Self {
        Self {
            errors: Needles::of(headers.clone(), IN_ERRORS),
            streams: Needles::of(headers, IN_STREAMS),
        }
    }

    /// What an error said, without the secrets in it. Nothing is copied where there is none.
    pub fn mask(&self, said: Bytes) -> Bytes {
        self.errors.mask(said)
    }

    /// The same of the beginning of what was said, which may end within a secret: what is there of that is left out.
    pub fn mask_beginning(&self, said: Bytes) -> Bytes {
        self.errors.mask_piece(said).0
    }

    /// What a stream is searched for; none where nothing is.
    pub fn in_streams(&self) -> Option<&Needles> {
        (!self.streams.least.is_empty()).then_some(&self.streams)
    }
}

/// Secrets of a certain length at least.
#[derive(Debug, Default)]
pub struct Needles {
    /// Each header's value, and what follows its scheme (`Bearer`, `Basic`) without it. The longest first, so that none is left in
    /// part because another was masked within it.
    all: Vec<Finder<'static>>,
    /// Those of them of which one is found wherever any is.
    least: Vec<Finder<'static>>,
}

impl Needles {
    fn of<'a>(headers: impl Iterator<Item = (&'a HeaderName, &'a [u8])>, shortest: usize) -> Self {
        let (mut all, mut least) = (Vec::new(), Vec::new());
        for (name, value) in headers {
            let value = value.trim_ascii();
            let has_scheme = *name == header::AUTHORIZATION || *name == header::PROXY_AUTHORIZATION;
            let bare = has_scheme.then(|| value.splitn(2, |byte| *byte == b' ').nth(1));
            let bare = bare.flatten().map(<[u8]>::trim_ascii);
            // It is the secret alone that must be long enough: its scheme is known to everybody.
            let secret = bare.unwrap_or(value);
            if secret.len() >= shortest {
                least.push(secret);
                all.push(secret);
                all.extend(bare.and(Some(value)));
            }
        }
        all.sort_unstable_by_key(|secret| std::cmp::Reverse(secret.len()));
        let finder = |secret: &[u8]| Finder::new(secret).into_owned();
        Self {
            all: all.into_iter().map(finder).collect(),
            least: least.into_iter().map(finder).collect(),
        }
    }

    /// What was said to its end, without the secrets in it.
    pub fn mask(&self, said: Bytes) -> Bytes {
        if !self.occur(&said) {
            return said;
        }
        self.replace(&said, said.len()).0
    }

    /// What was said so far, without the secrets in it, and what of it has to wait, as it is: from there on it may be a secret that
    /// goes on in the next piece.
    pub fn mask_piece(&self, mut said: Bytes) -> (Bytes, Bytes) {
        let open = self.open(&said, 0);
        if self.occur(&said) {
            let (masked, from) = self.replace(&said, open);
            return (masked, said.split_off(from));
        }
        let held = said.split_off(open);
        (said, held)
    }

    fn occur(&self, said: &[u8]) -> bool {
        self.least.iter().any(|secret| secret.find(said).is_some())
    }

    /// Where, from `from` on, the first secret begins that what is said ends within.
    fn open(&self, said: &[u8], from: usize) -> usize {
        // No header's value holds a line end, with which the usual piece of a stream ends.
        if said.last().is_none_or(|last| *last == b'\n') {
            return said.len();
        }
        let longest = self.all.first().map_or(0, |secret| secret.needle().len());
        let first = from.max(said.len().saturating_sub(longest.saturating_sub(1)));
        let goes_on = |at: &usize| {
            let end = &said[*at..];
            let mut secrets = self.all.iter().map(Finder::needle);
            secrets.any(|secret| secret.len() > end.len() && secret.starts_with(end))
        };
        (first..said.len()).find(goes_on).unwrap_or(said.len())
    }

    /// Replaces each secret that begins before `open`, the first and longest first, and says how far it came.
    fn replace(&self, said: &[u8], mut open: usize) -> (Bytes, usize) {
        let mut clean = Vec::with_capacity(said.len());
        let mut from = 0;
        let next = |secret: &Finder<'_>, from: usize| {
            secret
                .find(&said[from..])
                .map_or(usize::MAX, |at| from + at)
        };
        let mut places: Vec<_> = self.all.iter().map(|secret| next(secret, 0)).collect();
        loop {
            for (place, secret) in places.iter_mut().zip(&self.all) {
                if *place < from {
                    *place = next(secret, from);
                }
            }
            // Of those in one place the longest stands first.
            let found = places
                .iter()
                .zip(&self.all)
                .min_by_key(|(place, _)| **place);
            let Some((at, secret)) = found.filter(|(place, _)| **place < open) else {
                break;
            };
            clean.extend_from_slice(&said[from..*at]);
            clean.extend_from_slice(MASK);
            from = at + secret.needle().len();
            if open < from {
                open = self.open(said, from);
            }
        }
        clean.extend_from_slice(&said[from..open]);
        (clean.into(), open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(headers: &[(&'static str, &'static str)]) -> Secrets {
        let named = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), value.as_bytes())
        };
        let headers: Vec<_> = headers.iter().map(named).collect();
        Secrets::of(headers.iter().map(|(name, value)| (name, *value)))
    }

    #[test]
    fn a_secret_is_masked_with_and_without_its_scheme() {
        let ours = secrets(&[("authorization", "Bearer sk-ours"), ("x-few", "abc")]);
        let mask = |said: &'static str| ours.mask(said.into());
        assert_eq!(mask("no sk-ours here"), "no [masked] here");
        assert_eq!(mask("Bearer sk-ours, sk-ours"), "[masked], [masked]");
        assert_eq!(mask("Bearer of news, abc"), "Bearer of news, abc");
    }

    #[test]
    fn of_a_quote_that_ends_within_a_secret_no_part_of_it_is_left() {
        let ours = secrets(&[("authorization", "Bearer sk-ours")]);
        let mask = |said: &'static str| ours.mask_beginning(said.into());
        assert_eq!(mask("sk-ours, then sk-our"), "[masked], then ");
        assert_eq!(mask("no sk-our!"), "no sk-our!");
    }

    #[test]
    fn what_follows_a_space_is_a_secret_after_a_scheme_alone() {
        let ours = secrets(&[("x-signature", "by our own hand"), ("x-api-key", "sk 1234")]);
        let said = "our own hand, 1234; by our own hand, sk 1234";
        let clean = ours.mask(said.into());
        assert_eq!(clean, "our own hand, 1234; [masked], [masked]");
    }

    #[test]
    fn a_stream_keeps_words_that_are_no_longer_than_words() {
        let ours = secrets(&[
            ("x-team", "team"),
            ("authorization", "Bearer fifteen--------"),
        ]);
        assert!(ours.in_streams().is_none());
        let ours = secrets(&[
            ("x-team", "team"),
            ("authorization", "Bearer sixteen---------"),
        ]);
        let masked = ours.in_streams().unwrap();
        let clean = masked.mask("our team has sixteen---------".into());
        assert_eq!(clean, "our team has [masked]");
    }

    #[test]
    fn the_beginning_of_a_secret_waits_and_nothing_else_does() {
        let ours = secrets(&[("authorization", "Bearer sk-ours-0123456789")]);
        let streams = ours.in_streams().unwrap();
        for (said, held) in [
            ("data: sk-our", "sk-our"),
            ("data: Bearer s", "Bearer s"),
            ("data: s", "s"),
            ("data: sk-ourx", ""),
            ("data: sk-our\n", ""),
            ("", ""),
        ] {
            let (passed, waits) = streams.mask_piece(said.into());
            assert_eq!(waits, held, "{said}");
            assert_eq!([passed, waits].concat(), said.as_bytes());
        }
    }

    #[test]
    fn secrets_that_begin_or_end_alike_leave_no_rest_wherever_a_stream_is_cut() {
        let ours = secrets(&[
            ("x-first", "sk-0123456789abcdef"),
            ("x-longer", "sk-0123456789abcdef-and-its-tail"),
            ("x-ends", "ends-with-the-beginning-sk-0"),
            ("x-within", "key-cdef-and-its-tail"),
        ]);
        let streams = ours.in_streams().unwrap();
        let said = "a sk-0123456789abcdef-and-its-tail, sk-0123456789abcdef-and-its, ends-with-the-beginning-sk-0. sk-01 sk-0123456789abcdef";
        let clean = "a [masked], [masked]-and-its, [masked]. sk-01 [masked]";
        for cut in 0..=said.len() {
            for next in cut..=said.len() {
                let (mut seen, mut held) = (Vec::new(), Bytes::new());
                for piece in [&said[..cut], &said[cut..next], &said[next..]] {
                    let joined = [&held, piece.as_bytes()].concat();
                    let (passed, waits) = streams.mask_piece(joined.into());
                    seen.extend(passed);
                    held = waits;
                }
                seen.extend(streams.mask(held));
                assert_eq!(seen, clean.as_bytes(), "cut at {cut} and {next}");
            }
        }
    }
}
