//! Lists of models.

use dragoman_dialects::models::{self, Model, anthropic, lmstudio, ollama, openai};
use serde_json::{Value, json};

use crate::golden::{Case, context};

fn read(body: &Value) -> Vec<Model> {
    models::read(body.to_string().as_bytes()).unwrap()
}

#[test]
fn one_list_is_written_as_every_kind_of_list() {
    let models = read(&json!({"object": "list", "data": [
        {"id": "qwen3:8b", "object": "model", "created": 1_760_000_000, "owned_by": "vllm", "max_model_len": 32768, "root": "Qwen/Qwen3-8B", "permission": []},
        {"id": "bare"},
        {"object": "model"},
    ]}));
    let case = Case::new("models", "");
    for (file, value) in [
        ("openai.json", openai::list(&models)),
        ("anthropic.json", anthropic::list(&models)),
        ("tags.json", ollama::tags(&models)),
        ("ps.json", ollama::ps(&models, context().started)),
        ("show.json", ollama::show(&models[0])),
        ("lmstudio.json", lmstudio::list(&models)),
        ("version.json", ollama::version()),
    ] {
        case.assert(file, &format!("{value:#}\n"));
    }
}

#[test]
fn every_kind_of_list_is_read() {
    let at = |body: Value| {
        let model = read(&body).remove(0);
        (model.id, model.created, model.context_length)
    };
    for (body, id, created, length) in [
        (
            json!({"data": [{"type": "model", "id": "claude", "display_name": "C", "created_at": "2025-10-09T08:53:20Z"}], "has_more": false}),
            "claude",
            Some(1_760_000_000),
            None,
        ),
        (
            json!({"models": [{"name": "a:b", "model": "a:b", "modified_at": "2025-10-09T10:53:20.5+02:00", "size": 1, "digest": "x", "details": {"family": "qwen3"}}]}),
            "a:b",
            Some(1_760_000_000),
            None,
        ),
        (
            json!({"models": [{"name": "models/gemini-2.5-pro", "inputTokenLimit": 1_048_576}]}),
            "gemini-2.5-pro",
            None,
            Some(1_048_576),
        ),
        (
            json!({"model_id": "meta/llama", "max_total_tokens": 4096}),
            "meta/llama",
            None,
            Some(4096),
        ),
        (json!([{"id": "x"}]), "x", None, None),
    ] {
        assert_eq!(at(body), (id.to_owned(), created, length));
    }
    assert!(read(&json!({"models": null})).is_empty());
    assert!(models::read(b"<html>").is_err());
    assert!(models::read(b"{\"detail\":\"x\"}").is_err());
}

#[test]
fn what_an_ollama_says_of_its_models_is_said_again() {
    let models = read(
        &json!({"models": [{"name": "a:b", "model": "a:b", "modified_at": "2025-10-09T08:53:20Z", "size": 5, "digest": "abcdef0123456789", "details": {"family": "qwen3", "families": null}}]}),
    );
    let tags = ollama::tags(&models);
    assert_eq!(tags["models"][0]["size"], 5);
    assert_eq!(tags["models"][0]["digest"], "abcdef0123456789");
    assert_eq!(tags["models"][0]["details"]["family"], "qwen3");
    assert_eq!(tags["models"][0]["details"]["families"], json!([]));
    assert_eq!(
        ollama::show(&models[0])["model_info"]["general.architecture"],
        "qwen3"
    );
    assert_eq!(ollama::asked(br#"{"name":"x"}"#), Some("x".into()));
    assert_eq!(ollama::asked(b"{}"), None);
}
