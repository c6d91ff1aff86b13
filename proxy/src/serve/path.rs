//! The path of a request: made plain, so that no spelling of it leads elsewhere than it was judged for, and classified.
//!
//! Source: [RFC 3986 §6.2.2](https://www.rfc-editor.org/rfc/rfc3986#section-6.2.2). Doubled slashes, which base URLs with a
//! trailing slash make, are taken as one, and escapes of what needs none are decoded. What servers read in different ways is refused: dot segments (also
//! encoded, also with `;` parameters), encoded slashes, backslashes and control characters.

use std::borrow::Cow;

use dragoman_dialects::Wire;
use http::{HeaderMap, HeaderName};

use crate::state::dialect;

/// Why a path is refused. The client's fault; a retry does not help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the path {0}; send it as it is meant")]
pub struct Ambiguous(&'static str);

/// The path with single slashes.
///
/// # Errors
/// [`Ambiguous`] when servers could disagree on what it names.
pub fn plain(path: &str) -> Result<Cow<'_, str>, Ambiguous> {
    if !path.starts_with('/') {
        return Err(Ambiguous("does not begin with a slash"));
    }
    if memchr::memchr2(b'%', b'\\', path.as_bytes()).is_some() {
        judge_escapes(path.as_bytes())?;
        if let Cow::Owned(unescaped) = unescape_unreserved(path) {
            return plain(&unescaped).map(|path| Cow::Owned(path.into_owned()));
        }
    }
    let mut doubled = false;
    for segment in path[1..].split('/') {
        doubled |= segment.is_empty();
        if is_dots(segment) {
            return Err(Ambiguous("has a `.` or `..` segment"));
        }
    }
    // An empty last segment is a trailing slash, which stays.
    if !doubled || !path.contains("//") {
        return Ok(Cow::Borrowed(path));
    }
    let mut single = String::with_capacity(path.len());
    for character in path.chars() {
        if character != '/' || !single.ends_with('/') {
            single.push(character);
        }
    }
    Ok(Cow::Owned(single))
}

fn judge_escapes(bytes: &[u8]) -> Result<(), Ambiguous> {
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'\\' => return Err(Ambiguous("has a backslash")),
            b'%' => match decoded(bytes, at) {
                None => return Err(Ambiguous("has a `%` without two hexadecimal digits")),
                Some(b'\\') => return Err(Ambiguous("has an encoded backslash")),
                Some(0..0x20 | 0x7f) => return Err(Ambiguous("has an encoded control character")),
                Some(_) => {}
            },
            _ => {}
        }
    }
    Ok(())
}

/// Decodes what needs no escape, so that a name has one spelling: RFC 3986 §6.2.2.2. Nothing that this yields is an escape again.
fn unescape_unreserved(path: &str) -> Cow<'_, str> {
    let bytes = path.as_bytes();
    let unreserved = |at: usize| {
        let byte = decoded(bytes, at).filter(|_| bytes[at] == b'%')?;
        (byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)).then_some(byte)
    };
    if memchr::memchr_iter(b'%', bytes).all(|at| unreserved(at).is_none()) {
        return Cow::Borrowed(path);
    }
    let mut out = String::with_capacity(path.len());
    let mut from = 0;
    for at in memchr::memchr_iter(b'%', bytes) {
        if let Some(byte) = unreserved(at) {
            out.push_str(&path[from..at]);
            out.push(char::from(byte));
            from = at + 3;
        }
    }
    out.push_str(&path[from..]);
    Cow::Owned(out)
}

/// Whether a segment means `.` or `..` once decoded and without `;` parameters.
fn is_dots(segment: &str) -> bool {
    if !segment.starts_with(['.', '%']) {
        return false;
    }
    let text = percent_decode(segment);
    matches!(text.split(';').next(), Some("." | ".."))
}

fn decoded(bytes: &[u8], at: usize) -> Option<u8> {
    let digit = |at: usize| char::from(*bytes.get(at)?).to_digit(16);
    u8::try_from(digit(at + 1)? * 16 + digit(at + 2)?).ok()
}

/// Whether a path has an encoded slash, which only a model's id may.
pub fn has_encoded_slash(path: &str) -> bool {
    let bytes = path.as_bytes();
    memchr::memchr_iter(b'%', bytes).any(|at| decoded(bytes, at) == Some(b'/'))
}

/// The text with its escapes decoded once. What is no UTF-8 then reads as U+FFFD.
pub fn percent_decode(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    if memchr::memchr(b'%', bytes).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match (byte, decoded(bytes, at)) {
            (b'%', Some(value)) => {
                out.push(value);
                at += 3;
            }
            _ => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}

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
    fn a_plain_path_is_borrowed_and_doubled_slashes_are_one() {
        assert!(matches!(
            plain("/v1/chat/completions"),
            Ok(Cow::Borrowed(_))
        ));
        assert!(matches!(
            plain("/v1/files/"),
            Ok(Cow::Borrowed("/v1/files/"))
        ));
        assert_eq!(
            plain("/v1//chat///completions").unwrap(),
            "/v1/chat/completions"
        );
        assert_eq!(plain("//").unwrap(), "/");
    }

    #[test]
    fn a_name_has_one_spelling() {
        assert_eq!(
            plain("/v1/f%69les/%7Ea%2D%2fb").unwrap(),
            "/v1/files/~a-%2fb"
        );
        assert_eq!(plain("/a%20b%2541").unwrap(), "/a%20b%2541");
        assert_eq!(
            classify(after_base(&plain("/v1/%63hat/completions/").unwrap())),
            Operation::Chat
        );
    }

    #[test]
    fn no_spelling_climbs_out_of_the_base_path() {
        for path in [
            "/v1/../admin",
            "/..",
            "/v1/.",
            "/v1/%2e%2e/admin",
            "/v1/.%2E/admin",
            "/v1/%2e/admin",
            "/v1/..;x=1/admin",
            "/v1/%2e%2e%3bx/admin",
            "/v1/..%5cadmin",
            "/v1\\..\\admin",
            "/v1/a%00b",
            "/v1/%0d%0a",
            "/v1/%zz",
            "*",
            "v1/models",
        ] {
            assert!(plain(path).is_err(), "{path}");
        }
    }

    #[test]
    fn dots_within_a_name_are_a_name() {
        for path in [
            "/v1/models/gpt-3.5",
            "/v1/files/..a",
            "/v1/files/a..",
            "/.well-known",
            "/a%20b",
        ] {
            assert!(plain(path).is_ok(), "{path}");
        }
    }

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

    #[test]
    fn an_encoded_slash_is_seen_in_either_case() {
        assert!(has_encoded_slash("/a%2fb") && has_encoded_slash("/a%2Fb"));
        assert!(!has_encoded_slash("/a%252fb"));
        assert_eq!(percent_decode("a%2Fb%20c"), "a/b c");
    }
}
