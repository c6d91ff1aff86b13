//! The compiler: one resource and what it refers to in, one item and its conditions out.

mod backend;
mod grant;
mod held;
mod map;
mod proxy;
mod route;
mod url;

use std::sync::Arc;

use dragoman_crds::condition;

pub(crate) use backend::backend;
pub(crate) use held::{admitted, malformed};
pub(crate) use map::map;
pub(crate) use proxy::proxy;
pub(crate) use route::{claims, route};

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
}

impl Outcome {
    /// Whether every verdict holds.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.verdicts.iter().all(|verdict| verdict.status)
    }

    /// Why the resource is not fit for use: what it says of itself, or of what it refers to.
    pub(crate) fn fault(&self) -> Option<&str> {
        let refused = self.verdicts.iter().find(|verdict| !verdict.status);
        refused.map(|verdict| verdict.message.as_str())
    }

    /// Whether anything that others see is different: the generation alone is not.
    pub(crate) fn differs(&self, other: &Self) -> bool {
        self.canonical != other.canonical
            || self.generation != other.generation
            || self.verdicts != other.verdicts
            || self.attached != other.attached
            || self.uses != other.uses
    }
}

/// Gathers what is found while a resource is compiled.
pub(crate) struct Findings {
    accepted: Vec<(&'static str, String)>,
    references: Vec<(&'static str, String)>,
    has_references: bool,
    attached: Vec<ObjectKey>,
    uses: Vec<Key>,
}

impl Findings {
    pub(crate) fn new() -> Self {
        Self {
            accepted: Vec::new(),
            references: Vec::new(),
            has_references: false,
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

    /// Whether a field made no sense so far.
    pub(crate) fn refused(&self) -> bool {
        !self.accepted.is_empty()
    }

    /// The outcome: `item` if it could be made.
    pub(crate) fn finish(self, generation: i64, item: Result<Item, String>) -> Outcome {
        let mut verdicts = vec![verdict(
            condition::ACCEPTED,
            reason::ACCEPTED,
            &self.accepted,
        )];
        if self.has_references {
            verdicts.push(verdict(
                condition::RESOLVED_REFS,
                reason::RESOLVED,
                &self.references,
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
        }
    }

    /// Every fault in one line.
    pub(crate) fn summary(&self) -> String {
        join(self.accepted.iter().chain(&self.references))
    }
}

fn verdict(type_: &'static str, fine: &'static str, faults: &[(&'static str, String)]) -> Verdict {
    match faults.first() {
        None => Verdict {
            type_,
            status: true,
            reason: fine,
            message: String::new(),
        },
        Some((reason, _)) => Verdict {
            type_,
            status: false,
            reason,
            message: join(faults.iter()),
        },
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
