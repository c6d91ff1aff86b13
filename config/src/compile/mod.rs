//! The compiler: one resource and what it refers to in, one item and its conditions out.

mod backend;
mod certificate;
mod conversation;
mod cors;
mod grant;
mod held;
mod hostnames;
mod map;
mod mapped;
mod mapper;
mod money;
mod network;
mod paths;
mod policies;
mod policy;
mod proxy;
mod route;
mod secret;
mod selector;
mod template;
mod url;

use std::sync::Arc;

use dragoman_crds::condition;

pub(crate) use backend::{backend, lends_identity};
pub(crate) use grant::{admits, resolve};
pub(crate) use held::{admitted, malformed};
pub(crate) use hostnames::claims;
pub(crate) use map::map;
pub(crate) use mapper::mapper;
pub(crate) use policies::changing_rule;
pub(crate) use policy::{policy, secret_selector};
pub(crate) use proxy::{proxy, wants_policy};
pub(crate) use route::route;
pub(crate) use selector::selects;

use crate::{Item, Key, ObjectKey, Verdict, hash, reason};

/// Faults that one condition names, and the bytes of each: together below the 32 KiB that a condition's message may have.
const MOST_FAULTS: usize = 10;
const LONGEST_FAULT: usize = 3 << 10;

/// What became of one resource.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The item, or why there is none: the proxy then keeps the previous version, or fails closed.
    pub item: Result<Arc<Item>, String>,
    /// The conditions that compiling decides: Accepted and, where there are references, ResolvedRefs.
    pub verdicts: Vec<Verdict>,
    /// The generation that was compiled.
    pub generation: i64,
    /// For a route: the LLMProxies that serve it.
    pub attached: Vec<ObjectKey>,
    /// Items that this one needs.
    pub uses: Vec<Key>,
    /// The content as canonical JSON, or the reason when there is no item; what versions are hashed from.
    pub canonical: Arc<[u8]>,
    /// Whether there is no item only because a Secret is being read for the first time: nobody need hear of it yet.
    pub pending: bool,
}

impl Outcome {
    /// Whether every verdict holds.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.verdicts.iter().all(|verdict| verdict.status)
    }

    /// Why the resource is not fit for use: what it says of itself, or of what it refers to.
    pub(crate) fn fault(&self) -> Option<&Verdict> {
        self.verdicts.iter().find(|verdict| !verdict.status)
    }

    /// Whether anything that others see is different: the generation alone is not.
    pub(crate) fn differs(&self, other: &Self) -> bool {
        self.canonical != other.canonical
            || self.generation != other.generation
            || self.verdicts != other.verdicts
            || self.attached != other.attached
            || self.uses != other.uses
            || self.pending != other.pending
    }
}

