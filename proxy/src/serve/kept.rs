//! What lies with a vendor under our key, and no request may reach through its body: other teams put it there.
//!
//! - OpenAI and Azure keep files, vector stores, containers, skills, prompts, conversations and responses
//!   ([responses](https://platform.openai.com/docs/api-reference/responses/create)), and what a model once said aloud
//!   ([chat](https://platform.openai.com/docs/api-reference/chat/create)) or with a voice that was made for somebody
//!   ([speech](https://platform.openai.com/docs/api-reference/audio/createSpeech)). Azure also reads
//!   [data sources](https://learn.microsoft.com/azure/ai-services/openai/references/on-your-data) with its resource's identity.
//! - Anthropic keeps [files](https://platform.claude.com/docs/en/build-with-claude/files), containers and
//!   [skills](https://platform.claude.com/docs/en/build-with-claude/skills-guide), of which those of the type `anthropic` are everybody's.
//! - Bedrock reads [S3](https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_S3Location.html) with the identity that signs, and
//!   a [prompt's ARN](https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-management.html) in place of a model is a prompt that somebody keeps.
//! - Gemini has [caches](https://ai.google.dev/api/caching), [files](https://ai.google.dev/api/files) and
//!   [stores to search](https://ai.google.dev/gemini-api/docs/file-search) of each key.
//!
//! A backend without a credential of ours has nothing of ours, and one whose `relay` lists the call's own path says that it may be so. The one scan of a
//! client's body notes whether a name stands in it that could lead there, or names another model ([`scan`]); only such a body is looked into.
//!
//! An item of reasoning that a client sends again is named by its id too, and has to be: OpenAI asks for it back.

use dragoman_config::names::Step;
use dragoman_crds::Dialect;
use http::StatusCode;

use super::admission::may_name;
use super::dispatch::Asked;
use super::error::{Refusal, bounded};
use crate::json::{self, Malformed, Members, lexer, string};
use crate::state::backend::Backend;

/// Whether a body may lead to what is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suspect {
    /// No name in it does, and none but the own `model` may name one.
    No,
    /// It is to be looked into.
    Maybe,
}

/// Scans a client's body as [`json::scan_each`] does, whose own members `each` is shown. `responses`: whether it asks for a response, whose items have ids.
///
/// # Errors
/// As for [`json::scan_each`].
pub(crate) fn scan<'k, 'b, K: AsRef<str>>(
    body: &'b [u8],
    names: &'k [K],
    responses: bool,
    mut each: impl FnMut(&'b str),
) -> Result<(Members<'k, K>, Suspect), Malformed> {
    let mut suspect = Suspect::No;
    let members = json::scan_each(body, names, |name| {
        let written = name.written();
        if is_suspect(written, responses) || may_name(written, name.nested) {
            suspect = Suspect::Maybe;
        }
        if !name.nested {
            each(written);
        }
    })?;
    Ok((members, suspect))
}

fn is_suspect(written: &str, responses: bool) -> bool {
    match written {
        "audio"
        | "cachedContent"
        | "cached_content"
        | "container"
        | "container_id"
        | "conversation"
        | "dataSources"
        | "data_sources"
        | "fileSearchStoreNames"
        | "fileUri"
        | "file_id"
        | "file_ids"
        | "file_search_store_names"
        | "file_uri"
        | "previous_response_id"
        | "s3Location"
        | "skill_id"
        | "skills"
        | "vector_store_ids"
        | "voice" => true,
        // Names of plain texts elsewhere.
        "id" | "prompt" => responses,
        _ => memchr::memchr(b'\\', written.as_bytes()).is_some(),
    }
}

/// Judges what goes to a backend that knows the model as `model`, with what the route's map puts into it.
///
/// # Errors
/// 400, where it leads to what lies there under our key.
pub(crate) fn judge(
    asked: &Asked,
    backend: &Backend,
    model: &str,
    (body, suspect): (&[u8], Suspect),
    step: &Step<'_>,
) -> Result<(), Refusal> {
    let dialect = backend.dialect;
    let keeps = !matches!(dialect, Dialect::Ollama | Dialect::TGI | Dialect::Custom);
    if !keeps || !backend.has_own_credential() || backend.lists(&asked.method, &asked.path) {
        return Ok(());
    }
    let is_prompt =
        dialect == Dialect::Bedrock && model.starts_with("arn:") && model.contains(":prompt/");
    let of_client = || {
        (suspect == Suspect::Maybe)
            .then(|| found(dialect, body))
            .flatten()
    };
    let of_map = || {
        let put = [step.defaults, step.overrides].into_iter().flatten();
        put.filter_map(|put| serde_json::to_vec(put).ok())
            .find_map(|put| found(dialect, &put))
    };
    let what = is_prompt
        .then_some("model")
        .or_else(of_client)
        .or_else(of_map);
    let Some(what) = what else {
        return Ok(());
    };
    let message = format!(
        "{what:?} leads to what others of this key may own; LLMRoute {} allows it only at a backend without a credential of its own, or one whose spec.relay (LLMBackend) lists {} {}. Send the content itself.",
        asked.route().key,
        asked.method,
        bounded(&asked.path, 256),
    );
    Err(Refusal {
        param: Some(what.into()),
        ..Refusal::client(StatusCode::BAD_REQUEST, "kept_content", message)
    })
}

/// What in a body leads to what is kept. A body that cannot be read is refused by the vendor.
fn found(dialect: Dialect, body: &[u8]) -> Option<&'static str> {
    let text = std::str::from_utf8(body).ok()?;
    let (mut what, mut looks_from) = (None, 0);
    let each = |name: json::Name<'_>| {
        if what.is_some() || name.value < looks_from {
            return;
        }
        let value = At {
            text,
            at: name.value,
        };
        let name = string::decode(name.written());
        what = match dialect {
            _ if value.first() == b'n' => None,
            Dialect::OpenAI => openai(&name, value),
            Dialect::AzureOpenAI => openai(&name, value).or_else(|| azure(&name)),
            Dialect::Anthropic => anthropic(&name, value),
            Dialect::Bedrock => (name == "s3Location").then_some("s3Location"),
            Dialect::Gemini => gemini(&name, value),
            Dialect::Ollama | Dialect::TGI | Dialect::Custom => None,
        };
        if what.is_none() && is_the_applications(dialect, &name) {
            looks_from = lexer::value(body, value.at, 0).unwrap_or(body.len());
        }
    };
    json::scan_each::<&str>(body, &[], each).ok()?;
    what
}

