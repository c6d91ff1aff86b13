//! Vectors.

use dragoman_dialects::form::{EmbeddingInput, Field};
use dragoman_dialects::gemini::{BatchEmbedContents, EmbedContent};
use dragoman_dialects::openai::Embeddings;
use dragoman_dialects::{EmbeddingCodec, Path, Target};
use serde_json::{Value, json};

use super::golden::context;

const PATH: Path<'static> = Path {
    model: Some("gemini-embedding-001"),
    stream: None,
};

const TARGET: Target<'static> = Target {
    model: "gemini-embedding-001",
    stream: false,
};

fn value(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

#[test]
fn requests_are_read_and_written_again() {
    let one = json!({"content": {"parts": [{"text": "a"}]}, "outputDimensionality": 8, "taskType": "RETRIEVAL_QUERY"});
    let form = EmbedContent.read_request(one.to_string().as_bytes(), PATH);
    let form = form.unwrap();
    assert!(form.single);
    assert_eq!(
        value(&EmbedContent.write_request(&form, TARGET).unwrap()),
        one
    );
    let each = |text: &str| json!({"content": {"parts": [{"text": text}]}, "outputDimensionality": 8, "model": "models/gemini-embedding-001"});
    let batch = json!({"requests": [each("a"), each("b")]});
    let form = BatchEmbedContents.read_request(batch.to_string().as_bytes(), PATH);
    let written = BatchEmbedContents.write_request(&form.unwrap(), TARGET);
    assert_eq!(value(&written.unwrap()), batch);
}

#[test]
fn the_texts_of_one_content_are_one_input() {
    let body =
        json!({"content": {"parts": [{"text": "a"}, {"text": "b"}]}, "output_dimensionality": 8});
    let form = EmbedContent.read_request(body.to_string().as_bytes(), PATH);
    let form = form.unwrap();
    assert_eq!(form.inputs, [EmbeddingInput::Text("ab".into())]);
    assert_eq!(form.dimensions, Some(8));
}

#[test]
fn a_request_that_is_not_understood_is_refused_at_its_place() {
    for (body, at) in [
        (json!({}), "requests"),
        (json!({"requests": [{}]}), "requests[0].content"),
        (
            json!({"requests": [{"content": {"parts": [{"text": "a"}]}}, {"content": {"parts": [{"text": "b"}]}, "title": "t"}]}),
            "requests[1]",
        ),
        (
            json!({"requests": [{"content": {"parts": [{"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]}}]}),
            "requests[0].content.parts",
        ),
    ] {
        let read = BatchEmbedContents.read_request(body.to_string().as_bytes(), PATH);
        assert_eq!(read.unwrap_err().at, at, "{body}");
    }
}

#[test]
fn openais_request_is_geminis_batch_and_its_vectors_are_openais() {
    let body = br#"{"model":"m","input":["a","b"],"dimensions":8,"user":"ann"}"#;
    let form = Embeddings.read_request(body, Path::default()).unwrap();
    let written = value(&BatchEmbedContents.write_request(&form, TARGET).unwrap());
    assert_eq!(written["requests"][1]["content"]["parts"][0]["text"], "b");
    assert_eq!(written["requests"][1]["outputDimensionality"], 8);
    let refused = EmbedContent.write_request(&form, TARGET).unwrap_err();
    assert_eq!(refused.field, Field::At("input".into()));
    let reply = br#"{"embeddings":[{"values":[0.1,-2.5]},{"values":[1]}],"usageMetadata":{"promptTokenCount":2}}"#;
    let reply = BatchEmbedContents.read_reply(reply).unwrap();
    let openais = value(&Embeddings.write_reply(&reply, false, &context()));
    assert_eq!(openais["data"][0]["embedding"], json!([0.1, -2.5]));
    assert_eq!(openais["usage"]["prompt_tokens"], 2);
    let own = value(&BatchEmbedContents.write_reply(&reply, false, &context()));
    assert_eq!(own["embeddings"][1]["values"], json!([1]));
    assert_eq!(own["usageMetadata"]["promptTokenCount"], 2);
    let one = value(&EmbedContent.write_reply(&reply, false, &context()));
    assert_eq!(one["embedding"]["values"], json!([0.1, -2.5]));
}

#[test]
fn tokens_and_other_vendors_fields_are_refused() {
    for (body, field) in [
        (
            json!({"model": "m", "input": [[1, 2]]}),
            Field::At("input[0]".into()),
        ),
        (
            json!({"model": "m", "input": "a", "input_type": "query"}),
            Field::Extra("input_type".into()),
        ),
    ] {
        let form = Embeddings.read_request(body.to_string().as_bytes(), Path::default());
        let refused = BatchEmbedContents.write_request(&form.unwrap(), TARGET);
        assert_eq!(refused.unwrap_err().field, field, "{body}");
    }
}

#[test]
fn what_holds_no_vectors_is_no_reply() {
    for body in ["{}", "[]", "x"] {
        assert!(EmbedContent.read_reply(body.as_bytes()).is_err(), "{body}");
    }
}
