//! The types of the bodies.
//!
//! Source: [`api/types.go`](https://github.com/ollama/ollama/blob/main/api/types.go).

use super::{Endpoint, go::Go};

type Fields = &'static [(&'static str, Go)];

const STRINGS: Go = Go::List("string", &Go::String);
const IMAGES: Go = Go::List("api.ImageData", &Go::Bytes);

const MESSAGE: Fields = &[
    ("role", Go::String),
    ("content", Go::String),
    ("thinking", Go::String),
    ("images", IMAGES),
    (
        "tool_calls",
        Go::List("api.ToolCall", &Go::Struct("ToolCall", CALL)),
    ),
    ("tool_name", Go::String),
    ("tool_call_id", Go::String),
];

const CALL: Fields = &[
    ("id", Go::String),
    ("function", Go::Struct("ToolCallFunction", CALLED)),
];

const CALLED: Fields = &[
    ("index", Go::Int),
    ("name", Go::String),
    ("arguments", Go::Ordered("ToolCallFunctionArguments")),
];

const TOOL: Fields = &[
    ("type", Go::String),
    ("function", Go::Struct("ToolFunction", FUNCTION)),
];

const FUNCTION: Fields = &[
    ("name", Go::String),
    ("description", Go::String),
    (
        "parameters",
        Go::Struct("ToolFunctionParameters", PARAMETERS),
    ),
];

const PARAMETERS: Fields = &[
    ("type", Go::String),
    ("required", STRINGS),
    ("properties", Go::Ordered("ToolPropertiesMap")),
];

const CHAT: Fields = &[
    ("model", Go::String),
    (
        "messages",
        Go::List("api.Message", &Go::Struct("Message", MESSAGE)),
    ),
    ("stream", Go::Bool),
    ("format", Go::Any),
    ("keep_alive", Go::Duration),
    ("tools", Go::List("api.Tool", &Go::Struct("Tool", TOOL))),
    ("options", Go::Map),
    ("think", Go::Think),
    ("truncate", Go::Bool),
    ("shift", Go::Bool),
    ("logprobs", Go::Bool),
    ("top_logprobs", Go::Int),
];

const GENERATE: Fields = &[
    ("model", Go::String),
    ("prompt", Go::String),
    ("suffix", Go::String),
    ("system", Go::String),
    ("template", Go::String),
    ("context", Go::List("int", &Go::Int)),
    ("stream", Go::Bool),
    ("raw", Go::Bool),
    ("format", Go::Any),
    ("keep_alive", Go::Duration),
    ("images", IMAGES),
    ("options", Go::Map),
    ("think", Go::Think),
    ("truncate", Go::Bool),
    ("shift", Go::Bool),
    ("logprobs", Go::Bool),
    ("top_logprobs", Go::Int),
];

const EMBED: Fields = &[
    ("model", Go::String),
    ("input", Go::Any),
    ("keep_alive", Go::Duration),
    ("truncate", Go::Bool),
    ("dimensions", Go::Int),
    ("options", Go::Map),
];

const EMBEDDING: Fields = &[
    ("model", Go::String),
    ("prompt", Go::String),
    ("keep_alive", Go::Duration),
    ("options", Go::Map),
];

const SHOW: Fields = &[
    ("model", Go::String),
    ("name", Go::String),
    ("system", Go::String),
    ("template", Go::String),
    ("verbose", Go::Bool),
    ("options", Go::Map),
];

/// The struct of an endpoint: its name and its fields.
pub(super) fn of(endpoint: Endpoint) -> (&'static str, Fields) {
    match endpoint {
        Endpoint::Chat => ("ChatRequest", CHAT),
        Endpoint::Generate => ("GenerateRequest", GENERATE),
        Endpoint::Embed => ("EmbedRequest", EMBED),
        Endpoint::Embeddings => ("EmbeddingRequest", EMBEDDING),
        Endpoint::Show => ("ShowRequest", SHOW),
    }
}