/// Gathers what is found while a resource is compiled.
pub(crate) struct Findings {
    accepted: Vec<(&'static str, String)>,
    references: Vec<(&'static str, String)>,
    /// Tests that fail; none where the kind has none.
    tests: Option<Vec<(&'static str, String)>>,
    /// What a condition tells although it holds.
    remarks: Vec<(&'static str, String)>,
    /// What is worth knowing of what is accepted, and no fault.
    notes: Vec<String>,
    has_references: bool,
    held_back: bool,
    attached: Vec<ObjectKey>,
    uses: Vec<Key>,
}

impl Findings {
    pub(crate) fn new() -> Self {
        Self {
            accepted: Vec::new(),
            references: Vec::new(),
            tests: None,
            remarks: Vec::new(),
            notes: Vec::new(),
            has_references: false,
            held_back: false,
            attached: Vec::new(),
            uses: Vec::new(),
        }
    }

    /// A field that makes no sense: `Accepted=False`.
    pub(crate) fn refuse(&mut self, reason: &'static str, message: impl Into<String>) {
        self.accepted.push((reason, message.into()));
    }

    /// A field that makes no sense, by name.
    pub(crate) fn invalid(&mut self, field: &str, fault: impl std::fmt::Display) {
        self.refuse(reason::INVALID, format!("{field}: {fault}"));
    }

    /// A reference that does not resolve: `ResolvedRefs=False`.
    pub(crate) fn unresolved(&mut self, reason: &'static str, message: impl Into<String>) {
        self.references.push((reason, message.into()));
    }

    /// The resource carries tests, of which these fail: `TestsPassed`.
    pub(crate) fn tested(&mut self, failed: Vec<String>) {
        let failed = failed.into_iter();
        self.tests = Some(failed.map(|test| (reason::TEST_FAILED, test)).collect());
    }

    /// A word on what is accepted all the same: `Accepted=True` with another reason than usual.
    pub(crate) fn remark(&mut self, reason: &'static str, message: String) {
        self.remarks.push((reason, message));
    }

    /// A word on what is accepted that is no fault at all.
    pub(crate) fn note(&mut self, message: String) {
        self.notes.push(message);
    }

    /// What was found makes a version that must not replace the one before: it would lack what may be had in a moment, or what
    /// only we cannot read.
    pub(crate) fn hold_back(&mut self) {
        self.held_back = true;
    }

    pub(crate) fn is_held_back(&self) -> bool {
        self.held_back
    }

    pub(crate) fn has_references(&mut self) {
        self.has_references = true;
    }

    pub(crate) fn attach(&mut self, proxy: ObjectKey) {
        if !self.attached.contains(&proxy) {
            self.attached.push(proxy);
        }
    }

    pub(crate) fn needs(&mut self, item: Key) {
        if !self.uses.contains(&item) {
            self.uses.push(item);
        }
    }

    pub(crate) fn needs_all(&mut self, items: &[Key]) {
        for item in items {
            self.needs(item.clone());
        }
    }

    /// Whether something is about to be read for the first time.
    pub(crate) fn waits(&self) -> bool {
        let pending = |(reason, _): &(&str, String)| *reason == reason::PENDING;
        self.references.iter().any(pending)
    }

    /// Whether a field made no sense so far.
    pub(crate) fn refused(&self) -> bool {
        !self.accepted.is_empty()
    }

    /// The outcome: `item` if it could be made.
    pub(crate) fn finish(mut self, generation: i64, item: Result<Item, String>) -> Outcome {
        let waits = |(reason, _): &(&'static str, String)| *reason == reason::PENDING;
        let pending =
            item.is_err() && self.accepted.is_empty() && self.references.iter().any(waits);
        if !self.accepted.is_empty() {
            self.accepted.append(&mut self.remarks);
        }
        let accepted = match self.remarks.first() {
            Some((reason, _)) => (*reason, join(self.remarks.iter())),
            None => {
                let sound = (reason::ACCEPTED, "every field makes sense".to_owned());
                let notes = self.notes.into_iter().map(|note| (reason::ACCEPTED, note));
                let said: Vec<_> = std::iter::once(sound).chain(notes).collect();
                (reason::ACCEPTED, join(said.iter()))
            }
        };
        let mut accepted = verdict(condition::ACCEPTED, accepted, self.accepted);
        accepted.faults.append(&mut self.remarks);
        let mut verdicts = vec![accepted];
        if self.has_references {
            let resolved = "everything that it refers to exists and may be used".to_owned();
            verdicts.push(verdict(
                condition::RESOLVED_REFS,
                (reason::RESOLVED, resolved),
                self.references,
            ));
        }
        if let Some(failed) = self.tests {
            let passed = "every test gives what it expects".to_owned();
            verdicts.push(verdict(
                condition::TESTS_PASSED,
                (reason::TESTS_PASSED, passed),
                failed,
            ));
        }
        let canonical: Arc<[u8]> = match &item {
            Ok(item) => hash::canonical(item).into(),
            Err(message) => message.as_bytes().into(),
        };
        Outcome {
            item: item.map(Arc::new),
            verdicts,
            generation,
            attached: self.attached,
            uses: self.uses,
            canonical,
            pending,
        }
    }

    /// Every fault in one line.
    pub(crate) fn summary(&self) -> String {
        let tests = self.tests.iter().flatten();
        join(self.accepted.iter().chain(&self.references).chain(tests))
    }
}

fn verdict(
    type_: &'static str,
    fine: (&'static str, String),
    faults: Vec<(&'static str, String)>,
) -> Verdict {
    // What only waits is not the word for what needs an edit.
    let lasting = faults.iter().find(|(reason, _)| *reason != reason::PENDING);
    let (status, reason, message) = match lasting.or(faults.first()) {
        None => (true, fine.0, fine.1),
        Some((reason, _)) => (false, *reason, join(faults.iter())),
    };
    Verdict {
        type_,
        status,
        reason,
        message,
        faults,
    }
}

/// Faults in one line that a condition can hold: the first few, each cut where a manifest made it too long.
fn join<'a>(faults: impl Iterator<Item = &'a (&'static str, String)>) -> String {
    let mut line = String::new();
    let mut more = 0;
    for (at, (_, message)) in faults.enumerate() {
        if at >= MOST_FAULTS {
            more += 1;
            continue;
        }
        if at > 0 {
            line.push_str("; ");
        }
        let end = message.floor_char_boundary(LONGEST_FAULT);
        line.push_str(&message[..end]);
        if end < message.len() {
            line.push('…');
        }
    }
    if more > 0 {
        line.push_str(&format!("; and {more} more"));
    }
    line
}
