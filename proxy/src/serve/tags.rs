//! The tag that a name has for Ollama's clients though nobody gave it one: `:latest`.
//!
//! Ollama lists every model with a tag and takes a name without one as its `latest`, so that clients add that tag themselves before they call
//! or look a name up in the list ([Open WebUI](https://github.com/open-webui/open-webui/blob/main/backend/open_webui/routers/ollama.py) does both).
//! Other servers know no tags: there the name is meant as it is without.

use std::borrow::Cow;

use dragoman_config::cel::Facts;
use dragoman_config::names::{Names, Refusal, Step};
use dragoman_crds::Dialect;

use super::path::Operation;
use crate::state::listing::LATEST;
use crate::state::route::Route;

/// A name as Ollama's clients are shown it.
pub(crate) fn tagged(name: &str) -> Cow<'_, str> {
    if name.contains(':') {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(format!("{name}{LATEST}"))
    }
}

/// What a call of `name` comes to. One of Ollama's clients that calls the `latest` of a name means the name itself, unless the map or a
/// catalog knows the tag, or only servers of Ollama are there, which know it too.
///
/// # Errors
/// As [`Names::resolve`].
pub(crate) fn resolve<'m>(
    names: &'m Names,
    route: &Route,
    operation: Operation<'_>,
    name: &'m str,
    facts: &dyn Facts,
) -> Result<Vec<Step<'m>>, Refusal> {
    let steps = names.resolve(name, facts);
    let Some(untagged) = name
        .strip_suffix(LATEST)
        .filter(|_| is_ollamas(operation) && !is_known(route, name))
    else {
        return steps;
    };
    match &steps {
        Ok(steps) if !is_untouched(steps, name) => {}
        _ => {
            if let Ok(meant) = names.resolve(untagged, facts) {
                return Ok(meant);
            }
        }
    }
    steps
}

fn is_ollamas(operation: Operation<'_>) -> bool {
    matches!(
        operation,
        Operation::OllamaChat
            | Operation::OllamaGenerate
            | Operation::OllamaEmbed
            | Operation::OllamaEmbeddings
    )
}

/// Whether all backends know what the tag is, or one has it in its catalog.
fn is_known(route: &Route, name: &str) -> bool {
    let mut usable = route
        .backends
        .iter()
        .filter_map(|it| it.backend.as_ref().ok());
    usable.all(|backend| backend.dialect == Dialect::Ollama)
        || route.backends.iter().any(|entry| {
            let bare = entry.names.bare(name);
            bare.is_some_and(|bare| entry.names.catalogued(bare))
        })
}

/// Whether no rule said anything of the name.
fn is_untouched(steps: &[Step<'_>], name: &str) -> bool {
    matches!(steps, [Step { model, backend: None, defaults: None, overrides: None }] if model == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_tag_for_ollamas_clients() {
        for (name, shown) in [
            ("gpt-4o", "gpt-4o:latest"),
            ("org/llama", "org/llama:latest"),
            ("llama3:8b", "llama3:8b"),
            ("llama3:latest", "llama3:latest"),
        ] {
            assert_eq!(tagged(name), shown);
        }
    }
}
