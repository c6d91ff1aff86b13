//! The models, in pages.
//!
//! Source: [models](https://ai.google.dev/api/models).

use http::StatusCode;
use serde_json::{Value, json};

use crate::{openai, refusal::Refusal};

/// Models of a page unless the request says otherwise, and the most of one.
const PAGE: usize = 50;
const MOST: usize = 1000;

/// One entry, by its name.
pub(super) fn find(entries: &[Value], name: &str) -> Result<Value, Refusal> {
    match openai::find(entries, name) {
        Ok(found) => Ok(entry(&found)),
        Err(_) => Err(Refusal::new(
            StatusCode::NOT_FOUND,
            format!("Model is not found: models/{name} for api version v1beta"),
        )),
    }
}

/// The page that the query asks for. A token is where it starts.
pub(super) fn page(entries: &[Value], query: &str) -> Result<Value, Refusal> {
    let given = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    };
    let bad = |message: String| Refusal::new(StatusCode::BAD_REQUEST, message);
    let size = match given("pageSize") {
        None => PAGE,
        Some(size) => match size.parse() {
            Ok(0) => PAGE,
            Ok(size) => MOST.min(size),
            Err(_) => {
                let message = format!("Invalid value at 'page_size' (TYPE_INT32), \"{size}\"");
                return Err(bad(message).param("page_size"));
            }
        },
    };
    let start = match given("pageToken") {
        None | Some("") => 0,
        Some(token) => {
            let start = token.strip_prefix("page-").and_then(|at| at.parse().ok());
            let start = start.filter(|start| *start <= entries.len());
            start.ok_or_else(|| bad("Request contains an invalid argument.".into()))?
        }
    };
    let end = entries.len().min(start.saturating_add(size));
    let models: Vec<_> = entries[start..end].iter().map(entry).collect();
    let mut page = json!({"models": models});
    if end < entries.len() {
        page["nextPageToken"] = format!("page-{end}").into();
    }
    Ok(page)
}

/// An entry in this dialect. What it has beyond OpenAI's fields stays.
fn entry(listed: &Value) -> Value {
    let id = listed["id"].as_str().unwrap_or_default();
    let mut entry = json!({
        "name": format!("models/{id}"),
        "version": "001",
        "displayName": id,
        "description": "Simulated.",
        "inputTokenLimit": 1_048_576,
        "outputTokenLimit": 65_536,
        "supportedGenerationMethods": ["generateContent", "countTokens", "embedContent"],
        "temperature": 1,
        "topP": 0.95,
        "topK": 64,
        "maxTemperature": 2,
        "thinking": true,
    });
    for (name, value) in listed.as_object().into_iter().flatten() {
        if !["id", "object", "created", "owned_by"].contains(&name.as_str()) {
            entry[name] = value.clone();
        }
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_join_to_the_whole_list() {
        let entries: Vec<_> = (0..45).map(|at| openai::entry(&format!("m{at}"))).collect();
        let (mut seen, mut query) = (0, "pageSize=20".to_owned());
        loop {
            let page = page(&entries, &query).unwrap();
            let models = page["models"].as_array().unwrap();
            assert_eq!(models[0]["name"], format!("models/m{seen}"));
            seen += models.len();
            let Some(token) = page["nextPageToken"].as_str() else {
                break;
            };
            query = format!("pageToken={token}&pageSize=20");
        }
        assert_eq!(seen, 45);
        assert!(page(&entries, "pageToken=else").is_err());
    }
}
