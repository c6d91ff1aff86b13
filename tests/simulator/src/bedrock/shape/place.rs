//! Where a value stands in a body, in both of the service's spellings.

/// The steps from the body to a value.
#[derive(Debug, Clone, Default)]
pub(super) struct Place(Vec<Step>);

#[derive(Debug, Clone)]
enum Step {
    Member(String),
    Element(usize),
}

impl Place {
    pub(super) fn member(&self, name: &str) -> Self {
        self.with(Step::Member(name.to_owned()))
    }

    pub(super) fn element(&self, index: usize) -> Self {
        self.with(Step::Element(index))
    }

    fn with(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    /// `messages.0.content.2`, as the checks of a conversation say it.
    pub(super) fn dotted(&self) -> String {
        self.joined(|index| index.to_string())
    }

    /// `messages.1.member.content.3.member`, as constraints say it.
    pub(super) fn counted(&self) -> String {
        self.joined(|index| format!("{}.member", index + 1))
    }

    fn joined(&self, element: impl Fn(usize) -> String) -> String {
        let steps = self.0.iter().map(|step| match step {
            Step::Member(name) => name.clone(),
            Step::Element(index) => element(*index),
        });
        steps.collect::<Vec<_>>().join(".")
    }
}
