//! What of the log is somebody's to see.

/// What of the log is somebody's to see. Whatever is asked for, nothing else is ever answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Viewer {
    /// Every request.
    All,
    /// The requests of these namespaces.
    Namespaces(Vec<String>),
}

impl Viewer {
    /// Whether requests of this namespace are theirs to see.
    #[must_use]
    pub fn sees(&self, namespace: &str) -> bool {
        match self {
            Self::All => true,
            Self::Namespaces(theirs) => theirs.iter().any(|name| name == namespace),
        }
    }

    /// The namespaces that they may see, as [`Store::get`](crate::store::Store::get) takes them.
    pub(super) fn namespaces(&self) -> Option<&[String]> {
        match self {
            Self::All => None,
            Self::Namespaces(theirs) => Some(theirs),
        }
    }

    /// Those of the namespaces asked for that they may see; all that they may see where none was asked for.
    pub(super) fn among(&self, asked: Vec<String>) -> Option<Vec<String>> {
        if asked.is_empty() {
            return self.namespaces().map(<[String]>::to_vec);
        }
        Some(asked.into_iter().filter(|name| self.sees(name)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn asking_for_more_than_one_may_see_gives_no_more() {
        let team = Viewer::Namespaces(names(&["a", "b"]));
        assert_eq!(team.among(names(&[])), Some(names(&["a", "b"])));
        assert_eq!(team.among(names(&["b", "c"])), Some(names(&["b"])));
        assert_eq!(team.among(names(&["c"])), Some(names(&[])));
        assert_eq!(Viewer::All.among(names(&[])), None);
        assert_eq!(Viewer::All.among(names(&["c"])), Some(names(&["c"])));
        assert_eq!(
            Viewer::Namespaces(Vec::new()).among(Vec::new()),
            Some(names(&[]))
        );
    }
}
