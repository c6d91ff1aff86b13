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
    /// Whether figures were estimated here because the server said none, or are to be: [`Usage::lacks_input`].
    pub estimated: bool,
    /// Times that a local server gives (Ollama), in nanoseconds.
    pub durations: Option<Durations>,
}

impl Usage {
    /// What a server says that counts the reply alone.
    #[must_use]
    pub fn of_output(output: u64) -> Self {
        Self {
            output,
            estimated: true,
            ..Self::default()
        }
    }

    /// Whether the prompt's tokens are not known: who knows the prompt [completes](super::Estimate::complete) them, or leaves all figures out.
    #[must_use]
    pub fn lacks_input(&self) -> bool {
        self.estimated && self.input == 0
    }
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
