//! An upstream's list of models, in whatever dialect, as entries in OpenAI's shape with whatever else it says.
//!
//! Sources: [OpenAI's list](https://platform.openai.com/docs/api-reference/models), [Anthropic's](https://docs.claude.com/en/api/models-list),
//! [Ollama's](https://docs.ollama.com/api/tags), [Gemini's](https://ai.google.dev/api/models#method:-models.list), and what
//! [TGI](https://huggingface.github.io/text-generation-inference/) says of its one model.

use bytes::Bytes;
use dragoman_config::names::Entry;
use dragoman_crds::Dialect;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::state::dialect::escaped;

/// One page of a list.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// Its entries, each with an `id`.
    pub(crate) entries: Vec<Entry>,
    /// What the query for the next page says besides; none on the last.
    pub(crate) next: Option<String>,
}

/// Reads a page; none if it is not what the dialect says.
pub(crate) fn read(dialect: Dialect, body: &Bytes) -> Option<Page> {
    match dialect {
        Dialect::OpenAI => openai(body),
        Dialect::Anthropic => anthropic(body),
        Dialect::Ollama => ollama(body),
        Dialect::TGI => tgi(body),
        Dialect::Gemini => gemini(body),
        Dialect::AzureOpenAI | Dialect::Bedrock | Dialect::Custom => None,
    }
}

fn openai(body: &[u8]) -> Option<Page> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Shape {
        Listed { data: Vec<Entry> },
        Bare(Vec<Entry>),
    }
    let (Shape::Listed { data: entries } | Shape::Bare(entries)) =
        serde_json::from_slice(body).ok()?;
    Some(Page {
        entries,
        next: None,
    })
}

fn anthropic(body: &[u8]) -> Option<Page> {
    #[derive(Deserialize)]
    struct Shape {
        data: Vec<Entry>,
        #[serde(default)]
        has_more: bool,
        #[serde(default)]
        last_id: Option<String>,
    }
    let Shape {
        data,
        has_more,
        last_id,
    } = serde_json::from_slice(body).ok()?;
    let entry = |mut given: Entry| {
        let id = word(&mut given, &["id"])?;
        let created = time(&given, "created_at");
        given.shift_remove("type");
        let length = given.get("max_input_tokens").and_then(Value::as_u64);
        if let Some(length) = length.filter(|length| *length > 0) {
            given
                .entry("context_length")
                .or_insert_with(|| length.into());
        }
        Some(shaped(id, created, "anthropic".into(), given))
    };
    Some(Page {
        entries: data.into_iter().filter_map(entry).collect(),
        next: last_id
            .filter(|_| has_more)
            .map(|id| format!("after_id={}", escaped(&id))),
    })
}

fn ollama(body: &[u8]) -> Option<Page> {
    #[derive(Deserialize)]
    struct Shape {
        // An Ollama without models says null.
        models: Option<Vec<Entry>>,
    }
    let Shape { models } = serde_json::from_slice(body).ok()?;
    let entry = |mut given: Entry| {
        let id = word(&mut given, &["model", "name"])?;
        let created = time(&given, "modified_at");
        // What tells where a model runs is not for clients.
        for name in ["modified_at", "remote_host", "remote_model"] {
            given.shift_remove(name);
        }
        if let Some(Value::Object(details)) = given.get_mut("details") {
            // It may be a path on the server.
            details.shift_remove("parent_model");
        }
        // As Ollama's own list in OpenAI's shape says it.
        let owner = id.split_once('/').map_or("library", |(owner, _)| owner);
        let owner = owner.to_owned();
        Some(shaped(id, created, owner, given))
    };
    Some(Page {
        entries: models
            .unwrap_or_default()
            .into_iter()
            .filter_map(entry)
            .collect(),
        next: None,
    })
}

/// The one model that a server of TGI's has.
fn tgi(body: &[u8]) -> Option<Page> {
    let mut info: Entry = serde_json::from_slice(body).ok()?;
    let id = word(&mut info, &["model_id"])?;
    let length = info.get("max_total_tokens").and_then(Value::as_u64);
    let rest = length.map(|length| ("context_length".to_owned(), length.into()));
    let owner = id
        .split_once('/')
        .map_or("tgi", |(owner, _)| owner)
        .to_owned();
    Some(Page {
        entries: vec![shaped(id, None, owner, rest.into_iter().collect())],
        next: None,
    })
}

