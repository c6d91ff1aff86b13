//! What a request holds, by neutral names, so that a refusal can name it in the client's own words.

/// Something in a request that a target may be unable to express.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// [`super::Request::max_tokens`].
    MaxTokens,
    /// [`super::Request::n`].
    N,
    /// [`super::Request::stop`].
    Stop,
    /// [`super::Request::format`].
    Format,
    /// [`super::Request::reasoning`].
    Reasoning,
    /// [`super::Request::logprobs`].
    Logprobs,
    /// [`super::Request::suffix`].
    Suffix,
    /// [`super::Request::tools`]: all, or the one of this index.
    Tools(Option<usize>),
    /// [`super::Request::tool_choice`].
    ToolChoice,
    /// [`super::Request::parallel_tool_calls`].
    ParallelToolCalls,
    /// [`super::Sampling::temperature`].
    Temperature,
    /// [`super::Sampling::top_p`].
    TopP,
    /// [`super::Sampling::top_k`].
    TopK,
    /// [`super::Sampling::min_p`].
    MinP,
    /// [`super::Sampling::typical_p`].
    TypicalP,
    /// [`super::Sampling::seed`].
    Seed,
    /// [`super::Sampling::frequency_penalty`].
    FrequencyPenalty,
    /// [`super::Sampling::presence_penalty`].
    PresencePenalty,
    /// [`super::Sampling::repetition_penalty`].
    RepetitionPenalty,
    /// [`super::Sampling::logit_bias`].
    LogitBias,
    /// The vectors' length of an embedding request.
    Dimensions,
    /// A place in the client's body that the reader gave: a message's `at`, with more of the path where it helps.
    At(String),
    /// A field that the form does not know, by the client's name.
    Extra(String),
}
