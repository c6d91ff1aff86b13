//! Requests as the log may tell them: without what only their senders should know.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

/// What stands in a secret's place.
pub(crate) const MASK: &str = "[masked]";
/// The same behind what stands before it.
const BEHIND: &str = "${1}[masked]";

/// Words in the names of headers, parameters of queries and members of bodies whose values are secrets.
const SECRET: [&str; 12] = [
    "auth",
    "cookie",
    "credential",
    "jwt",
    "key",
    "passw",
    "secret",
    "session",
    "sig",
    "token",
    "x-amz-security",
    "apikey",
];
/// Names that have such a word in them and tell no secret.
const PLAIN: [&str; 9] = [
    ":authority",
    "authority",
    "idempotency-key",
    "max_tokens",
    "sec-websocket-key",
    "x-amzn-bedrock-input-token-count",
    "x-amzn-bedrock-output-token-count",
    "www-authenticate",
    "x-stainless-runtime",
];

static SECRETS: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(&format!("(?i-u:{})", SECRET.join("|"))).ok());

/// Whether a header or parameter of this name holds a secret, as far as its name tells.
pub(crate) fn is_secret(name: &str) -> bool {
    // A word that could not be looked for would be a secret told.
    SECRETS.as_ref().is_none_or(|words| words.is_match(name))
        && !PLAIN.iter().any(|plain| plain.eq_ignore_ascii_case(name))
}

/// Texts that are keys wherever they stand: of model servers, of AWS, and JSON Web Tokens.
///
/// Sources: what OpenAI, Anthropic, Google, Groq, Hugging Face, GitHub and xAI make their keys begin with;
/// [IAM's unique ids](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-prefixes);
/// [RFC 7519 §3](https://www.rfc-editor.org/rfc/rfc7519#section-3): three parts of Base64url, the first of which is a JSON object.
const SHAPES: &str = r"(?x:
    (?:sk|pk|gsk|xai|hf|ghp|gho|github_pat)[-_][A-Za-z0-9_-]{8,}
    | AIza[A-Za-z0-9_-]{30,}
    | (?:AKIA|ASIA)[A-Z0-9]{12,}
    | eyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]*
    | (?i:bearer\ +)[A-Za-z0-9._~+/=-]{8,})";
static KEYS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(&format!(r"\b{SHAPES}")).ok());
/// The same behind what JSON writes for the end of a line, whose last letter is one of a word.
static KEYS_OF_JSON: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(&format!(r"(\\[bfnrt]){SHAPES}")).ok());

/// A text without what is a key by its looks.
pub(crate) fn text(text: Cow<'_, str>) -> Cow<'_, str> {
    let text = replaced(text, KEYS.as_ref(), MASK);
    if memchr::memchr(b'\\', text.as_bytes()).is_none() {
        return text;
    }
    replaced(text, KEYS_OF_JSON.as_ref(), BEHIND)
}

fn replaced<'t>(text: Cow<'t, str>, keys: Option<&Regex>, mask: &str) -> Cow<'t, str> {
    match keys.map(|keys| keys.replace_all(&text, mask)) {
        Some(Cow::Owned(masked)) => Cow::Owned(masked),
        _ => text,
    }
}

/// Path and query of a target, values of secret parameters masked.
pub(crate) fn target(path: &str, query: Option<&str>) -> String {
    let path = text(path.into());
    let Some(query) = query else {
        return path.into_owned();
    };
    let mut shown = path.into_owned();
    let mut mark = '?';
    for parameter in query.split('&') {
        shown.push(mark);
        mark = '&';
        match parameter.split_once('=') {
            Some((name, _)) if is_secret(&decoded(name)) => {
                shown.push_str(name);
                shown.push('=');
                shown.push_str(MASK);
            }
            _ => shown.push_str(&text(parameter.into())),
        }
    }
    shown
}

/// A parameter's name as servers read it.
fn decoded(name: &str) -> Cow<'_, str> {
    crate::serve::path::percent_decode(name)
}

/// A URL without whoever logs in by it, secret parameters masked.
pub(crate) fn url(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return text(url.into()).into_owned();
    };
    let authority = rest.find(['/', '?']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(authority);
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let (path, query) = match path.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path, None),
    };
    format!("{scheme}://{host}{}", target(path, query))
}

/// Headers as they were noted (see [`super::Draft`]), values of secret ones masked.
pub(crate) fn headers(noted: &[u8]) -> Vec<(String, String)> {
    let lines = noted.split(|byte| *byte == b'\n');
    let pairs = lines.filter_map(|line| {
        // The name of a pseudo-header begins with one.
        let at = 1 + line.get(1..)?.iter().position(|byte| *byte == b':')?;
        let (name, value) = (line.get(..at)?, line.get(at + 1..)?);
        let (name, value) = (
            String::from_utf8_lossy(name),
            String::from_utf8_lossy(value),
        );
        let value = if is_secret(&name) {
            masked(&value)
        } else {
            text(value).into_owned()
        };
        Some((name.into_owned(), value))
    });
    pairs.collect()
}

/// A credential's scheme is no secret, and tells what kind it was.
fn masked(value: &str) -> String {
    let scheme = value.split_once(' ').map(|(scheme, _)| scheme);
    let known = |scheme: &&str| {
        ["bearer", "basic", "digest", "aws4-hmac-sha256"].contains(&&*scheme.to_ascii_lowercase())
    };
    match scheme.filter(known) {
        Some(scheme) => format!("{scheme} {MASK}"),
        None => MASK.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_keep_what_is_no_secret() {
        let noted = b"host:chat.team\nauthorization:Bearer abc:def\ncookie:a=b; c=d\nx-api-key:k\nx-note:my sk-ant-api03-abcdefgh\nidempotency-key:7\n";
        let shown = headers(noted);
        let shown: Vec<(&str, &str)> = shown
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect();
        assert_eq!(
            shown,
            [
                ("host", "chat.team"),
                ("authorization", "Bearer [masked]"),
                ("cookie", "[masked]"),
                ("x-api-key", "[masked]"),
                ("x-note", "my [masked]"),
                ("idempotency-key", "7"),
            ]
        );
    }

    #[test]
    fn keys_in_queries_are_masked_however_they_are_spelled() {
        assert_eq!(
            target(
                "/v1/models",
                Some("k%65y=AIza&alt=sse&api-version=1&$access_token=x")
            ),
            "/v1/models?k%65y=[masked]&alt=sse&api-version=1&$access_token=[masked]"
        );
        assert_eq!(target("/v1", None), "/v1");
    }

    #[test]
    fn a_url_tells_no_password() {
        assert_eq!(
            url("https://user:pass@llm.example/v1?key=a&b=c"),
            "https://llm.example/v1?key=[masked]&b=c"
        );
        assert_eq!(url("http://llm:8000"), "http://llm:8000");
    }

    #[test]
    fn what_looks_like_a_key_is_masked_in_any_text() {
        let told =
            "use sk-proj-abcdefghij or eyJhbGciOi.eyJzdWIiOi.c2ln, not task-force or disk-drive1";
        assert_eq!(
            text(told.into()),
            "use [masked] or [masked], not task-force or disk-drive1"
        );
        let told = r#"{"content":"keys:\nsk-proj-abcdefghij\r\n\tBearer abcdefghij \u000a"}"#;
        assert_eq!(
            text(told.into()),
            r#"{"content":"keys:\n[masked]\r\n\t[masked] \u000a"}"#
        );
    }
}
