//! Tokens that a request took.

/// Tokens. What a server does not say is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Of the prompt: all of it, what was read from or written to a cache included.
    pub input: u64,
    /// Of the reply: all of it, reasoning included.
    pub output: u64,
    /// Of the prompt: read from a cache.
    pub cached_input: Option<u64>,
    /// Of the prompt: written to a cache (Anthropic's `cache_creation_input_tokens`).
    pub cache_write: Option<u64>,
    /// Of the reply: reasoning.
    pub reasoning: Option<u64>,
    /// Whether the figures were estimated here because the server said none.
    pub estimated: bool,
    /// Times that a local server gives (Ollama), in nanoseconds.
    pub durations: Option<Durations>,
}

/// How long a local server took, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Durations {
    /// All of it.
    pub total: u64,
    /// Loading the model.
    pub load: u64,
    /// Reading the prompt.
    pub prompt: u64,
    /// Writing the reply.
    pub reply: u64,
}
