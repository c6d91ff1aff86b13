//! Gemini's and Bedrock's words for it, which stand in an object among others that stay.
//!
//! - Gemini: `generationConfig.thinkingConfig`, as [the model takes it](dragoman_dialects::gemini::request::thinking): those that always think get the
//!   least that they can, and those that never do are told nothing.
//! - Converse: in `additionalModelRequestFields` what [the model's maker has](dragoman_dialects::bedrock::converse::request::additional).
//! - `invoke` with Anthropic's bodies, which say `anthropic_version`, is told as Anthropic is. Other makers' bodies stay as they are.

use bytes::Bytes;
use dragoman_dialects::bedrock::converse::request::additional;
use dragoman_dialects::gemini::request::thinking;
use serde_json::Value;

use crate::json::{Members, ObjectEdit, scan, splice::splice_into};

/// Both spellings that Gemini reads.
pub(super) const CONFIG: [&str; 2] = ["generationConfig", "generation_config"];
const THINKING: [&str; 2] = ["thinkingConfig", "thinking_config"];
/// Converse's fields that each model has of its own.
pub(super) const ADDITIONAL: &str = "additionalModelRequestFields";
/// What Anthropic's bodies say to `invoke`.
pub(super) const VERSION: &str = "anthropic_version";

/// Gemini's request for content.
pub(super) fn gemini<K: AsRef<str>>(
    body: &[u8],
    members: &Members<'_, K>,
    edit: &mut ObjectEdit<'_, '_, K>,
    model: &str,
) {
    let Some(quiet) = thinking::quiet(model) else {
        return;
    };
    let mut there = CONFIG
        .into_iter()
        .filter(|name| members.get(name).is_some())
        .peekable();
    if there.peek().is_none() {
        edit.set(CONFIG[0], with(b"{}", &THINKING, &quiet));
    }
    for name in there {
        let said = members.get(name).and_then(|at| body.get(at));
        edit.set(name, with(said.unwrap_or_default(), &THINKING, &quiet));
    }
}

/// Converse's request.
pub(super) fn converse<K: AsRef<str>>(
    body: &[u8],
    members: &Members<'_, K>,
    edit: &mut ObjectEdit<'_, '_, K>,
    model: &str,
) {
    if let Some((name, quiet)) = additional::quiet(model) {
        let said = members.get(ADDITIONAL).and_then(|at| body.get(at));
        edit.set(ADDITIONAL, with(said.unwrap_or_default(), &[name], &quiet));
    }
}

/// An object in which each of these names that is there has this value, or else the first of them. What is no object becomes one.
fn with(object: &[u8], names: &[&str], value: &Value) -> Bytes {
    let (object, members) = match scan(object, names) {
        Ok(members) => (object, Ok(members)),
        Err(_) => (b"{}".as_slice(), scan(b"{}", names)),
    };
    let Ok(members) = members else {
        return Bytes::copy_from_slice(object);
    };
    let value = Bytes::from(value.to_string());
    let mut edit = ObjectEdit::new(&members);
    let mut absent = true;
    for name in names.iter().filter(|name| members.get(name).is_some()) {
        edit.set(name, value.clone());
        absent = false;
    }
    if let Some(first) = names.first().filter(|_| absent) {
        edit.set(first, value);
    }
    let mut whole = Vec::new();
    splice_into(object, edit.finish(), &mut whole);
    whole.into()
}
