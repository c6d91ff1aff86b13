//! The two forms of an Ollama conversation, which differ in where the text stands.

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// `/api/chat`: text, thinking and tool calls stand in `message`.
    Chat,
    /// `/api/generate`: text stands in `response`, thinking beside it, and there are no tools.
    Generate,
}
