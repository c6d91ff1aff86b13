//! Finds what a regular expression matches in a text that is still coming.
//!
//! A match is at most [`LONGEST`] bytes long: what a start matches is what the expression matches within so many bytes from there. So what is
//! found does not depend on how the text is split, and no more is ever held back for it.

use dragoman_config::response::{LARGEST_REGEX, read_regex};
use regex_automata::hybrid::dfa::{Cache, Config, DFA};
use regex_automata::nfa::thompson::{Config as Nfa, NFA, WhichCaptures};
use regex_automata::util::captures::Captures;
use regex_automata::util::pool::Pool;
use regex_automata::{Anchored, Input, Match, MatchKind, meta};
use regex_syntax::hir::{Capture, Hir, HirKind, Repetition};

/// The longest match, in bytes.
pub(super) const LONGEST: usize = 1 << 10;
/// How far ahead matches are looked for at once.
const WINDOW: usize = 4 << 10;
/// What may follow the longest match and decide it: a character.
const MARGIN: usize = 4;

type Caches = Pool<Cache, Box<dyn Fn() -> Cache + Send + Sync>>;

/// A regular expression, and what tells whether a text may still become a match of it.
pub(super) struct Finder {
    regex: meta::Regex,
    /// The same without what looks around, so that it goes on at least as long.
    alive: DFA,
    caches: Caches,
    /// Bytes that a match can begin with.
    first: Box<[bool; 256]>,
}

impl std::fmt::Debug for Finder {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Finder").finish_non_exhaustive()
    }
}

impl Finder {
    /// Compiles a regex.
    ///
    /// # Errors
    /// Why it cannot be used, and the cure.
    pub(super) fn new(written: &str) -> Result<Self, String> {
        let hir = read_regex(written).map_err(|fault| format!("regex: {fault}"))?;
        let large = |fault: &dyn std::fmt::Display| format!("regex: it is too large: {fault}");
        let regex = meta::Builder::new()
            .configure(
                meta::Config::new()
                    .nfa_size_limit(Some(LARGEST_REGEX))
                    .onepass_size_limit(Some(LARGEST_REGEX))
                    .hybrid_cache_capacity(LARGEST_REGEX),
            )
            .build_from_hir(&hir)
            .map_err(|fault| large(&fault))?;
        let nfa = NFA::compiler()
            .configure(
                Nfa::new()
                    .which_captures(WhichCaptures::None)
                    .nfa_size_limit(Some(LARGEST_REGEX)),
            )
            .build_from_hir(&without_looks(hir))
            .map_err(|fault| large(&fault))?;
        let alive = DFA::builder()
            .configure(
                Config::new()
                    .match_kind(MatchKind::All)
                    .cache_capacity(LARGEST_REGEX)
                    .skip_cache_capacity_check(true),
            )
            .build_from_nfa(nfa)
            .map_err(|fault| large(&fault))?;
        let dfa = alive.clone();
        let make: Box<dyn Fn() -> Cache + Send + Sync> = Box::new(move || dfa.create_cache());
        let mut finder = Self {
            regex,
            caches: Pool::new(make),
            first: Box::new([true; 256]),
            alive,
        };
        let first = (0..=u8::MAX).map(|byte| finder.goes_on(&[byte]));
        let first: Vec<bool> = first.collect();
        finder.first.copy_from_slice(&first);
        Ok(finder)
    }

    /// The first place from `from` on at which a match may begin that is not decided at the end of `text`; none where all is decided.
    pub(super) fn undecided(&self, text: &str, from: usize) -> Option<usize> {
        // What began earlier is decided by its length.
        let from = from.max(text.len().saturating_sub(LONGEST + MARGIN));
        let bytes = text.as_bytes();
        let begins = |at: &usize| self.first[usize::from(bytes[*at])] && text.is_char_boundary(*at);
        let mut starts = (from..bytes.len()).filter(begins).peekable();
        starts.peek()?;
        let mut cache = self.caches.get();
        starts.find(|at| self.lives(&bytes[*at..], &mut cache))
    }

    fn goes_on(&self, text: &[u8]) -> bool {
        self.lives(text, &mut self.caches.get())
    }

    /// Whether a match that begins with `text` may go on behind it.
    fn lives(&self, text: &[u8], cache: &mut Cache) -> bool {
        let input = Input::new(text).anchored(Anchored::Yes);
        let Ok(mut state) = self.alive.start_state_forward(cache, &input) else {
            return true;
        };
        for byte in text {
            match self.alive.next_state(cache, state, *byte) {
                Ok(next) if next.is_dead() => return false,
                Ok(next) if next.is_quit() => return true,
                Ok(next) => state = next,
                Err(_) => return true,
            }
        }
        true
    }

    /// The first match that begins at `from` or later, and before `limit`.
    pub(super) fn find(&self, text: &str, mut from: usize, limit: usize) -> Option<Match> {
        while from < limit {
            let window = text.floor_char_boundary(from + WINDOW);
            let end = text.floor_char_boundary(window + LONGEST + MARGIN);
            let Some(found) = self.regex.search(&Input::new(text).span(from..end)) else {
                if end == text.len() {
                    return None;
                }
                from = window;
                continue;
            };
            if found.start() >= limit {
                return None;
            }
            if found.start() >= window && end < text.len() {
                from = found.start();
                continue;
            }
            if found.len() <= LONGEST {
                return Some(found);
            }
            let end = text.floor_char_boundary(found.start() + LONGEST);
            let input = Input::new(text).span(found.start()..end);
            if let Some(found) = self.regex.search(&input.anchored(Anchored::Yes)) {
                return Some(found);
            }
            from = text.ceil_char_boundary(found.start() + 1);
        }
        None
    }

    /// What the groups of a match are.
    pub(super) fn captures(&self, text: &str, found: &Match) -> Captures {
        let mut captures = self.regex.create_captures();
        let input = Input::new(text).span(found.range());
        self.regex
            .search_captures(&input.anchored(Anchored::Yes), &mut captures);
        captures
    }
}

/// The expression without conditions on what stands before and behind.
fn without_looks(hir: Hir) -> Hir {
    match hir.into_kind() {
        HirKind::Empty | HirKind::Look(_) => Hir::empty(),
        HirKind::Literal(literal) => Hir::literal(literal.0),
        HirKind::Class(class) => Hir::class(class),
        HirKind::Repetition(repetition) => Hir::repetition(Repetition {
            sub: Box::new(without_looks(*repetition.sub)),
            ..repetition
        }),
        HirKind::Capture(Capture { sub, .. }) => without_looks(*sub),
        HirKind::Concat(parts) => Hir::concat(parts.into_iter().map(without_looks).collect()),
        HirKind::Alternation(parts) => {
            Hir::alternation(parts.into_iter().map(without_looks).collect())
        }
    }
}
