//! ModelMap → item.

use dragoman_crds::{ModelMap, NameFilter};

use super::{Findings, Outcome};
use crate::names::{BadMap, Names};
use crate::{Item, ListItem, MapItem, MapRuleItem};

const CACHE_TTL_MS: u64 = 30_000;
const LONGEST_CACHE_TTL_MS: u64 = 86_400_000;
/// Free-form objects are bounded here, because a schema cannot: bytes of JSON.
pub(super) const LARGEST_FREE_FORM: usize = 16 << 10;

pub(crate) fn map(resource: &ModelMap) -> Outcome {
    let mut findings = Findings::new();
    let spec = &resource.spec;
    let cache_ttl_ms = match spec
        .list
        .cache_ttl
        .as_ref()
        .map(dragoman_crds::Duration::parse)
    {
        None => CACHE_TTL_MS,
        Some(Ok(ttl)) => u64::try_from(ttl.as_millis())
            .unwrap_or(u64::MAX)
            .min(LONGEST_CACHE_TTL_MS),
        Some(Err(fault)) => {
            findings.invalid("spec.list.cacheTTL", fault);
            CACHE_TTL_MS
        }
    };
    for (at, rule) in spec.rules.iter().enumerate() {
        for (field, object) in [("defaults", &rule.defaults), ("overrides", &rule.overrides)] {
            let Some(object) = object else { continue };
            let bytes = serde_json::to_string(object).map_or(0, |json| json.len());
            let field = format!("spec.rules[{at}].{field}");
            if bytes > LARGEST_FREE_FORM {
                findings.invalid(
                    &field,
                    format_args!("{bytes} bytes are more than {LARGEST_FREE_FORM}"),
                );
            }
            for own in ["model", "stream", "messages"] {
                if object.contains_key(own) {
                    findings.invalid(
                        &format!("{field}.{own}"),
                        format_args!("{own} is the client's; use target.model to choose the model"),
                    );
                }
            }
        }
    }
    let item = MapItem {
        rules: spec
            .rules
            .iter()
            .map(|rule| MapRuleItem {
                r#match: rule.r#match.clone(),
                when: rule.when.clone(),
                target: rule.target.clone().unwrap_or_default(),
                fallbacks: rule.fallbacks.clone(),
                defaults: rule.defaults.clone().unwrap_or_default(),
                overrides: rule.overrides.clone().unwrap_or_default(),
            })
            .collect(),
        matching: spec.matching,
        unmatched: spec.unmatched,
        list: ListItem {
            names: NameFilter {
                allow: spec.list.allow.clone(),
                deny: spec.list.deny.clone(),
            },
            matching: spec.list.matching,
            enforce: spec.list.enforce,
            first: spec.list.first.clone(),
            cache_ttl_ms,
        },
        reply_model: spec.reply_model,
    };
    for BadMap { field, fault } in Names::new(&item).err().unwrap_or_default() {
        findings.invalid(&format!("spec.{field}"), fault);
    }
    let item = if findings.refused() {
        Err(findings.summary())
    } else {
        Ok(Item::Map(item))
    };
    findings.finish(resource.metadata.generation.unwrap_or_default(), item)
}
