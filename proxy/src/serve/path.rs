//! What the path of a request asks for.

use dragoman_dialects::Wire;
use http::{HeaderMap, HeaderName};

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
    /// Anything else.
    Other,
}

impl Operation<'_> {
    /// The dialect of a conversation.
    pub(crate) fn wire(self) -> Option<Wire> {
        match self {
            Self::Chat => Some(Wire::Chat),
            Self::Completions => Some(Wire::Completions),
            Self::Messages => Some(Wire::Messages),
            Self::OllamaChat => Some(Wire::OllamaChat),
            Self::OllamaGenerate => Some(Wire::OllamaGenerate),
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
    match path.rsplit_once("/api/") {
        Some((_, "generate")) => return Wire::OllamaGenerate,
        Some((_, last)) if OLLAMA.contains(&last) || dialect::manages(last) => {
            return Wire::OllamaChat;
        }
        _ => {}
    }
    let last = path.rsplit('/').next().unwrap_or_default();
    if !OPENAI.contains(&last) && is_anthropics(headers) {
        Wire::Messages
    } else {
        Wire::Chat
    }
}

/// Whether it is one of Anthropic's clients that asks, where the path does not tell.
pub(crate) fn is_anthropics(headers: &HeaderMap) -> bool {
    headers.contains_key(&ANTHROPIC)
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
        other => match other.split_once('/') {
            Some(("models", id)) => Operation::Model(id),
            Some(("api", rest)) => below_api(rest),
            _ => Operation::Other,
        },
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
            ("/v1beta/models", Operation::Other),
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
        ] {
            assert_eq!(speaks(path, &none), plain, "{path}");
            assert_eq!(speaks(path, &version), with_version, "{path}");
        }
    }
}
