//! What the path of a request asks for.

use std::borrow::Cow;

use dragoman_dialects::Wire;
use http::{HeaderMap, HeaderName};

use super::collections::is_googles_version;
use super::conversation::Talk;
pub use super::spelling::{Ambiguous, has_encoded_slash, percent_decode, plain};
use crate::state::dialect;

/// What Ollama's API has below `/api/`, besides `generate` and what changes its models.
const OLLAMA: [&str; 7] = [
    "chat",
    "embed",
    "embeddings",
    "tags",
    "show",
    "version",
    "ps",
];
/// OpenAI's own calls, which speak OpenAI whatever headers they carry.
const OPENAI: [&str; 4] = ["completions", "embeddings", "responses", "moderations"];
/// The header that each of Anthropic's clients sends.
static ANTHROPIC: HeaderName = HeaderName::from_static("anthropic-version");

/// Headers of which each of Google's clients sends one.
static GOOGLE: [HeaderName; 2] = [
    HeaderName::from_static("x-goog-api-key"),
    HeaderName::from_static("x-goog-api-client"),
];

/// A list that is answered here, and what else is said without asking an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown<'p> {
    /// Ollama's `api/tags`.
    Tags,
    /// Ollama's `api/ps`.
    Loaded,
    /// Ollama's `api/version`.
    Version,
    /// LM Studio's `api/v0/models`.
    LmStudio,
    /// LM Studio's `api/v0/models/{id}`, as [`Operation::Model`].
    LmStudioModel(&'p str),
    /// Gemini's `v1beta/models`.
    Gemini,
    /// Gemini's `v1beta/models/{id}`, as [`Operation::Model`].
    GeminiModel(&'p str),
    /// `api/ping`.
    Ping,
    /// The root, at which Ollama's clients look whether it is there.
    Root,
}

/// What a path below a route asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation<'p> {
    /// `chat/completions`.
    Chat,
    /// `completions`.
    Completions,
    /// `embeddings`.
    Embeddings,
    /// Ollama's `api/embed`.
    OllamaEmbed,
    /// Ollama's `api/embeddings`.
    OllamaEmbeddings,
    /// Anthropic's `messages`.
    Messages,
    /// Anthropic's `messages/count_tokens`.
    CountTokens,
    /// Ollama's `api/chat`.
    OllamaChat,
    /// Ollama's `api/generate`.
    OllamaGenerate,
    /// `models`.
    Models,
    /// `models/{id}`; the id as it stands in the path, escapes and slashes included.
    Model(&'p str),
    /// What is told without a call.
    Shown(Shown<'p>),
    /// Ollama's `api/show`.
    OllamaShow,
    /// What changes which models an Ollama has: `api/pull` and its kin.
    OllamaManages,
    /// TGI's `generate`, `generate_stream` or root, whose body says whether it streams.
    Tgi(Option<bool>),
    /// Bedrock's `model/{model}/converse` or `…-stream`.
    Converse(Named<'p>),
    /// Bedrock's `model/{model}/invoke` or `…-with-response-stream`.
    Invoke(Named<'p>),
    /// Gemini's `models/{model}:generateContent` or `:streamGenerateContent`.
    Gemini(Named<'p>),
    /// Gemini's `models/{model}:embedContent`.
    GeminiEmbed(&'p str),
    /// Gemini's `models/{model}:batchEmbedContents`.
    GeminiEmbeds(&'p str),
    /// Gemini's `models/{model}:countTokens`.
    GeminiCount(&'p str),
    /// A call of the Conversation API, whose paths a route chooses.
    Conversation(Talk),
    /// Anything else.
    Other,
}

/// What a path says that others say in the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Named<'p> {
    /// The model as it stands there, escapes included.
    pub model: &'p str,
    /// Whether the reply is to be a stream.
    pub stream: bool,
}

impl<'p> Operation<'p> {
    /// The dialect of a conversation.
    pub(crate) fn wire(self) -> Option<Wire> {
        match self {
            Self::Chat => Some(Wire::Chat),
            Self::Completions => Some(Wire::Completions),
            Self::Messages => Some(Wire::Messages),
            Self::OllamaChat => Some(Wire::OllamaChat),
            Self::OllamaGenerate => Some(Wire::OllamaGenerate),
            Self::Conversation(Talk::Chat | Talk::Passthrough) => Some(Wire::ConversationChat),
            Self::Conversation(Talk::Statement | Talk::Extended) => Some(Wire::Conversation),
            Self::Tgi(_) => Some(Wire::Tgi),
            Self::Converse(_) => Some(Wire::BedrockConverse),
            Self::Invoke(_) => Some(Wire::BedrockInvoke),
            Self::Gemini(_) => Some(Wire::Gemini),
            _ => None,
        }
    }

    /// The model, where the path and not the body names it. TGI's requests name none, and are for what is called `tgi`, as TGI's own guide to
    /// OpenAI's clients has it.
    ///
    /// Source: [TGI's messages API](https://huggingface.co/docs/text-generation-inference/messages_api).
    pub(crate) fn model(self) -> Option<Cow<'p, str>> {
        match self {
            Self::Tgi(_) => Some("tgi".into()),
            Self::Converse(named) | Self::Invoke(named) | Self::Gemini(named) => {
                Some(percent_decode(named.model))
            }
            Self::GeminiEmbed(model) | Self::GeminiEmbeds(model) | Self::GeminiCount(model) => {
                Some(percent_decode(model))
            }
            _ => None,
        }
    }

    /// Whether the reply is to be a stream, where the path says so.
    pub(crate) fn streams(self) -> Option<bool> {
        match self {
            Self::Tgi(streams) => streams,
            Self::Converse(named) | Self::Invoke(named) | Self::Gemini(named) => Some(named.stream),
            _ => None,
        }
    }
}

/// The dialect that a client speaks who asks for this path with these headers, wherever the route's own part of the path ends.
pub fn speaks(path: &str, headers: &HeaderMap) -> Wire {
    let path = path.strip_suffix('/').unwrap_or(path);
    if path.ends_with("/messages") || path.ends_with("/messages/count_tokens") {
        return Wire::Messages;
    }
    if let Some(wire) = of_vendor(path) {
        return wire;
    }
    if path.ends_with("conversation_with_model") {
        return Wire::Conversation;
    }
    match path.rsplit_once("/api/") {
        Some((_, "generate")) => return Wire::OllamaGenerate,
        Some((_, last)) if OLLAMA.contains(&last) || dialect::manages(last) => {
            return Wire::OllamaChat;
        }
        _ => {}
    }
    let last = path.rsplit('/').next().unwrap_or_default();
    if OPENAI.contains(&last) {
        Wire::Chat
    } else if is_anthropics(headers) {
        Wire::Messages
    } else if is_googles(headers) {
        Wire::Gemini
    } else {
        Wire::Chat
    }
}

/// The dialect of a path that only one vendor has.
fn of_vendor(path: &str) -> Option<Wire> {
    let (before, last) = path.rsplit_once('/')?;
    match last {
        "converse" | "converse-stream" if before.contains("/model/") => Some(Wire::BedrockConverse),
        "invoke" | "invoke-with-response-stream" if before.contains("/model/") => {
            Some(Wire::BedrockInvoke)
        }
        "generate_stream" => Some(Wire::Tgi),
        "generate" if !before.ends_with("/api") => Some(Wire::Tgi),
        _ if before.split('/').any(is_googles_version) => Some(Wire::Gemini),
        _ => gemini(last).map(|_| Wire::Gemini),
    }
}

/// Whether it is one of Anthropic's clients that asks, where the path does not tell.
pub(crate) fn is_anthropics(headers: &HeaderMap) -> bool {
    headers.contains_key(&ANTHROPIC)
}

/// Whether it is one of Google's clients that asks, where the path does not tell.
///
/// Source: what Google's [SDK](https://github.com/googleapis/python-genai) sends with each request.
pub(crate) fn is_googles(headers: &HeaderMap) -> bool {
    GOOGLE.iter().any(|name| headers.contains_key(name))
}

/// Takes `/v1` off a path below a route: what stands after the base URL, without a leading slash.
pub fn after_base(path: &str) -> &str {
    let path = path.strip_prefix('/').unwrap_or(path);
    match path.strip_prefix("v1") {
        Some("") => "",
        Some(rest) => rest.strip_prefix('/').unwrap_or(path),
        None => path,
    }
}

/// Classifies what stands after the base URL.
pub fn classify(after_base: &str) -> Operation<'_> {
    match after_base.strip_suffix('/').unwrap_or(after_base) {
        "chat/completions" => Operation::Chat,
        "completions" => Operation::Completions,
        "embeddings" => Operation::Embeddings,
        "messages" => Operation::Messages,
        "messages/count_tokens" => Operation::CountTokens,
        "models" => Operation::Models,
        "generate" => Operation::Tgi(Some(false)),
        "generate_stream" => Operation::Tgi(Some(true)),
        other => match other.split_once('/') {
            Some(("models", id)) => gemini(id).unwrap_or(Operation::Model(id)),
            Some((version, "models")) if is_googles_version(version) => {
                Operation::Shown(Shown::Gemini)
            }
            Some((version, rest)) if is_googles_version(version) => match rest.split_once('/') {
                Some(("models", id)) => {
                    gemini(id).unwrap_or(Operation::Shown(Shown::GeminiModel(id)))
                }
                // Tuned models are named with their collection.
                Some(("tunedModels", _)) => gemini(rest).unwrap_or(Operation::Other),
                _ => Operation::Other,
            },
            Some(("model", rest)) => bedrock(rest),
            Some(("api", rest)) => below_api(rest),
            _ => Operation::Other,
        },
    }
}

/// Gemini's calls: the model, a colon, the method.
fn gemini(called: &str) -> Option<Operation<'_>> {
    let (model, method) = called.rsplit_once(':')?;
    Some(match method {
        "generateContent" => Operation::Gemini(Named {
            model,
            stream: false,
        }),
        "streamGenerateContent" => Operation::Gemini(Named {
            model,
            stream: true,
        }),
        "embedContent" => Operation::GeminiEmbed(model),
        "batchEmbedContents" => Operation::GeminiEmbeds(model),
        "countTokens" => Operation::GeminiCount(model),
        _ => return None,
    })
}

/// Bedrock's calls: the model, a slash, the operation. A model that is an ARN holds slashes itself, escaped or not.
fn bedrock(called: &str) -> Operation<'_> {
    let Some((model, operation)) = called.rsplit_once('/') else {
        return Operation::Other;
    };
    let named = |stream| Named { model, stream };
    match operation {
        "converse" => Operation::Converse(named(false)),
        "converse-stream" => Operation::Converse(named(true)),
        "invoke" => Operation::Invoke(named(false)),
        "invoke-with-response-stream" => Operation::Invoke(named(true)),
        _ => Operation::Other,
    }
}

/// Azure's own part of a path that stands after the base URL: the deployment, if it names one, and the rest, which is OpenAI's.
///
/// Sources: [the deployments' paths](https://learn.microsoft.com/en-us/azure/ai-foundry/openai/reference) and
/// [the v1 API's](https://learn.microsoft.com/en-us/azure/ai-foundry/openai/api-version-lifecycle).
pub fn azure(after_base: &str) -> Option<(Option<&str>, &str)> {
    let rest = after_base.strip_prefix("openai/")?;
    if let Some(rest) = rest.strip_prefix("v1/") {
        return Some((None, rest));
    }
    match rest.strip_prefix("deployments/") {
        Some(rest) => rest
            .split_once('/')
            .map(|(deployment, rest)| (Some(deployment), rest)),
        None => Some((None, rest)),
    }
}

fn below_api(path: &str) -> Operation<'_> {
    match path {
        "chat" => Operation::OllamaChat,
        "generate" => Operation::OllamaGenerate,
        "embed" => Operation::OllamaEmbed,
        "embeddings" => Operation::OllamaEmbeddings,
        "tags" => Operation::Shown(Shown::Tags),
        "ps" => Operation::Shown(Shown::Loaded),
        "version" => Operation::Shown(Shown::Version),
        "show" => Operation::OllamaShow,
        "ping" => Operation::Shown(Shown::Ping),
        "v0/models" => Operation::Shown(Shown::LmStudio),
        other if dialect::manages(other) => Operation::OllamaManages,
        other => match other.strip_prefix("v0/models/") {
            Some(id) => Operation::Shown(Shown::LmStudioModel(id)),
            None => Operation::Other,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_mean_the_same_with_and_without_v1() {
        for (path, operation) in [
            ("/v1/chat/completions", Operation::Chat),
            ("/chat/completions", Operation::Chat),
            ("/v1/models", Operation::Models),
            ("/models/org/name", Operation::Model("org/name")),
            ("/v1/models/org%2Fname", Operation::Model("org%2Fname")),
            ("/embeddings", Operation::Embeddings),
            ("/v1/completions", Operation::Completions),
            ("/v1", Operation::Other),
            ("/v1/messages/count_tokens", Operation::CountTokens),
            ("/messages/batches", Operation::Other),
            ("/api/tags/", Operation::Shown(Shown::Tags)),
            ("/api/v0/models", Operation::Shown(Shown::LmStudio)),
            (
                "/api/v0/models/a/b",
                Operation::Shown(Shown::LmStudioModel("a/b")),
            ),
            ("/api/delete", Operation::OllamaManages),
            ("/api/blobs/sha256:00", Operation::OllamaManages),
            ("/api/other", Operation::Other),
            ("/modelsx", Operation::Other),
            ("/generate_stream", Operation::Tgi(Some(true))),
            (
                "/v1beta/models/gemini-2.5-pro:generateContent",
                Operation::Gemini(Named {
                    model: "gemini-2.5-pro",
                    stream: false,
                }),
            ),
            (
                "/v1/models/vllm/a:b:streamGenerateContent",
                Operation::Gemini(Named {
                    model: "vllm/a:b",
                    stream: true,
                }),
            ),
            ("/v1beta/models/a:countTokens", Operation::GeminiCount("a")),
            ("/v1alpha/models/a:countTokens", Operation::GeminiCount("a")),
            ("/v1beta/models", Operation::Shown(Shown::Gemini)),
            (
                "/v1beta/models/a/b",
                Operation::Shown(Shown::GeminiModel("a/b")),
            ),
            ("/v1/models/llama3:8b", Operation::Model("llama3:8b")),
            (
                "/model/anthropic.claude-3%3A0/converse-stream",
                Operation::Converse(Named {
                    model: "anthropic.claude-3%3A0",
                    stream: true,
                }),
            ),
            (
                "/model/arn:aws:bedrock:us-east-1:1:inference-profile/x/invoke",
                Operation::Invoke(Named {
                    model: "arn:aws:bedrock:us-east-1:1:inference-profile/x",
                    stream: false,
                }),
            ),
            ("/model/a/other", Operation::Other),
        ] {
            assert_eq!(classify(after_base(path)), operation, "{path}");
        }
    }

    #[test]
    fn the_path_says_which_dialect_and_where_it_does_not_a_header_does() {
        let none = HeaderMap::new();
        let version = HeaderMap::from_iter([(ANTHROPIC.clone(), "2023-06-01".parse().unwrap())]);
        for (path, plain, with_version) in [
            ("/v1/chat/completions", Wire::Chat, Wire::Chat),
            ("/routes/a/b/v1/embeddings", Wire::Chat, Wire::Chat),
            ("/v1/messages", Wire::Messages, Wire::Messages),
            ("/v1/messages/count_tokens", Wire::Messages, Wire::Messages),
            ("/v1/models", Wire::Chat, Wire::Messages),
            ("/v1/models/a/b", Wire::Chat, Wire::Messages),
            ("/v1/files", Wire::Chat, Wire::Messages),
            ("/routes/a/b/api/tags/", Wire::OllamaChat, Wire::OllamaChat),
            ("/api/blobs/sha256:0", Wire::OllamaChat, Wire::OllamaChat),
            ("/api/generate", Wire::OllamaGenerate, Wire::OllamaGenerate),
            ("/api/v0/models", Wire::Chat, Wire::Messages),
            ("/generate", Wire::Tgi, Wire::Tgi),
            ("/routes/a/b/generate_stream", Wire::Tgi, Wire::Tgi),
            (
                "/model/a/converse",
                Wire::BedrockConverse,
                Wire::BedrockConverse,
            ),
            ("/model/a/invoke", Wire::BedrockInvoke, Wire::BedrockInvoke),
            ("/v1beta/models", Wire::Gemini, Wire::Gemini),
            ("/v1/models/a:generateContent", Wire::Gemini, Wire::Gemini),
            (
                "/talk/extended_conversation_with_model",
                Wire::Conversation,
                Wire::Conversation,
            ),
        ] {
            assert_eq!(speaks(path, &none), plain, "{path}");
            assert_eq!(speaks(path, &version), with_version, "{path}");
        }
    }

    #[test]
    fn azures_part_of_a_path_is_taken_off() {
        for (path, deployment, rest) in [
            (
                "openai/deployments/a/chat/completions",
                Some("a"),
                "chat/completions",
            ),
            (
                "openai/deployments/a%2Fb/embeddings",
                Some("a%2Fb"),
                "embeddings",
            ),
            ("openai/v1/chat/completions", None, "chat/completions"),
            ("openai/models", None, "models"),
        ] {
            assert_eq!(azure(path), Some((deployment, rest)), "{path}");
        }
        assert_eq!(azure("chat/completions"), None);
        assert_eq!(azure("openai/deployments/a"), None);
    }
}
