//! What is asked of a model.

use serde_json::{Map, Value};

use super::message::Message;
use super::tool::{Tool, ToolChoice};

/// A conversation request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// The model, as the body (or, in dialects that say it there, the path) names it.
    pub model: String,
    /// Whether the reply is to be streamed.
    pub stream: bool,
    /// Whether a streamed reply is to end with its usage. Dialects that always do so say `true`.
    pub stream_usage: bool,
    /// The conversation, system messages included, in order.
    pub messages: Vec<Message>,
    /// What the model may call.
    pub tools: Vec<Tool>,
    /// Which of the tools it may or must call; absent: the dialect's default, which is automatic everywhere.
    pub tool_choice: Option<ToolChoice>,
    /// Whether several calls may come in one turn; absent: the model's default.
    pub parallel_tool_calls: Option<bool>,
    /// How tokens are drawn.
    pub sampling: Sampling,
    /// Most tokens of the reply, reasoning included; absent: the dialect's default.
    pub max_tokens: Option<u64>,
    /// How many alternatives; absent: one.
    pub n: Option<u32>,
    /// Texts at which the reply ends, itself left out.
    pub stop: Vec<String>,
    /// The form that the reply's text must have.
    pub format: Option<Format>,
    /// Whether and how much the model reasons before it answers.
    pub reasoning: Option<Reasoning>,
    /// Whether what the model reasons is to come back encrypted, for the next turn (Responses' `include`); it need not reason for that.
    pub encrypted_reasoning: bool,
    /// How much the model spends on the whole answer, whether it reasons or not: Anthropic's `output_config.effort` without
    /// thinking. It asks for no reasoning.
    pub effort: Option<Effort>,
    /// Probabilities of the reply's tokens.
    pub logprobs: Option<Logprobs>,
    /// Who asks, in the application's words: OpenAI's `user` or `safety_identifier`, Anthropic's `metadata.user_id`.
    pub user: Option<String>,
    /// How long a local server keeps the model loaded: Ollama's `keep_alive`, a GEP-like duration or seconds.
    pub keep_alive: Option<Value>,
    /// Whether the conversation is one plain prompt that is to be continued as it stands (OpenAI's completions, TGI's
    /// `inputs`, Ollama's `raw`): writers of dialects that take prompts put no template around it.
    pub raw: bool,
    /// Whether the last message, the model's own, is the beginning of the answer, which the model is to continue and not to give
    /// anew ([`super::message::begun`]): what the client's dialect says of such a message. Sources:
    /// [Anthropic](https://platform.claude.com/docs/en/build-with-claude/prompt-engineering/prefill-claudes-response),
    /// [Ollama](https://github.com/ollama/ollama/blob/main/template/template.go). Gemini's models do so as far as they take it.
    pub continued: bool,
    /// For a plain prompt's completion: what follows the place that is to be filled.
    pub suffix: Option<String>,
    /// Fields that the form does not know, by the client dialect's names.
    pub extra: Map<String, Value>,
}

/// How tokens are drawn. Absent values are the server's own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sampling {
    /// Temperature, 0 for greedy.
    pub temperature: Option<f64>,
    /// Nucleus sampling's mass.
    pub top_p: Option<f64>,
    /// Only this many of the likeliest tokens.
    pub top_k: Option<i64>,
    /// Least probability, relative to the likeliest token.
    pub min_p: Option<f64>,
    /// Locally typical sampling's mass.
    pub typical_p: Option<f64>,
    /// For the same draw again.
    pub seed: Option<i64>,
    /// OpenAI's, −2 to 2.
    pub frequency_penalty: Option<f64>,
    /// OpenAI's, −2 to 2.
    pub presence_penalty: Option<f64>,
    /// Multiplicative, 1 for none (TGI, Ollama's `repeat_penalty`, vLLM).
    pub repetition_penalty: Option<f64>,
    /// Added to tokens' logits, by token id.
    pub logit_bias: Option<Map<String, Value>>,
}

/// The form of the reply's text.
#[derive(Clone, Debug, PartialEq)]
pub enum Format {
    /// Free text, said explicitly.
    Text,
    /// Any JSON object.
    JsonObject,
    /// JSON that a schema admits.
    JsonSchema {
        /// The schema's name; dialects that require one get `response`.
        name: Option<String>,
        /// What it is for.
        description: Option<String>,
        /// The schema.
        schema: Value,
        /// Whether decoding is constrained to it; absent: the server's default.
        strict: Option<bool>,
    },
    /// Text that a regular expression admits (TGI's grammar).
    Regex(String),
}

/// Whether and how much a model reasons, and whether it is shown. At least one of the fields is set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reasoning {
    /// On or off, where the client said so; absent with an effort or a budget: on.
    pub enabled: Option<bool>,
    /// How much, in words.
    pub effort: Option<Effort>,
    /// How much, in tokens.
    pub budget_tokens: Option<u64>,
    /// Which summary of it is wanted (`auto`, `concise`, `detailed`; OpenAI's Responses), as the client said.
    pub summary: Option<String>,
    /// Whether the text is to be left out of the reply (Anthropic's `display: omitted`, Gemini's `includeThoughts: false`).
    pub hidden: bool,
}

impl Reasoning {
    /// Whether the model is to reason at all.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.enabled
            .unwrap_or(self.effort != Some(Effort::None) && self.budget_tokens != Some(0))
    }
}

/// How much a model reasons, in OpenAI's words and Anthropic's `max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    /// Not at all.
    None,
    /// As little as it can.
    Minimal,
    /// Little.
    Low,
    /// The usual.
    Medium,
    /// Much.
    High,
    /// Very much.
    XHigh,
    /// As much as it can: Anthropic's word, above OpenAI's highest.
    Max,
}

impl Effort {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::XHigh => "xhigh",
            Self::Max => "max",
        }
    }

    /// The effort that the word names.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        let all = [
            Self::None,
            Self::Minimal,
            Self::Low,
            Self::Medium,
            Self::High,
            Self::XHigh,
            Self::Max,
        ];
        all.into_iter().find(|effort| effort.as_str() == word)
    }

    /// The nearest word that OpenAI has.
    #[must_use]
    pub fn openai(self) -> &'static str {
        self.min(Self::XHigh).as_str()
    }

    /// The tokens that this effort may spend, for dialects that count: at least 1024, as Anthropic asks, and always less
    /// than `max_tokens` where that leaves room. The steps are a documented rule of ours (docs/dialects.md).
    #[must_use]
    pub fn budget(self, max_tokens: Option<u64>) -> u64 {
        let wanted = match self {
            Self::None => return 0,
            Self::Minimal | Self::Low => 1024,
            Self::Medium => 8192,
            Self::High => 24_576,
            Self::XHigh | Self::Max => 32_768,
        };
        match max_tokens {
            Some(most) if wanted >= most => (most / 2).max(1024),
            _ => wanted,
        }
    }

    /// The effort that spends about this many tokens: the inverse of [`Effort::budget`].
    #[must_use]
    pub fn of_budget(tokens: u64) -> Self {
        match tokens {
            0 => Self::None,
            1..=4095 => Self::Low,
            4096..=16_383 => Self::Medium,
            _ => Self::High,
        }
    }
}

/// Probabilities of the reply's tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Logprobs {
    /// How many alternatives at each place; absent: the chosen token's alone.
    pub top: Option<u32>,
}