/// Whether a member's value is the application's own, whatever names stand in it: schemas, arguments of its tools, its notes.
fn is_the_applications(dialect: Dialect, name: &str) -> bool {
    match dialect {
        Dialect::OpenAI | Dialect::AzureOpenAI => {
            matches!(name, "arguments" | "metadata" | "parameters" | "schema")
        }
        Dialect::Anthropic => matches!(name, "input" | "input_schema" | "metadata" | "schema"),
        _ => false,
    }
}

fn openai(name: &str, value: At<'_>) -> Option<&'static str> {
    let (text, list) = (value.first() == b'"', value.first() == b'[');
    match name {
        "file_id" => text.then_some("file_id"),
        "file_ids" => list.then_some("file_ids"),
        "vector_store_ids" => list.then_some("vector_store_ids"),
        "container" => text.then_some("container"),
        "container_id" => text.then_some("container_id"),
        "skill_id" => text.then_some("skill_id"),
        "previous_response_id" => Some("previous_response_id"),
        "conversation" => Some("conversation"),
        "prompt" => (value.first() == b'{').then_some("prompt"),
        "audio" => value.has("id").then_some("audio"),
        "voice" => value.has("id").then_some("voice"),
        "input" => value.items().find_map(item),
        _ => None,
    }
}

/// An item of a response's input that says no more than which it is.
fn item(item: At<'_>) -> Option<&'static str> {
    let kinds: Vec<_> = item.all("type").collect();
    let is = |kind: &str| {
        kinds
            .iter()
            .any(|said| said.text().as_deref() == Some(kind))
    };
    let untyped = kinds.iter().all(|kind| kind.first() == b'n');
    if is("item_reference") || (untyped && item.has("id") && !item.has("role")) {
        return Some("item_reference");
    }
    (is("image_generation_call") && !item.has("result")).then_some("image_generation_call")
}

fn azure(name: &str) -> Option<&'static str> {
    matches!(name, "data_sources" | "dataSources").then_some("data_sources")
}

fn anthropic(name: &str, value: At<'_>) -> Option<&'static str> {
    let text = value.first() == b'"';
    match name {
        "file_id" => text.then_some("file_id"),
        "container" => (text || value.has("id")).then_some("container"),
        "skills" => {
            let everybodys = |skill: At<'_>| {
                let mut kinds = skill.all("type").peekable();
                let known = kinds.peek().is_some();
                known && kinds.all(|kind| kind.text().as_deref() == Some("anthropic"))
            };
            value
                .items()
                .any(|skill| !everybodys(skill))
                .then_some("skills")
        }
        _ => None,
    }
}

fn gemini(name: &str, value: At<'_>) -> Option<&'static str> {
    match name {
        "cachedContent" | "cached_content" => Some("cachedContent"),
        "fileSearchStoreNames" | "file_search_store_names" => Some("fileSearchStoreNames"),
        "fileUri" | "file_uri" => {
            let uri = value.text()?;
            // Anybody's URL is anybody's; what Google keeps for a key is named by it.
            let own = uri.starts_with("files/")
                || uri.starts_with("gs:")
                || (uri.contains("googleapis.com") && uri.contains("files/"));
            own.then_some("fileUri")
        }
        _ => None,
    }
}

/// A value of a text that was scanned.
#[derive(Clone, Copy)]
struct At<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> At<'t> {
    /// Its first byte, which says its kind.
    fn first(self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(b'n')
    }

    /// What it says, if it is a string.
    fn text(self) -> Option<std::borrow::Cow<'t, str>> {
        let end = lexer::value(self.text.as_bytes(), self.at, 0).ok()?;
        string::read(self.text, self.at..end)
    }

    /// The values of its members of this name, if it is an object.
    fn all(self, name: &str) -> impl Iterator<Item = Self> {
        let names = [name];
        let range = self.at..self.text.len();
        let members = json::read(self.text, &range, &names);
        let starts: Vec<_> = members
            .iter()
            .flat_map(|members| members.all(name).map(|member| member.value.start))
            .collect();
        starts.into_iter().map(move |at| Self { at, ..self })
    }

    /// Whether it is an object that has a member of this name that is not null.
    fn has(self, name: &str) -> bool {
        self.all(name).any(|value| value.first() != b'n')
    }

    /// Its elements, if it is an array.
    fn items(self) -> impl Iterator<Item = Self> {
        let range = self.at..self.text.len();
        let elements = json::elements(self.text, &range).into_iter().flatten();
        elements.map_while(Result::ok).map(move |range| Self {
            at: range.start,
            ..self
        })
    }
}

#[cfg(test)]
mod tests;
