//! Ollama's lists: tags, show, ps, and its version.
//!
//! Source: [tags](https://docs.ollama.com/api/tags), [show](https://docs.ollama.com/api-reference/show-model-details),
//! [ps](https://docs.ollama.com/api/ps), [version](https://docs.ollama.com/api-reference/get-version).

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::Model;
use crate::ollama::measure::time;

/// The version of Ollama whose API this is. Clients ask for a certain age before they use tools or thinking.
pub const VERSION: &str = "0.12.6";

/// How long Ollama keeps a model that nobody uses.
const KEPT: SignedDuration = SignedDuration::from_mins(5);

/// `GET /api/version`.
#[must_use]
pub fn version() -> Value {
    json!({"version": VERSION})
}

/// `GET /api/tags`.
#[must_use]
pub fn tags(models: &[Model]) -> Value {
    let entries = models.iter().map(|model| {
        let mut entry = named(model);
        entry.insert("modified_at".into(), time(model.created_at()).into());
        Value::Object(entry)
    });
    json!({"models": entries.collect::<Vec<_>>()})
}

/// `GET /api/ps`: every model is as good as loaded.
#[must_use]
pub fn ps(models: &[Model], now: Timestamp) -> Value {
    let until = time(now.saturating_add(KEPT).unwrap_or(now));
    let entries = models.iter().map(|model| {
        let mut entry = named(model);
        entry.insert("expires_at".into(), until.as_str().into());
        entry.insert("size_vram".into(), size(model));
        if let Some(length) = model.context_length {
            entry.insert("context_length".into(), length.into());
        }
        Value::Object(entry)
    });
    json!({"models": entries.collect::<Vec<_>>()})
}

/// `POST /api/show`.
#[must_use]
pub fn show(model: &Model) -> Value {
    let details = details(model);
    let family = details
        .get("family")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let family = if family.is_empty() { "unknown" } else { family };
    let mut info = Map::new();
    info.insert("general.architecture".into(), family.into());
    info.insert("general.basename".into(), model.id.as_str().into());
    if let Some(length) = model.context_length {
        info.insert(format!("{family}.context_length"), length.into());
    }
    let known = model
        .metadata
        .get("capabilities")
        .filter(|list| list.is_array());
    let capabilities = known
        .cloned()
        .unwrap_or_else(|| json!(["completion", "tools"]));
    json!({
        "license": "",
        "modelfile": "",
        "parameters": "",
        "template": "",
        "details": details,
        "model_info": info,
        "capabilities": capabilities,
        "modified_at": time(model.created_at()),
    })
}

/// The name that an `/api/show` asks for: `model`, or `name` as older clients say.
#[must_use]
pub fn asked(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let names = ["model", "name"].into_iter();
    let mut names = names.filter_map(|name| body.get(name)?.as_str());
    names.find(|name| !name.is_empty()).map(str::to_owned)
}

fn named(model: &Model) -> Map<String, Value> {
    let mut out = Map::new();
    out.insert("name".into(), model.id.as_str().into());
    out.insert("model".into(), model.id.as_str().into());
    out.insert("size".into(), size(model));
    let digest = match model.word("digest") {
        "" => stand_in(&model.id),
        digest => digest.to_owned(),
    };
    out.insert("digest".into(), digest.into());
    out.insert("details".into(), details(model));
    out
}

fn size(model: &Model) -> Value {
    let known = model.metadata.get("size").and_then(Value::as_u64);
    known.unwrap_or(0).into()
}

fn details(model: &Model) -> Value {
    let mut out = json!({
        "parent_model": "",
        "format": "",
        "family": model.word("arch"),
        "families": [],
        "parameter_size": "",
        "quantization_level": model.word("quantization"),
    });
    if let (Value::Object(out), Some(Value::Object(known))) =
        (&mut out, model.metadata.get("details"))
    {
        for (name, value) in known.iter().filter(|(_, value)| !value.is_null()) {
            out.insert(name.clone(), value.clone());
        }
    }
    out
}

/// Sixty-four hexadecimal digits that are the same for the same name. Ollama's own command shows the first twelve without asking
/// whether they are there.
fn stand_in(id: &str) -> String {
    let each = (0..4_u64).map(|seed| {
        // FNV-1a, begun at four places.
        let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for byte in id.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        format!("{hash:016x}")
    });
    each.collect()
}
