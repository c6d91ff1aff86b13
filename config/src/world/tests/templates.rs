use std::collections::BTreeMap;

use dragoman_crds::condition::RESOLVED_REFS;
use serde_json::json;

use super::objects::*;
use crate::{InputData, InputKey, Item, Object, TemplateItem, World};

const TGI: &str = "LLMBackend/team-a/tgi";

fn prompting(reference: serde_json::Value) -> Object {
    let spec = json!({"url": "http://tgi", "dialect": "TGI", "promptTemplate": {"configMapRef": reference}});
    backend("team-a/tgi", spec)
}

fn templates(texts: &[(&str, &str)]) -> Object {
    let data = texts
        .iter()
        .map(|(key, text)| ((*key).to_owned(), text.as_bytes().to_vec()));
    let data: BTreeMap<String, Vec<u8>> = data.collect();
    InputKey::config_map(named("team-a/templates")).with(InputData::Data(data.into()))
}

fn world() -> World {
    let mut world = cluster();
    fill(
        &mut world,
        [
            default_proxy(),
            prompting(json!({"name": "templates"})),
            route_to("team-a/chat", "team-a/tgi"),
        ],
    );
    world
}

fn template(world: &World) -> Option<TemplateItem> {
    match outcome(world, TGI).item.as_deref() {
        Ok(Item::Backend(backend)) => backend.prompt_template.clone(),
        _ => None,
    }
}

#[test]
fn a_template_is_read_with_its_tokens_and_stops_and_an_edit_pushes_its_backend_alone() {
    let mut world = world();
    assert!(outcome(&world, TGI).pending);
    let source = "{{ bos_token }}{{ messages[0].content }}";
    world.apply(templates(&[
        ("chat_template", source),
        ("bos_token", "<s>\n"),
        ("eos_token", "</s>"),
        ("stops", "###\n\nUser:\n"),
    ]));
    holds(&world, TGI);
    assert_eq!(
        template(&world),
        Some(TemplateItem::Custom {
            source: source.into(),
            bos_token: "<s>".into(),
            eos_token: "</s>".into(),
            stops: vec!["###".into(), "User:".into()],
        })
    );
    let changes = world.apply(templates(&[("chat_template", "{{ messages }}")]));
    assert_eq!(pushes(&changes), ["system/default: LLMBackend/team-a/tgi"]);
}

#[test]
fn a_template_that_is_none_is_a_condition_with_the_line_and_the_one_before_it_stays() {
    let mut world = world();
    world.apply(templates(&[("chat_template", "{{ messages }}")]));
    world.apply(templates(&[("chat_template", "a\n{% if %}")]));
    let field = "spec.promptTemplate.configMapRef: ConfigMap team-a/templates";
    let told = [field, "\"chat_template\"", "line 2"];
    refused(&world, TGI, RESOLVED_REFS, "ConfigMapInvalid", &told);
    assert!(
        outcome(&world, TGI).item.is_err(),
        "proxies keep what they have"
    );
    world.apply(templates(&[("other", "x")]));
    let told = [field, "no key \"chat_template\""];
    refused(&world, TGI, RESOLVED_REFS, "ConfigMapKeyMissing", &told);
    world.apply(prompting(json!({"name": "templates", "key": "other"})));
    holds(&world, TGI);
    let gone = InputKey::config_map(named("team-a/templates"));
    world.apply(gone.with(InputData::Missing));
    refused(&world, TGI, RESOLVED_REFS, "ConfigMapNotFound", &[field]);
    world.apply(templates(&[("other", &"x".repeat(200_000))]));
    refused(
        &world,
        TGI,
        RESOLVED_REFS,
        "ConfigMapInvalid",
        &["200000 bytes"],
    );
}
