//! Vectors.

use dragoman_dialects::form::EmbeddingInput;
use dragoman_dialects::openai::Embeddings;
use dragoman_dialects::{EmbeddingCodec, Path, Target};
use serde_json::{Value, json};

use super::golden::context;

#[test]
fn a_request_is_read_and_written_again() {
    for input in [
        json!("a"),
        json!(["a", "b"]),
        json!([1, 2]),
        json!([[1, 2], "a"]),
    ] {
        let body = json!({
            "model": "m", "input": input, "encoding_format": "base64", "dimensions": 8,
            "user": "ann", "input_type": "query",
        });
        let form = Embeddings.read_request(body.to_string().as_bytes(), Path::default());
        let target = Target {
            model: "m",
            stream: false,
        };
        let written = Embeddings.write_request(&form.unwrap(), target).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&written).unwrap(), body);
    }
}

#[test]
fn tokens_are_told_from_texts() {
    let read = |input: Value| {
        let body = json!({"model": "m", "input": input}).to_string();
        Embeddings.read_request(body.as_bytes(), Path::default())
    };
    let form = read(json!([1, 2])).unwrap();
    assert_eq!(form.inputs, [EmbeddingInput::Tokens(vec![1, 2])]);
    assert!(form.single);
    assert!(!read(json!(["a"])).unwrap().single);
    for (input, fault) in [
        (json!([]), "input: The list must hold at least one input."),
        (
            json!([[1, -2]]),
            "input[0]: Tokens must be whole numbers that are not negative.",
        ),
        (
            json!(["a", 1]),
            "input[1]: An input must be a string or a list of tokens.",
        ),
        (
            json!({}),
            "input: The field must be a string, a list of strings, or tokens.",
        ),
    ] {
        assert_eq!(read(input).unwrap_err().to_string(), fault);
    }
}

#[test]
fn vectors_keep_their_digits_and_their_order() {
    let body = br#"{"object":"list","model":"m","data":[
        {"object":"embedding","index":1,"embedding":[0.10000000149011612]},
        {"object":"embedding","index":0,"embedding":[1e-7,-2]}],
        "usage":{"prompt_tokens":3,"total_tokens":3}}"#;
    let form = Embeddings.read_reply(body).unwrap();
    let written = |base64| {
        let written = Embeddings.write_reply(&form, base64, &context());
        String::from_utf8(written).unwrap()
    };
    assert_eq!(
        written(false),
        r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[1e-7,-2]},{"object":"embedding","index":1,"embedding":[0.10000000149011612]}],"model":"chat","usage":{"prompt_tokens":3,"total_tokens":3}}"#
    );
    assert!(written(true).contains(r#""embedding":"zczMPQ==""#));
    let coded = Embeddings.read_reply(written(true).as_bytes()).unwrap();
    let numbers = Embeddings.write_reply(&coded, false, &context());
    assert!(String::from_utf8(numbers).unwrap().contains("[1e-7,-2.0]"));
    let fault = Embeddings.read_reply(b"{}").unwrap_err();
    assert!(fault.to_string().starts_with("The reply holds no vectors"));
}
