//! Which models may be called, by the names that clients use.
//!
//! What is denied is denied in every spelling that may lead to the same model: in any case, since maps and servers need not tell it apart,
//! and with or without the tag that Ollama's servers add.

use std::borrow::Cow;

use dragoman_config::names::{BadFilter, Filter};
use dragoman_crds::{Matching, NameFilter};

use crate::state::listing::LATEST;

/// The models that a policy admits.
#[derive(Debug)]
pub struct Models {
    allow: Filter,
    deny: Filter,
}

impl Models {
    /// Compiles `filter`.
    ///
    /// # Errors
    /// Every pattern that does not compile, by its field.
    pub fn new(filter: &NameFilter) -> Result<Self, Vec<BadFilter>> {
        let allow = NameFilter {
            allow: filter.allow.clone(),
            deny: Vec::new(),
        };
        let deny = NameFilter {
            allow: None,
            deny: filter.deny.clone(),
        };
        Ok(Self {
            allow: Filter::new(&allow, Matching::Exact)?,
            deny: Filter::new(&deny, Matching::IgnoreCase)?,
        })
    }

    /// Whether the model of this name may be called.
    pub fn admits(&self, name: &str) -> bool {
        self.allow.admits(name) && !self.denies(name)
    }

    /// Whether it may not be called, whatever else it is called.
    pub fn denies(&self, name: &str) -> bool {
        self.deny.denies(name) || otherwise(name).is_some_and(|name| self.deny.denies(&name))
    }
}

/// The other name of the same model on Ollama's servers, if it has one.
pub fn otherwise(name: &str) -> Option<Cow<'_, str>> {
    match name.strip_suffix(LATEST) {
        Some(bare) => Some(bare.into()),
        None if name.contains(':') => None,
        None => Some(format!("{name}{LATEST}").into()),
    }
}

#[cfg(test)]
mod tests {
    use dragoman_crds::NameMatch;

    use super::*;

    fn exact(name: &str) -> NameMatch {
        NameMatch {
            exact: Some(name.into()),
            regex: None,
        }
    }

    fn models(allow: Option<&[&str]>, deny: &[&str]) -> Models {
        let filter = NameFilter {
            allow: allow.map(|names| names.iter().map(|name| exact(name)).collect()),
            deny: deny.iter().map(|name| exact(name)).collect(),
        };
        Models::new(&filter).unwrap()
    }

    #[test]
    fn a_denied_model_is_denied_in_every_spelling() {
        let tagged = models(None, &["llama3:latest"]);
        let bare = models(None, &["llama3"]);
        for name in ["llama3", "llama3:latest", "Llama3", "LLAMA3:LATEST"] {
            assert!(!tagged.admits(name), "{name}");
        }
        for name in ["llama3", "llama3:latest", "LLaMA3"] {
            assert!(!bare.admits(name), "{name}");
        }
        for name in ["llama3:8b", "llama31", "llama"] {
            assert!(tagged.admits(name) && bare.admits(name), "{name}");
        }
    }

    #[test]
    fn an_allowed_model_is_allowed_as_it_is_written() {
        let models = models(Some(&["gpt-4"]), &[]);
        assert!(models.admits("gpt-4"));
        assert!(!models.admits("GPT-4") && !models.admits("gpt-4:latest"));
    }
}
