//! Prompt templates of users' own, from ConfigMaps.

use std::collections::BTreeMap;

use dragoman_crds::TemplateReference;
use dragoman_dialects::template::{Custom, Template};

use crate::world::{InputLookup, Lookup};
use crate::{TemplateItem, reason};

/// The most bytes of a template with what belongs to it.
const LARGEST: usize = 128 << 10;

/// Reads and compiles a template.
///
/// # Errors
/// The reason and the fault.
pub(super) fn custom(
    reference: &TemplateReference,
    namespace: &str,
    world: &Lookup<'_>,
) -> Result<TemplateItem, (&'static str, String)> {
    let map = format!("ConfigMap {namespace}/{}", reference.name);
    let key = reference.key.as_deref().unwrap_or("chat_template");
    match world.config_map(namespace, &reference.name) {
        InputLookup::Found(content) => read(&content.values, key, &map),
        InputLookup::Missing => Err((
            reason::CONFIG_MAP_NOT_FOUND,
            format!("{map} does not exist; create it with the key {key:?}"),
        )),
        InputLookup::Pending => Err((reason::PENDING, format!("{map} has not been read yet"))),
        InputLookup::Unreadable => Err((
            reason::CONFIG_MAP_UNREADABLE,
            format!(
                "{map} could not be read from the API server; the operator goes on trying, and its log says why"
            ),
        )),
    }
}

fn read(
    data: &BTreeMap<String, Vec<u8>>,
    key: &str,
    map: &str,
) -> Result<TemplateItem, (&'static str, String)> {
    let invalid = |fault: String| (reason::CONFIG_MAP_INVALID, format!("{map}: {fault}"));
    let text = |key: &str| match data.get(key).map(|value| std::str::from_utf8(value)) {
        None => Ok(None),
        Some(Ok(text)) => Ok(Some(text)),
        Some(Err(_)) => Err(invalid(format!("the value of {key:?} is not text"))),
    };
    let missing = || {
        let fault = format!("{map} has no key {key:?}; add it");
        (reason::CONFIG_MAP_KEY_MISSING, fault)
    };
    // A line break at the end is how YAML writes blocks, and no part of a token.
    let token = |key: &str| {
        let found = text(key)?.map(|text| text.strip_suffix('\n').unwrap_or(text));
        Ok(found.unwrap_or_default().to_owned())
    };
    let source = text(key)?.ok_or_else(missing)?.to_owned();
    let stops = text("stops")?.unwrap_or_default().lines();
    let stops = stops.filter(|stop| !stop.is_empty()).map(str::to_owned);
    let custom = Custom {
        source,
        bos_token: token("bos_token")?,
        eos_token: token("eos_token")?,
        stops: stops.collect(),
    };
    let stops: usize = custom.stops.iter().map(String::len).sum();
    let bytes = custom.source.len() + custom.bos_token.len() + custom.eos_token.len() + stops;
    if bytes > LARGEST {
        let fault = format!("the template is {bytes} bytes, more than {LARGEST}; make it shorter");
        return Err(invalid(fault));
    }
    Template::custom(custom.clone()).map_err(|fault| {
        invalid(format!(
            "the value of {key:?} is no Jinja template, {fault}"
        ))
    })?;
    let Custom {
        source,
        bos_token,
        eos_token,
        stops,
    } = custom;
    Ok(TemplateItem::Custom {
        source,
        bos_token,
        eos_token,
        stops,
    })
}
