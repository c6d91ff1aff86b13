//! What a fresh list says is gone: whatever was known and is not in it.

use std::collections::BTreeSet;

/// The names of one kind that are known, across relists. A list that breaks off halfway says nothing.
#[derive(Debug)]
pub(super) struct Relist<N> {
    known: BTreeSet<N>,
    listed: Option<BTreeSet<N>>,
}

impl<N: Ord + Clone> Relist<N> {
    /// Nothing is known yet.
    #[must_use]
    pub(super) fn new() -> Self {
        Self {
            known: BTreeSet::new(),
            listed: None,
        }
    }

    /// A list begins; what an earlier, broken one held is forgotten.
    pub(super) fn begin(&mut self) {
        self.listed = Some(BTreeSet::new());
    }

    /// An object exists.
    pub(super) fn seen(&mut self, name: N) {
        if let Some(listed) = &mut self.listed {
            listed.insert(name.clone());
        }
        self.known.insert(name);
    }

    /// An object was deleted.
    pub(super) fn deleted(&mut self, name: &N) {
        self.known.remove(name);
    }

    /// The list is complete: what vanished since the last one.
    pub(super) fn complete(&mut self) -> Vec<N> {
        let Some(listed) = self.listed.take() else {
            return Vec::new();
        };
        let gone = self.known.difference(&listed).cloned().collect();
        self.known = listed;
        gone
    }
}

impl<N: Ord + Clone> Default for Relist<N> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_complete_list_lacks_is_gone() {
        let mut relist = Relist::new();
        relist.begin();
        relist.seen("a");
        relist.seen("b");
        assert!(relist.complete().is_empty());
        relist.seen("c");
        relist.begin();
        relist.seen("b");
        assert_eq!(relist.complete(), ["a", "c"]);
    }

    #[test]
    fn a_list_that_breaks_off_deletes_nothing() {
        let mut relist = Relist::new();
        relist.begin();
        relist.seen("a");
        relist.seen("b");
        relist.complete();
        relist.begin();
        relist.seen("a");
        relist.begin();
        relist.seen("a");
        relist.seen("b");
        assert!(relist.complete().is_empty());
    }

    #[test]
    fn a_deleted_object_is_not_reported_twice() {
        let mut relist = Relist::new();
        relist.begin();
        relist.seen("a");
        relist.complete();
        relist.deleted(&"a");
        relist.begin();
        assert!(relist.complete().is_empty());
    }
}
