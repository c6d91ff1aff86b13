//! What a backend's dialect means for how it is called: paths, the key's header, headers that every request carries.

use dragoman_crds::Dialect;
use dragoman_dialects::Wire;
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// The version of Anthropic's API that is spoken where the client names none.
///
/// Source: [versions](https://docs.claude.com/en/api/versioning).
const ANTHROPIC_VERSION: HeaderValue = HeaderValue::from_static("2023-06-01");
static VERSION: HeaderName = HeaderName::from_static("anthropic-version");

/// The header that a key travels in, and its value.
pub fn key(dialect: Dialect, key: &str) -> (HeaderName, String) {
    match dialect {
        Dialect::OpenAI | Dialect::Ollama => (header::AUTHORIZATION, format!("Bearer {key}")),
        Dialect::Anthropic => (HeaderName::from_static("x-api-key"), key.to_owned()),
    }
}

/// The form in which a backend is asked what a client asked in the form `client`: the client's own where it speaks that.
pub fn wire(dialect: Dialect, client: Wire) -> Wire {
    let speaks = match dialect {
        Dialect::OpenAI => matches!(client, Wire::Chat | Wire::Completions | Wire::Responses),
        Dialect::Anthropic => client == Wire::Messages,
        Dialect::Ollama => matches!(client, Wire::OllamaChat | Wire::OllamaGenerate),
    };
    if speaks {
        return client;
    }
    match dialect {
        Dialect::OpenAI => Wire::Chat,
        Dialect::Anthropic => Wire::Messages,
        Dialect::Ollama => Wire::OllamaChat,
    }
}

/// Where a backend takes what was translated for it, below the base URL.
pub fn path(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::OpenAI => "/chat/completions",
        Dialect::Anthropic => "/v1/messages",
        Dialect::Ollama => "/api/chat",
    }
}

/// What stands between the base URL and a path that is passed on: a client's path was taken without `/v1`, which is part of the base URL of
/// some dialects and not of others.
pub fn base(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::OpenAI | Dialect::Ollama => "",
        Dialect::Anthropic => "/v1",
    }
}

/// Whether a path below `/api/` changes which models an Ollama server has, or fills its store.
///
/// Source: [Ollama's API reference](https://docs.ollama.com/api).
pub fn manages(path: &str) -> bool {
    const PATHS: [&str; 5] = ["pull", "push", "create", "copy", "delete"];
    let path = path.strip_suffix('/').unwrap_or(path);
    PATHS.contains(&path) || path == "blobs" || path.starts_with("blobs/")
}

/// Whether a dialect has a path, or may have it: what stands after the base URL, without `/v1`.
pub fn has_path(dialect: Dialect, path: &str) -> bool {
    let first = path.trim_start_matches('/').split('/').next();
    match dialect {
        // Compatible servers serve paths of all kinds.
        Dialect::OpenAI => true,
        Dialect::Anthropic => matches!(first, Some("messages" | "models" | "files" | "complete")),
        Dialect::Ollama => first == Some("api"),
    }
}

/// The path of the list of models below the base URL.
pub fn models(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::OpenAI => "/models",
        Dialect::Anthropic => "/v1/models?limit=1000",
        Dialect::Ollama => "/api/tags",
    }
}

/// Adds the headers without which a dialect's server answers nothing.
pub fn needs(dialect: Dialect, headers: &mut HeaderMap) {
    if dialect == Dialect::Anthropic && !headers.contains_key(&VERSION) {
        headers.insert(VERSION.clone(), ANTHROPIC_VERSION);
    }
}
