use std::collections::BTreeMap;

use dragoman_crds::condition::{ACCEPTED, RESOLVED_REFS};
use serde_json::{Value, json};

use super::objects::*;
use crate::{InputData, InputKey, Item, Object, PromptsItem, World};

const CHAT: &str = "LLMRoute/team-a/chat";
const SIMPLE: &str = "en.chat-conversation-simple.prompt";

fn talking(conversation: Value) -> Object {
    let backends = json!([{"name": "a", "inline": {"url": "http://a"}}]);
    let spec = json!({"backends": backends, "conversation": conversation});
    route("team-a/chat", spec)
}

fn prompts(texts: &[(&str, &str)]) -> Object {
    let data = texts
        .iter()
        .map(|(key, text)| ((*key).to_owned(), text.as_bytes().to_vec()));
    let data: BTreeMap<String, Vec<u8>> = data.collect();
    InputKey::config_map(named("team-a/prompts")).with(InputData::Data(data.into()))
}

fn world(conversation: Value) -> World {
    let mut world = cluster();
    fill(&mut world, [default_proxy(), talking(conversation)]);
    world
}

fn library(world: &World) -> Option<PromptsItem> {
    match outcome(world, CHAT).item.as_deref() {
        Ok(Item::Route(route)) => route.conversation.clone()?.prompts,
        _ => None,
    }
}

#[test]
fn a_library_is_read_by_language_and_name_and_an_edit_of_it_pushes_its_route_alone() {
    let mut world = world(json!({"promptsRef": {"name": "prompts"}}));
    assert_eq!(
        world.wanted_inputs(),
        [InputKey::config_map(named("team-a/prompts"))].into()
    );
    assert!(outcome(&world, CHAT).pending);
    let texts = [
        (SIMPLE, "Be brief.\n"),
        ("pl.a.b.prompt", "Krótko."),
        ("README", ""),
    ];
    world.apply(prompts(&texts));
    holds(&world, CHAT);
    let Some(PromptsItem::Library(library)) = library(&world) else {
        panic!("{:?}", outcome(&world, CHAT))
    };
    assert_eq!(library["en"]["chat-conversation-simple"], "Be brief.");
    assert_eq!(library["pl"]["a.b"], "Krótko.");
    assert_eq!(library.len(), 2);
    let changes = world.apply(prompts(&[(SIMPLE, "Be briefer.")]));
    assert_eq!(pushes(&changes), ["system/default: LLMRoute/team-a/chat"]);
    assert_eq!(
        world.apply(prompts(&[(SIMPLE, "Be briefer.")])),
        crate::Changes::default()
    );
}

#[test]
fn what_is_wrong_with_a_library_is_a_condition_and_closes_the_conversation_api_alone() {
    let mut world = world(json!({"promptsRef": {"name": "prompts"}, "defaultLanguage": "pl"}));
    let missing = InputKey::config_map(named("team-a/prompts"));
    world.apply(missing.clone().with(InputData::Missing));
    let asked = "pl.chat-conversation-simple.prompt";
    for (data, reason, told) in [
        (None, "ConfigMapNotFound", asked),
        (Some([(SIMPLE, "x")]), "ConfigMapKeyMissing", asked),
        (
            Some([("simple.prompt", "x")]),
            "ConfigMapInvalid",
            "<language>.<name>.prompt",
        ),
    ] {
        if let Some(data) = data {
            world.apply(prompts(&data));
        }
        let field = "spec.conversation.promptsRef: ConfigMap team-a/prompts";
        refused(&world, CHAT, RESOLVED_REFS, reason, &[field, told]);
        assert!(matches!(library(&world), Some(PromptsItem::Unresolved(_))));
    }
    world.apply(prompts(&[(asked, &"x".repeat(300_000))]));
    refused(
        &world,
        CHAT,
        RESOLVED_REFS,
        "ConfigMapInvalid",
        &["300034 bytes"],
    );
    let binary = BTreeMap::from([(asked.to_owned(), vec![0xff])]);
    world.apply(missing.with(InputData::Data(binary.into())));
    refused(
        &world,
        CHAT,
        RESOLVED_REFS,
        "ConfigMapInvalid",
        &["is not text"],
    );
}

#[test]
fn a_config_map_that_cannot_be_read_is_not_called_missing_and_what_was_read_stands() {
    let reference = json!({"promptsRef": {"name": "prompts"}});
    let unreadable = InputKey::config_map(named("team-a/prompts")).with(InputData::Unreadable);
    let mut first = world(reference.clone());
    first.apply(unreadable.clone());
    refused(&first, CHAT, RESOLVED_REFS, "ConfigMapUnreadable", &[]);
    let mut second = world(reference);
    second.apply(prompts(&[(SIMPLE, "x")]));
    second.apply(unreadable);
    holds(&second, CHAT);
}

#[test]
fn a_prefix_that_means_something_else_is_refused() {
    for prefix in ["/v1", "/v1/talk", "/routes/x"] {
        let world = world(json!({"prefix": prefix}));
        let field = "spec.conversation.prefix";
        refused(&world, CHAT, ACCEPTED, "Invalid", &[field]);
    }
    holds(&world(json!({"prefix": "/v1x"})), CHAT);
}
