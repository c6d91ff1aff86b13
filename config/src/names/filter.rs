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
    /// [`BadFilter`] for the first pattern that does not compile.
    pub fn new(filter: &NameFilter, matching: Matching) -> Result<Self, BadFilter> {
        let compile = |list: &[NameMatch], field: &str| {
            list.iter()
                .enumerate()
                .map(|(at, pattern)| {
                    NamePattern::new(pattern, matching).map_err(|fault| BadFilter {
                        field: format!("{field}[{at}]"),
                        fault,
                    })
                })
                .collect::<Result<Vec<_>, _>>()
        };
        Ok(Self {
            allow: filter
                .allow
                .as_deref()
                .map(|allow| compile(allow, "allow"))
                .transpose()?,
            deny: compile(&filter.deny, "deny")?,
        })
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

    /// Whether `deny` matches `name`.
    #[must_use]
    pub fn denies(&self, name: &str) -> bool {
        self.deny.iter().any(|pattern| pattern.matches(name))
    }
}
