//! Mappers, and who uses them.

use dragoman_crds::condition::{ACCEPTED, RESOLVED_REFS, TESTS_PASSED};
use serde_json::{Value, json};

use super::objects::*;
use crate::{Item, MapperItem, World};

const MAPPER: &str = "Mapper/team-a/speech";
const BACKEND: &str = "LLMBackend/team-a/speech";

fn speech(request: &str) -> crate::Object {
    mapper("team-a/speech", json!({"request": request}))
}

fn custom(name: &str) -> crate::Object {
    let spec =
        json!({"url": "http://speech", "dialect": "Custom", "mapperRef": {"name": "speech"}});
    backend(name, spec)
}

fn used<'w>(world: &'w World, backend: &str) -> &'w MapperItem {
    match outcome(world, backend).item.as_deref() {
        Ok(Item::Backend(backend)) => backend.mapper.as_deref().unwrap(),
        other => panic!("{backend}: {other:?}"),
    }
}

#[test]
fn a_mapper_is_a_part_of_the_backends_that_name_it_and_an_edit_reaches_them() {
    let mut world = cluster();
    fill(
        &mut world,
        [
            default_proxy(),
            custom("team-a/speech"),
            route_to("team-a/chat", "team-a/speech"),
        ],
    );
    refused(
        &world,
        BACKEND,
        RESOLVED_REFS,
        "RefNotFound",
        &["spec.mapperRef", "Mapper team-a/speech does not exist"],
    );
    let changes = world.apply(speech("body.a"));
    assert!(pushes(&changes).contains(&format!("system/default: {BACKEND}")));
    holds(&world, BACKEND);
    holds(&world, MAPPER);
    assert_eq!(used(&world, BACKEND).name, "team-a/speech");
    world.apply(speech("body.b"));
    assert_eq!(used(&world, BACKEND).request.as_deref(), Some("body.b"));
    // Proxies are sent it within the backend, and no item of its own.
    assert!(!members(&world, "system/default").contains(&MAPPER.to_owned()));
}

#[test]
fn a_mapper_of_another_namespace_is_no_backends() {
    let mut world = cluster();
    fill(
        &mut world,
        [default_proxy(), speech("body"), custom("team-b/speech")],
    );
    let said = ["Mapper team-b/speech does not exist"];
    refused(
        &world,
        "LLMBackend/team-b/speech",
        RESOLVED_REFS,
        "RefNotFound",
        &said,
    );
}

#[test]
fn a_faulty_expression_is_told_with_its_place_on_the_mapper_and_on_who_uses_it() {
    let mut world = cluster();
    fill(
        &mut world,
        [
            default_proxy(),
            speech("merge(bdy)"),
            custom("team-a/speech"),
        ],
    );
    let said = ["spec.request: column 7", "unknown variable \"bdy\""];
    refused(&world, MAPPER, ACCEPTED, "Invalid", &said);
    refused(
        &world,
        BACKEND,
        RESOLVED_REFS,
        "RefInvalid",
        &["Mapper team-a/speech cannot be used", "column 7"],
    );
    world.apply(speech("merge(body)"));
    holds(&world, BACKEND);
}

fn tested(tests: Value) -> crate::Object {
    let spec = json!({
        "request": "{'text': body.text, 'size': parameters.size, 'who': headers['x-team'], 'model': model}",
        "response": "body.texts",
        "parameters": {"size": 2},
        "tests": tests,
    });
    mapper("team-a/speech", spec)
}

#[test]
fn tests_run_whenever_the_mapper_is_compiled() {
    let mut world = cluster();
    let input = json!({"body": {"text": "a"}, "headers": {"x-team": "blue"}, "model": "m"});
    let good = json!({"text": "a", "size": 2.0, "who": "blue", "model": "m"});
    fill(
        &mut world,
        [
            default_proxy(),
            custom("team-a/speech"),
            tested(json!([
                {"name": "whole", "phase": "Request", "input": input, "expect": good},
                {"name": "nothing", "phase": "Response", "input": {"body": {}}},
            ])),
        ],
    );
    holds(&world, MAPPER);
    assert!(verdict(&world, MAPPER, TESTS_PASSED).status);
    world.apply(tested(json!([
        {"name": "wrong", "phase": "Request", "input": input, "expect": {"text": "b"}},
        {"name": "fails", "phase": "Response", "input": {"body": "text"}},
        {"name": "nothing to try", "phase": "Path"},
    ])));
    let said = [
        "spec.tests[wrong]: request gives {\"model\":\"m\",\"size\":2,\"text\":\"a\",\"who\":\"blue\"}, and {\"text\":\"b\"} is expected",
        "spec.tests[fails]: Mapper team-a/speech: response: column 1: body is text",
        "spec.tests[nothing to try]: tries the phase Path",
    ];
    refused(&world, MAPPER, TESTS_PASSED, "TestFailed", &said);
    assert!(verdict(&world, MAPPER, ACCEPTED).status);
    // What uses it is not sent the version that fails.
    assert!(outcome(&world, BACKEND).item.is_err());
}

#[test]
fn a_routes_path_names_a_mapper_that_admits_it() {
    let mut world = cluster();
    let paths = json!([{"path": "/v1/score/*", "backend": "vllm", "to": "/v2/*",
        "mapperRef": {"name": "speech", "namespace": "team-b"}}]);
    let spec = json!({"backends": [referring("team-a/vllm")], "paths": paths});
    fill(
        &mut world,
        [
            default_proxy(),
            plain("team-a/vllm", "http://vllm"),
            mapper("team-b/speech", json!({"request": "body"})),
            route("team-a/chat", spec),
        ],
    );
    const CHAT: &str = "LLMRoute/team-a/chat";
    let said = [
        "spec.paths[0].mapperRef",
        "admits no routes from namespace team-a",
    ];
    refused(&world, CHAT, RESOLVED_REFS, "RefNotPermitted", &said);
    let path = |world: &World| route_item(world, CHAT).paths.clone().unwrap().remove(0);
    assert!(path(&world).unusable.is_some());
    world.apply(mapper(
        "team-b/speech",
        json!({"request": "body", "allowedRoutes": from("All")}),
    ));
    holds(&world, CHAT);
    let path = path(&world);
    assert_eq!(
        (
            path.path.as_str(),
            path.below,
            path.to.as_deref(),
            path.rest
        ),
        ("/v1/score", true, Some("/v2"), true)
    );
    assert!(path.mapper.is_some() && path.unusable.is_none());
}
