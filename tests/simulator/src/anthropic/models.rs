//! The model list, in pages.
//!
//! Source: [list models](https://platform.claude.com/docs/en/api/models/list).

use http::StatusCode;
use serde_json::{Value, json};

use super::check;
use crate::{openai, refusal::Refusal};

/// Models of a page unless the request says otherwise.
const PAGE: usize = 20;

/// One entry, by the last segment of its path.
pub(super) fn find(entries: &[Value], segment: &str) -> Result<Value, Refusal> {
    match openai::find(entries, segment) {
        Ok(found) => Ok(entry(&found)),
        Err(_) => Err(Refusal::new(
            StatusCode::NOT_FOUND,
            format!("model: {segment}"),
        )),
    }
}

/// The page that the query asks for.
pub(super) fn page(entries: &[Value], query: &str) -> Result<Value, Refusal> {
    let given = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs
            .find(|(key, _)| *key == name)
            .map(|(_, value)| openai::decoded(value))
    };
    let limit = match given("limit") {
        None => PAGE,
        Some(limit) => limit
            .parse()
            .ok()
            .filter(|limit| (1..=1000).contains(limit))
            .ok_or_else(|| check::refused("limit", "range: 1..1000"))?,
    };
    let place = |id: &str| entries.iter().position(|entry| entry["id"] == id);
    let (start, end) = if let Some(id) = given("before_id") {
        let end = place(&id).ok_or_else(|| check::refused("before_id", "not found"))?;
        (end.saturating_sub(limit), end)
    } else {
        let start = match given("after_id") {
            Some(id) => place(&id).ok_or_else(|| check::refused("after_id", "not found"))? + 1,
            None => 0,
        };
        (start, entries.len().min(start + limit))
    };
    let backward = given("before_id").is_some();
    let data: Vec<_> = entries[start..end].iter().map(entry).collect();
    let id = |entry: Option<&Value>| entry.map_or(Value::Null, |entry| entry["id"].clone());
    let (first, last) = (id(data.first()), id(data.last()));
    Ok(json!({
        "data": data,
        "has_more": if backward { start > 0 } else { end < entries.len() },
        "first_id": first,
        "last_id": last,
    }))
}

/// An entry in this dialect. What it has beyond OpenAI's fields stays.
fn entry(listed: &Value) -> Value {
    let mut entry = json!({
        "type": "model",
        "id": listed["id"],
        "display_name": listed["id"],
        "created_at": "2023-11-14T22:13:20Z",
    });
    for (name, value) in listed.as_object().into_iter().flatten() {
        if !["object", "created", "owned_by"].contains(&name.as_str()) {
            entry[name] = value.clone();
        }
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(page: &Value) -> Vec<&str> {
        let data = page["data"].as_array().unwrap();
        data.iter()
            .filter_map(|entry| entry["id"].as_str())
            .collect()
    }

    #[test]
    fn pages_join_to_the_whole_list() {
        let entries: Vec<_> = (0..45).map(|at| openai::entry(&format!("m{at}"))).collect();
        let (mut seen, mut query) = (0, String::new());
        loop {
            let page = page(&entries, &query).unwrap();
            seen += ids(&page).len();
            if page["has_more"] == false {
                break;
            }
            query = format!("after_id={}", page["last_id"].as_str().unwrap());
        }
        assert_eq!(seen, 45);
        let before = page(&entries, "before_id=m3&limit=2").unwrap();
        assert_eq!(
            (ids(&before), &before["has_more"]),
            (vec!["m1", "m2"], &json!(true))
        );
        assert!(page(&entries, "limit=0").is_err());
        assert_eq!(page(&[], "").unwrap()["first_id"], Value::Null);
    }
}
