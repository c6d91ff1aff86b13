//! What becomes of a model's thinking in the replies of a route.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How thinking is treated: text between tags in the reply, reasoning fields, and whether the model is asked not to think.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Thinking {
    /// `<think>…</think>` in the reply's text. `Strip` removes it, `Extract` moves it to the field of the client's dialect
    /// (OpenAI's `reasoning_content`, Ollama's `thinking`; an Anthropic thinking block without a signature, a part of Gemini's that is a thought, or a reasoning block of Bedrock's, if the client asked for thinking),
    /// `Keep` leaves it. Blocks inside fenced code are text and stay.
    #[serde(default)]
    pub text: ThinkingText,
    /// The tags that enclose thinking. Default: `<think>` and `</think>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 8))]
    pub tags: Option<Vec<Tag>>,
    /// The reply begins inside a thinking block, because the model's chat template already opened it. Default false.
    #[serde(default)]
    pub starts_open: bool,
    /// `reasoning_content` and kindred fields that the upstream sends, or the blocks and parts of Anthropic, Bedrock and Gemini. `Keep` passes them on, `Drop` removes them.
    #[serde(default)]
    pub fields: ReasoningFields,
    /// Asks the model not to think: with `/no_think` and `chat_template_kwargs.enable_thinking: false` an OpenAI server, with `think: false` Ollama, with `thinking: {type: disabled}` Anthropic and Claude at Bedrock, with the least `thinkingConfig` that the model takes Gemini. Default false.
    #[serde(default)]
    pub disable: bool,
}

/// What becomes of thinking in a reply's text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ThinkingText {
    /// It is removed.
    #[default]
    Strip,
    /// It is moved to where the client's dialect has it, such as `reasoning_content`.
    Extract,
    /// It stays.
    Keep,
}

/// What becomes of reasoning fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ReasoningFields {
    /// They are passed on.
    #[default]
    Keep,
    /// They are removed.
    Drop,
}

/// One pair of tags.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "self.open != self.close",
    "message": "open and close must differ"
}]))]
pub struct Tag {
    /// Opens a block, such as `<think>`. One that ends in `>` matches with attributes too.
    #[schemars(length(min = 2, max = 64))]
    pub open: String,
    /// Closes it, such as `</think>`.
    #[schemars(length(min = 2, max = 64))]
    pub close: String,
}
