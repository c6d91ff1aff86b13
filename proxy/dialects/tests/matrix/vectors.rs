//! Vectors: requests and replies between those who give them.

use std::fs;
use std::path::PathBuf;

use dragoman_dialects::form::{EmbeddingReply, EmbeddingRequest, Usage, Vector};
use dragoman_dialects::gemini::{BatchEmbedContents, EmbedContent};
use dragoman_dialects::ollama::{Embed, Embeddings};
use dragoman_dialects::{EmbeddingCodec, Path, Target, openai};
use serde_json::{Map, Value};

use crate::answers::context;
use crate::requests::Refusal;
use crate::wires::merge;

/// A dialect of vectors.
pub(crate) struct Kind {
    /// Its name in the file of requests.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) codec: &'static dyn EmbeddingCodec,
    /// Whether the path names the model.
    in_path: bool,
}

impl Kind {
    fn read(&self, body: &[u8]) -> EmbeddingRequest {
        let path = Path {
            model: self.in_path.then_some("m"),
            stream: None,
        };
        self.codec.read_request(body, path).unwrap()
    }
}

pub(crate) static KINDS: [Kind; 5] = [
    Kind {
        name: "openai",
        title: "OpenAI `/v1/embeddings`",
        codec: &openai::Embeddings,
        in_path: false,
    },
    Kind {
        name: "embed",
        title: "Ollama `/api/embed`",
        codec: &Embed,
        in_path: false,
    },
    Kind {
        name: "embeddings",
        title: "Ollama `/api/embeddings`",
        codec: &Embeddings,
        in_path: false,
    },
    Kind {
        name: "gemini-one",
        title: "Gemini `:embedContent`",
        codec: &EmbedContent,
        in_path: true,
    },
    Kind {
        name: "gemini",
        title: "Gemini `:batchEmbedContents`",
        codec: &BatchEmbedContents,
        in_path: true,
    },
];

/// A rule: what the documentation says, and what it does for an upstream.
type Rule = (&'static str, fn(&mut EmbeddingRequest, &Kind));

pub(crate) static RULES: [Rule; 4] = [
    (
        "Ollama and Gemini give numbers; a client that wants base64 gets it made from them.",
        |request, upstream| request.base64 &= upstream.name == "openai",
    ),
    (
        "Whether texts that are too long are cut is said to Ollama's newer call alone; its older one always cuts them, and OpenAI never does.",
        |request, upstream| {
            request.truncate = request.truncate.filter(|_| upstream.name == "embed")
        },
    ),
    ("Who asks is said to OpenAI alone.", |request, upstream| {
        request.user = request.user.take().filter(|_| upstream.name == "openai");
    }),
    (
        "How a local server runs the model is said to Ollama alone.",
        |request, upstream| {
            if !matches!(upstream.name, "embed" | "embeddings") {
                request.keep_alive = None;
                request
                    .extra
                    .retain(|name, _| !name.starts_with("options."));
            }
        },
    ),
];

/// A client's requests: the plain one first, then each with what its feature adds.
pub(crate) fn requests(client: &Kind) -> Vec<(String, Value)> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/matrix/requests/vectors.json");
    let mut all: Map<String, Value> =
        serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let Some(Value::Object(patches)) = all.shift_remove(client.name) else {
        panic!("{} has no requests", client.name);
    };
    let plain = patches["one text"].clone();
    let each = patches.into_iter().map(|(feature, patch)| {
        let mut request = plain.clone();
        merge(&mut request, patch);
        (feature, request)
    });
    each.collect()
}

/// The numbers of the rules that changed a request, or why it is refused.
pub(crate) fn outcome(client: &Kind, upstream: &Kind, body: &Value) -> Result<Vec<usize>, Refusal> {
    let request = client.read(body.to_string().as_bytes());
    let target = Target {
        model: "theirs",
        stream: false,
    };
    let written = upstream
        .codec
        .write_request(&request, target)
        .map_err(|refused| Refusal {
            field: client.codec.name_of(&refused.field).into_owned(),
            message: refused.message,
            page: refused.source,
        })?;
    let read = upstream.read(&written);
    let mut expected = request;
    let mut applied = Vec::new();
    for (place, (_, change)) in RULES.iter().enumerate() {
        let before = expected.clone();
        change(&mut expected, upstream);
        if expected != before {
            applied.push(place + 1);
        }
    }
    let shown = String::from_utf8_lossy(&written);
    assert_eq!(
        meaning(read),
        meaning(expected),
        "{} to {}: {shown}",
        client.name,
        upstream.name
    );
    Ok(applied)
}

/// The request without the model's name, and without how one text alone is put.
fn meaning(request: EmbeddingRequest) -> EmbeddingRequest {
    EmbeddingRequest {
        model: String::new(),
        single: false,
        ..request
    }
}

#[test]
fn vectors_are_asked_for_by_the_documented_rules_or_refused_by_name() {
    for client in &KINDS {
        for (feature, body) in requests(client) {
            for upstream in &KINDS {
                let what = format!("{feature}, {} to {}", client.name, upstream.name);
                match outcome(client, upstream, &body) {
                    Ok(rules) => assert!(
                        client.name != upstream.name || rules.is_empty(),
                        "{what}: {rules:?}"
                    ),
                    Err(refusal) => {
                        assert_ne!(feature, "one text", "{what}");
                        assert!(
                            refusal.page.is_some() || body.get(&refusal.field).is_some(),
                            "{what}: {refusal:?}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn a_vector_keeps_its_digits_from_every_upstream_to_every_client() {
    let numbers = serde_json::from_str("[0.0023064255, -0.009327292, 1]").unwrap();
    let reply = EmbeddingReply {
        model: Some("m".into()),
        vectors: vec![Vector::Numbers(numbers)],
        usage: Some(Usage {
            input: 3,
            ..Usage::default()
        }),
    };
    for upstream in &KINDS {
        let sent = upstream.codec.write_reply(&reply, false, &context());
        let read = upstream.codec.read_reply(&sent).unwrap();
        for client in &KINDS {
            let told = client.codec.write_reply(&read, false, &context());
            let told = client.codec.read_reply(&told).unwrap();
            assert_eq!(
                told.vectors, reply.vectors,
                "{} to {}",
                upstream.name, client.name
            );
        }
    }
}
