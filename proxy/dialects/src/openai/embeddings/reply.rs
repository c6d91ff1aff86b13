//! Vectors.
//!
//! Read: in the order of their indices, numbers with the digits that were sent, or base64. Without usage nothing is made up.

use serde::{Deserialize, Serialize};
use serde_json::{Number, json};

use crate::codec::Context;
use crate::form::{EmbeddingReply, Garbage, Usage, Vector};
use crate::json::to_vec;
use crate::openai::usage::Figures;

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    model: Option<String>,
    data: Vec<Each>,
    #[serde(default)]
    usage: Option<Figures>,
}

#[derive(Deserialize)]
struct Each {
    #[serde(default)]
    index: Option<usize>,
    embedding: Embedding,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Embedding {
    Numbers(Vec<Number>),
    Base64(String),
}

/// Reads a reply.
///
/// # Errors
/// [`Garbage`] if it holds no vectors.
pub fn read(body: &[u8]) -> Result<EmbeddingReply, Garbage> {
    let mut read: Body = serde_json::from_slice(body)
        .map_err(|fault| Garbage::new(format!("The reply holds no vectors: {fault}."), body))?;
    if read.data.iter().all(|each| each.index.is_some()) {
        read.data.sort_by_key(|each| each.index);
    }
    let vectors = read.data.into_iter().map(|each| match each.embedding {
        Embedding::Numbers(numbers) => Vector::Numbers(numbers),
        Embedding::Base64(text) => Vector::Base64(text),
    });
    Ok(EmbeddingReply {
        model: read.model.filter(|model| !model.is_empty()),
        vectors: vectors.collect(),
        usage: read.usage.and_then(Figures::usage),
    })
}

#[derive(Serialize)]
#[serde(untagged)]
enum Out {
    Numbers(Vec<Number>),
    Base64(String),
}

/// Writes a reply.
#[must_use]
pub fn write(reply: &EmbeddingReply, base64: bool, context: &Context) -> Vec<u8> {
    #[derive(Serialize)]
    struct EachOut {
        object: &'static str,
        index: usize,
        embedding: Out,
    }
    #[derive(Serialize)]
    struct BodyOut<'a> {
        object: &'static str,
        data: Vec<EachOut>,
        model: &'a str,
        usage: serde_json::Value,
    }
    let each = |(index, vector): (usize, &Vector)| EachOut {
        object: "embedding",
        index,
        embedding: if base64 {
            Out::Base64(vector.clone().into_base64())
        } else {
            // Base64 that is broken is an empty vector, which no client takes for one.
            Out::Numbers(vector.clone().into_numbers().unwrap_or_default())
        },
    };
    let tokens = reply.usage.map_or(0, |Usage { input, .. }| input);
    let mut usage = json!({"prompt_tokens": tokens, "total_tokens": tokens});
    if reply.usage.is_some_and(|usage| usage.estimated) {
        usage["estimated"] = true.into();
    }
    to_vec(&BodyOut {
        object: "list",
        data: reply.vectors.iter().enumerate().map(each).collect(),
        model: &context.model,
        usage,
    })
}
