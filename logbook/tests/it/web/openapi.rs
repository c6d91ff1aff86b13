//! The OpenAPI document describes what is answered.

use super::hostile::hostile;
use super::viewers::guarded;
use super::{Runs, ask, full, get, open, request};
use crate::fixture::{Fixture, at, on_both};
use dragoman_logbook::web::{Entrance, Running, Web};
use serde_json::{Value, json};
use std::sync::Arc;

on_both!(every_answer_is_as_the_document_says);

/// The schema of an answer, with all that it refers to.
fn schema(document: &Value, path: &str, method: &str, status: &str) -> Value {
    let mut response = &document["paths"][path][method]["responses"][status];
    if let Some(reference) = response["$ref"].as_str() {
        response = document.pointer(&reference[1..]).unwrap();
    }
    let mut schema = response["content"]["application/json"]["schema"].clone();
    assert!(schema.is_object(), "{method} {path} {status}");
    schema["components"] = document["components"].clone();
    schema
}

fn check(document: &Value, path: &str, method: &str, reply: &super::Reply) {
    let schema = schema(document, path, method, reply.status.as_str());
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<_> = validator
        .iter_errors(&reply.json())
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{method} {path}: {errors:?}");
}

async fn every_answer_is_as_the_document_says(fixture: Fixture) {
    let bare = dragoman_logbook::record::Record {
        id: "bare".into(),
        started_at: at(5).started_at,
        completed_at: at(5).completed_at,
        ..Default::default()
    };
    fixture
        .store
        .insert(&[full(0), hostile(), bare])
        .await
        .unwrap();
    let runs = Arc::new(Runs::default());
    runs.0.lock().unwrap().push(Running {
        id: "r".into(),
        ..Running::default()
    });
    let web = Web::new(fixture.store.clone(), runs, Entrance::open());
    let document = get(&web, "/api/openapi.json").await.json();
    for (path, url) in [
        ("/api/logs", "/api/logs?limit=2"),
        ("/api/logs", "/api/logs?limit=x"),
        ("/api/logs/{id}", "/api/logs/bare"),
        ("/api/logs/{id}", "/api/logs/none"),
        ("/api/stats", "/api/stats?from=3d"),
        ("/api/inflight", "/api/inflight"),
        ("/api/openapi.json", "/api/openapi.json"),
    ] {
        check(&document, path, "get", &get(&web, url).await);
    }
    for _ in 0..2 {
        let reply = ask(&web, "DELETE", "/api/inflight/r").await;
        check(&document, "/api/inflight/{id}", "delete", &reply);
    }
    let wrong = ask(&web, "PUT", "/api/logs").await;
    check(&document, "/api/logs", "get", &wrong);
}

#[tokio::test]
async fn every_path_and_parameter_of_the_document_is_answered() {
    let fixture = crate::fixture::sqlite();
    let web = open(&fixture);
    let document = get(&web, "/api/openapi.json").await.json();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let path = path.replace("{id}", "none");
            let expected = if path.ends_with("none") { 404 } else { 200 };
            for parameter in operation["parameters"].as_array().unwrap() {
                if parameter["in"] == "path" {
                    continue;
                }
                let name = parameter["name"].as_str().unwrap();
                let schema = match &parameter["schema"]["items"] {
                    Value::Null => &parameter["schema"],
                    items => items,
                };
                let value = match (&schema["examples"][0], schema["type"].as_str().unwrap()) {
                    (Value::String(example), _) => example.clone(),
                    (_, "integer") => schema["maximum"].to_string(),
                    (_, "boolean") => "true".into(),
                    _ if name == "after" => "5f-61".into(),
                    _ => "x".into(),
                };
                let uri = format!("{path}?{name}={value}");
                let reply = ask(&web, &method.to_uppercase(), &uri).await;
                assert_eq!(reply.status, expected, "{uri}: {}", reply.text);
            }
            let reply = ask(&web, &method.to_uppercase(), &path).await;
            assert_eq!(reply.status, expected, "{path}");
        }
    }
}

#[tokio::test]
async fn the_document_says_whether_a_token_has_to_be_brought() {
    let fixture = crate::fixture::sqlite();
    let open = get(&open(&fixture), "/api/openapi.json").await.json();
    assert_eq!(open["security"], Value::Null);
    let web = guarded(fixture.store.clone());
    let mut asked = request("GET", "/api/openapi.json");
    asked
        .headers_mut()
        .insert("authorization", "Bearer s3cret".parse().unwrap());
    let reply = super::Reply::of(web.serve(asked, false).await).await;
    assert_eq!(reply.json()["security"], json!([{"token": []}]));
    let refused = get(&web, "/api/logs").await;
    check(&reply.json(), "/api/logs", "get", &refused);
}
