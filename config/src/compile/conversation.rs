//! The Conversation API of a route, with its system prompts.

use std::collections::BTreeMap;

use dragoman_crds::Conversation;

use super::Findings;
use crate::world::{InputLookup, Lookup};
use crate::{ConversationItem, DEFAULT_PROMPT, Library, PromptsItem, reason};

/// The most bytes of a library: it travels with every route that uses it.
const LARGEST: usize = 256 << 10;
const FIELD: &str = "spec.conversation.promptsRef";

pub(super) fn conversation(
    spec: &Conversation,
    namespace: &str,
    world: &Lookup<'_>,
    findings: &mut Findings,
) -> ConversationItem {
    let prefix = spec.prefix.as_deref().unwrap_or("/api");
    let prefixes = ["/v1", "/routes"];
    let taken = prefixes.iter().find(|own| {
        let below = prefix.strip_prefix(**own);
        below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    if let Some(taken) = taken {
        let fault = format!("paths below {taken} mean something else; choose another prefix");
        findings.invalid("spec.conversation.prefix", fault);
    }
    let language = spec.default_language.as_deref().unwrap_or("en");
    let prompts = spec.prompts_ref.as_ref().map(|reference| {
        let map = format!("ConfigMap {namespace}/{}", reference.name);
        let read = match world.config_map(namespace, &reference.name) {
            InputLookup::Found(content) => library(&content.values, &map, language),
            InputLookup::Missing => Err((
                reason::CONFIG_MAP_NOT_FOUND,
                format!("{map} does not exist; create it with the key {:?}", key(language)),
            )),
            InputLookup::Pending => {
                // What is about to be read would come an instant after a version without it.
                findings.hold_back();
                Err((reason::PENDING, format!("{map} has not been read yet")))
            }
            InputLookup::Unreadable => Err((
                reason::CONFIG_MAP_UNREADABLE,
                format!("{map} could not be read from the API server; the operator goes on trying, and its log says why"),
            )),
        };
        match read {
            Ok(library) => PromptsItem::Library(library),
            Err((reason, fault)) => {
                let fault = format!("{FIELD}: {fault}");
                findings.unresolved(reason, fault.clone());
                PromptsItem::Unresolved(fault)
            }
        }
    });
    ConversationItem {
        prefix: prefix.to_owned(),
        language: language.to_owned(),
        prompts,
    }
}

/// The key of the prompt of requests that name none.
fn key(language: &str) -> String {
    format!("{language}.{DEFAULT_PROMPT}.prompt")
}

/// Sorts a ConfigMap's prompts by language and name.
fn library(
    data: &BTreeMap<String, Vec<u8>>,
    map: &str,
    language: &str,
) -> Result<Library, (&'static str, String)> {
    let invalid = |fault: String| (reason::CONFIG_MAP_INVALID, format!("{map}: {fault}"));
    let mut library = Library::new();
    let mut bytes = 0;
    for (key, value) in data {
        let Some(name) = key.strip_suffix(".prompt") else {
            continue;
        };
        let Some((language, name)) = name.split_once('.') else {
            return Err(invalid(format!(
                "the key {key:?} names no language; write <language>.<name>.prompt"
            )));
        };
        let text = std::str::from_utf8(value)
            .map_err(|_| invalid(format!("the value of {key:?} is not text")))?;
        bytes += key.len() + text.len();
        let prompts = library.entry(language.to_owned()).or_default();
        prompts.insert(name.to_owned(), text.trim_end().to_owned());
    }
    if bytes > LARGEST {
        return Err(invalid(format!(
            "its prompts are {bytes} bytes, more than {LARGEST}; make them shorter, or fewer"
        )));
    }
    let default = library
        .get(language)
        .map(|it| it.contains_key(DEFAULT_PROMPT));
    if default != Some(true) {
        return Err((
            reason::CONFIG_MAP_KEY_MISSING,
            format!(
                "{map} has no key {:?}, the prompt of requests that name none; add it, or set spec.conversation.defaultLanguage to a language that has it",
                key(language)
            ),
        ));
    }
    Ok(library)
}