fn gemini(body: &[u8]) -> Option<Page> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Shape {
        #[serde(default)]
        models: Vec<Entry>,
        #[serde(default)]
        next_page_token: Option<String>,
    }
    let Shape {
        models,
        next_page_token,
    } = serde_json::from_slice(body).ok()?;
    let entry = |mut given: Entry| {
        let name = word(&mut given, &["name"])?;
        // Tuned models keep their collection, without which they cannot be called.
        let id = name.strip_prefix("models/").unwrap_or(&name).to_owned();
        let length = given.get("inputTokenLimit").and_then(Value::as_u64);
        if let Some(length) = length {
            given
                .entry("context_length")
                .or_insert_with(|| length.into());
        }
        Some(shaped(id, None, "google".into(), given))
    };
    Some(Page {
        entries: models.into_iter().filter_map(entry).collect(),
        next: next_page_token
            .filter(|token| !token.is_empty())
            .map(|token| format!("pageToken={}", escaped(&token))),
    })
}

/// Takes all these fields out, and gives the first that is a text with something in it.
fn word(given: &mut Entry, names: &[&str]) -> Option<String> {
    let mut found = None;
    for name in names {
        let value = given.shift_remove(*name);
        if let (None, Some(Value::String(text))) = (&found, value)
            && !text.is_empty()
        {
            found = Some(text);
        }
    }
    found
}

fn time(given: &Entry, name: &str) -> Option<i64> {
    let at: Timestamp = given.get(name)?.as_str()?.parse().ok()?;
    Some(at.as_second())
}

fn shaped(id: String, created: Option<i64>, owner: String, rest: Entry) -> Entry {
    let mut entry = Entry::from_iter([
        ("id".to_owned(), id.into()),
        ("object".to_owned(), "model".into()),
        ("created".to_owned(), created.unwrap_or(0).into()),
        ("owned_by".to_owned(), owner.into()),
    ]);
    for (name, value) in rest {
        entry.entry(name).or_insert(value);
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(dialect: Dialect, body: &str) -> String {
        let page = read(dialect, &Bytes::from(body.to_owned())).unwrap();
        serde_json::to_string(&page.entries).unwrap()
    }

    #[test]
    fn a_list_is_read_with_all_its_fields_in_their_order() {
        let body = r#"{"object":"list","data":[{"z":1,"id":"a","permission":[{}]}]}"#;
        assert_eq!(
            entries(Dialect::OpenAI, body),
            r#"[{"z":1,"id":"a","permission":[{}]}]"#
        );
        assert_eq!(
            entries(Dialect::OpenAI, r#"[{"id":"a"}]"#),
            r#"[{"id":"a"}]"#
        );
        for dialect in [Dialect::OpenAI, Dialect::Anthropic, Dialect::Ollama] {
            assert!(read(dialect, &"<html>".into()).is_none());
        }
    }

    #[test]
    fn anthropics_entries_keep_what_openais_have_no_word_for_and_say_where_the_next_page_begins() {
        let body = r#"{"data":[{"type":"model","id":"claude","display_name":"Claude","created_at":"1970-01-01T00:01:00Z","max_input_tokens":9},{"type":"model"}],"has_more":true,"first_id":"claude","last_id":"a/b c&d"}"#;
        assert_eq!(
            entries(Dialect::Anthropic, body),
            r#"[{"id":"claude","object":"model","created":60,"owned_by":"anthropic","display_name":"Claude","created_at":"1970-01-01T00:01:00Z","max_input_tokens":9,"context_length":9}]"#
        );
        let page = read(Dialect::Anthropic, &body.into()).unwrap();
        assert_eq!(page.next.as_deref(), Some("after_id=a%2Fb%20c%26d"));
        let last = r#"{"data":[],"has_more":false,"last_id":"x"}"#;
        assert_eq!(read(Dialect::Anthropic, &last.into()).unwrap().next, None);
    }

    #[test]
    fn ollamas_entries_do_not_tell_where_a_model_runs() {
        let body = r#"{"models":[{"name":"llama3:latest","model":"llama3:latest","modified_at":"1970-01-01T02:01:00.5+02:00","size":7,"digest":"d","details":{"parent_model":"/root/x","family":"llama"},"remote_host":"https://ollama.com:443","remote_model":"x"},{"name":"me/own"}]}"#;
        assert_eq!(
            entries(Dialect::Ollama, body),
            r#"[{"id":"llama3:latest","object":"model","created":60,"owned_by":"library","size":7,"digest":"d","details":{"family":"llama"}},{"id":"me/own","object":"model","created":0,"owned_by":"me"}]"#
        );
        assert_eq!(entries(Dialect::Ollama, r#"{"models":null}"#), "[]");
    }
}
