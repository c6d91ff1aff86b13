//! The Conversation API of a route.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::LocalReference;
use crate::form::form;

/// The Conversation API, by which applications say what the user says and get what the model answers, with a system prompt from a library.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "!has(self.defaultLanguage) || has(self.promptsRef)",
    "message": "defaultLanguage chooses among prompts; set promptsRef, or leave it out"
}]))]
pub struct Conversation {
    /// What its paths begin with, below the route: `<prefix>/chat`, `/chat/completions`, `/conversation_with_model`,
    /// `/extended_conversation_with_model`, `/passthrough`, `/ping`, `/tags`. Where another API of the route has a path too, as Ollama has
    /// `/api/chat` and `/api/tags`, that API's answer wins; `apis` leaves it out. Default `/api`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128), extend("x-kubernetes-validations" = form(
        "^(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+$",
        "write a path without a slash at its end, such as /api or /talk/v2",
    )))]
    pub prefix: Option<String>,
    /// The ConfigMap with the system prompts, in the route's namespace. Its keys are `<language>.<name>.prompt`, such as
    /// `en.chat-conversation-simple.prompt`, which is the prompt of requests that name none. Other keys are passed over. Absent: no
    /// system prompts but the requests' own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompts_ref: Option<LocalReference>,
    /// The language of requests that name none. Default `en`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 35), extend("x-kubernetes-validations" = form(
        "^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$",
        "write a language tag, such as en, pl or pt-BR",
    )))]
    pub default_language: Option<String>,
}
