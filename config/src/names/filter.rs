//! Allow and deny lists of names.

use dragoman_crds::{Matching, NameFilter, NameMatch};

use crate::{BadPattern, NamePattern};

/// A list with a pattern that does not compile.
#[derive(Debug, PartialEq, Eq)]
pub struct BadFilter {
    /// The pattern's place, such as `deny[2]`.
    pub field: String,
    /// What is wrong with it.
    pub fault: BadPattern,
}

/// Which names are let through.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    allow: Option<Vec<NamePattern>>,
    deny: Vec<NamePattern>,
}

impl Filter {
    /// Compiles `filter`.
    ///
    /// # Errors
    /// [`BadFilter`] for every pattern that does not compile; there is at least one.
    pub fn new(filter: &NameFilter, matching: Matching) -> Result<Self, Vec<BadFilter>> {
        let mut faults = Vec::new();
        let mut compile = |list: &[NameMatch], field: &str| {
            let mut patterns = Vec::with_capacity(list.len());
            for (at, pattern) in list.iter().enumerate() {
                match NamePattern::new(pattern, matching) {
                    Ok(pattern) => patterns.push(pattern),
                    Err(fault) => faults.push(BadFilter {
                        field: format!("{field}[{at}]"),
                        fault,
                    }),
                }
            }
            patterns
        };
        let allow = filter.allow.as_deref();
        let compiled = Self {
            allow: allow.map(|allow| compile(allow, "allow")),
            deny: compile(&filter.deny, "deny"),
        };
        if faults.is_empty() {
            Ok(compiled)
        } else {
            Err(faults)
        }
    }

    /// Whether `name` is let through.
    #[must_use]
    pub fn admits(&self, name: &str) -> bool {
        !self.denies(name)
            && self
                .allow
                .as_ref()
                .is_none_or(|allow| allow.iter().any(|pattern| pattern.matches(name)))
    }

    /// Whether there is a name that it does not let through.
    #[must_use]
    pub fn restricts(&self) -> bool {
        self.allow.is_some() || !self.deny.is_empty()
    }

    /// Whether `deny` matches `name`.
    #[must_use]
    pub fn denies(&self, name: &str) -> bool {
        self.deny.iter().any(|pattern| pattern.matches(name))
    }
}
