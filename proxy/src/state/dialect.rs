//! What a backend's dialect means for how it is called: paths, the key's header, headers that every request carries.

use std::borrow::Cow;

use dragoman_crds::Dialect;
use dragoman_dialects::Wire;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::serve::collections::is_googles_version;

/// The version of Anthropic's API that is spoken where the client names none.
///
/// Source: [versions](https://docs.claude.com/en/api/versioning).
const ANTHROPIC_VERSION: HeaderValue = HeaderValue::from_static("2023-06-01");
static VERSION: HeaderName = HeaderName::from_static("anthropic-version");

/// The header that a key travels in, and its value.
pub fn key(dialect: Dialect, key: &str) -> (HeaderName, String) {
    match dialect {
        Dialect::OpenAI | Dialect::Ollama | Dialect::TGI | Dialect::Bedrock | Dialect::Custom => {
            (header::AUTHORIZATION, format!("Bearer {key}"))
        }
        Dialect::Anthropic => (HeaderName::from_static("x-api-key"), key.to_owned()),
        Dialect::AzureOpenAI => (HeaderName::from_static("api-key"), key.to_owned()),
        Dialect::Gemini => (HeaderName::from_static("x-goog-api-key"), key.to_owned()),
    }
}

/// The form in which a backend is asked what a client asked in the form `client`: the client's own where it speaks that.
pub fn wire(dialect: Dialect, client: Wire) -> Wire {
    let speaks = match dialect {
        Dialect::OpenAI => matches!(client, Wire::Chat | Wire::Completions | Wire::Responses),
        Dialect::AzureOpenAI => matches!(client, Wire::Chat | Wire::Completions),
        Dialect::Anthropic => client == Wire::Messages,
        Dialect::Ollama => matches!(client, Wire::OllamaChat | Wire::OllamaGenerate),
        Dialect::TGI => client == Wire::Tgi,
        Dialect::Bedrock => matches!(
            client,
            Wire::BedrockConverse | Wire::BedrockInvoke | Wire::BedrockText
        ),
        Dialect::Gemini => client == Wire::Gemini,
        // A Mapper is written for one form.
        Dialect::Custom => client == Wire::Chat,
    };
    if speaks {
        return client;
    }
    match dialect {
        Dialect::OpenAI | Dialect::AzureOpenAI | Dialect::Custom => Wire::Chat,
        Dialect::Anthropic => Wire::Messages,
        Dialect::Ollama => Wire::OllamaChat,
        Dialect::TGI => Wire::Tgi,
        Dialect::Bedrock => Wire::BedrockConverse,
        Dialect::Gemini => Wire::Gemini,
    }
}

/// Whether a request of a form names its model in the body, and not in the path or nowhere.
pub fn names_model(wire: Wire) -> bool {
    match wire {
        Wire::Chat
        | Wire::Completions
        | Wire::Responses
        | Wire::Messages
        | Wire::OllamaChat
        | Wire::OllamaGenerate
        | Wire::Conversation
        | Wire::ConversationChat => true,
        Wire::Tgi
        | Wire::BedrockConverse
        | Wire::BedrockInvoke
        | Wire::BedrockText
        | Wire::Gemini => false,
    }
}

/// Where a backend takes a conversation, below the base URL; for Azure, below the deployment. `name` is the upstream's of the model.
pub fn path(wire: Wire, name: &str, stream: bool) -> Cow<'static, str> {
    let model = || escaped(name);
    match (wire, stream) {
        (Wire::Chat | Wire::ConversationChat, _) => "/chat/completions".into(),
        (Wire::Conversation, _) => "/conversation_with_model".into(),
        (Wire::Completions, _) => "/completions".into(),
        (Wire::Responses, _) => "/responses".into(),
        (Wire::Messages, _) => "/v1/messages".into(),
        (Wire::OllamaChat, _) => "/api/chat".into(),
        (Wire::OllamaGenerate, _) => "/api/generate".into(),
        (Wire::Tgi, false) => "/generate".into(),
        (Wire::Tgi, true) => "/generate_stream".into(),
        (Wire::BedrockConverse, false) => format!("/model/{}/converse", model()).into(),
        (Wire::BedrockConverse, true) => format!("/model/{}/converse-stream", model()).into(),
        (Wire::BedrockInvoke | Wire::BedrockText, false) => {
            format!("/model/{}/invoke", model()).into()
        }
        (Wire::BedrockInvoke | Wire::BedrockText, true) => {
            format!("/model/{}/invoke-with-response-stream", model()).into()
        }
        (Wire::Gemini, false) => gemini(name, "generateContent").into(),
        (Wire::Gemini, true) => gemini(name, "streamGenerateContent?alt=sse").into(),
    }
}

/// Where Gemini takes a call of one of its methods. Tuned models are named with their collection.
pub fn gemini(name: &str, method: &str) -> String {
    match name.strip_prefix("tunedModels/") {
        Some(tuned) => format!("/v1beta/tunedModels/{}:{method}", escaped(tuned)),
        None => format!("/v1beta/models/{}:{method}", escaped(name)),
    }
}

/// As [RFC 3986 §2.1](https://www.rfc-editor.org/rfc/rfc3986#section-2.1) has it, with everything escaped that is not unreserved.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// What stands between the base URL and a path that is passed on: a client's path was taken without `/v1`, which is part of the base URL of
/// some dialects and not of others.
pub fn base(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Anthropic => "/v1",
        Dialect::OpenAI
        | Dialect::AzureOpenAI
        | Dialect::Ollama
        | Dialect::TGI
        | Dialect::Bedrock
        | Dialect::Gemini
        | Dialect::Custom => "",
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
        Dialect::OpenAI | Dialect::AzureOpenAI => true,
        Dialect::Anthropic => matches!(first, Some("messages" | "models" | "files" | "complete")),
        Dialect::Ollama => first == Some("api"),
        Dialect::TGI => matches!(first, Some("tokenize" | "chat_tokenize" | "invocations")),
        Dialect::Bedrock => matches!(first, Some("guardrail" | "async-invoke" | "model")),
        Dialect::Gemini => {
            first.is_some_and(|it| matches!(it, "models" | "upload") || is_googles_version(it))
        }
        // Its Mapper knows conversations and vectors.
        Dialect::Custom => false,
    }
}

/// The path of the list of models below the base URL; none of a dialect whose server has no list of what can be called.
pub fn models(dialect: Dialect) -> Option<&'static str> {
    match dialect {
        Dialect::OpenAI => Some("/models"),
        Dialect::Anthropic => Some("/v1/models?limit=1000"),
        Dialect::Ollama => Some("/api/tags"),
        Dialect::TGI => Some("/info"),
        Dialect::Gemini => Some("/v1beta/models?pageSize=1000"),
        // Azure lists models and not deployments, Bedrock's runtime none.
        Dialect::AzureOpenAI | Dialect::Bedrock | Dialect::Custom => None,
    }
}

/// Adds the headers without which a dialect's server answers nothing.
pub fn needs(dialect: Dialect, headers: &mut HeaderMap) {
    if dialect == Dialect::Anthropic && !headers.contains_key(&VERSION) {
        headers.insert(VERSION.clone(), ANTHROPIC_VERSION);
    }
}
