//! Vectors: numbers, with the digits that were sent.

use serde::{Deserialize, Serialize};
use serde_json::Number;

use crate::form::{EmbeddingReply, Garbage, Vector};
use crate::gemini::usage::Tokens;
use crate::json::to_vec;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    embedding: Option<Each>,
    embeddings: Option<Vec<Each>>,
    #[serde(alias = "usage_metadata")]
    usage_metadata: Option<Tokens>,
}

#[derive(Deserialize, Serialize)]
struct Each {
    #[serde(default)]
    values: Vec<Number>,
}

/// Reads a reply, of either call.
///
/// # Errors
/// [`Garbage`] if it holds no vectors.
pub fn read(body: &[u8]) -> Result<EmbeddingReply, Garbage> {
    let read: Body = serde_json::from_slice(body)
        .map_err(|fault| Garbage::new(format!("The reply holds no vectors: {fault}."), body))?;
    let several = read.embeddings.is_some();
    let each = read.embeddings.unwrap_or_default().into_iter();
    let each: Vec<Vector> = each
        .chain(read.embedding)
        .map(|each| Vector::Numbers(each.values))
        .collect();
    if each.is_empty() && !several {
        return Err(Garbage::new("The reply holds no vectors.", body));
    }
    Ok(EmbeddingReply {
        model: None,
        vectors: each,
        usage: read.usage_metadata.and_then(Tokens::read),
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Out {
    #[serde(skip_serializing_if = "Option::is_none")]
    embedding: Option<Each>,
    #[serde(skip_serializing_if = "Option::is_none")]
    embeddings: Option<Vec<Each>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage_metadata: Option<Tokens>,
}

/// Base64 that is broken is an empty vector, which no client takes for one.
fn numbers(vector: &Vector) -> Each {
    Each {
        values: vector.clone().into_numbers().unwrap_or_default(),
    }
}

fn usage(reply: &EmbeddingReply) -> Option<Tokens> {
    reply.usage.as_ref().map(Tokens::of)
}

/// Writes a reply of `embedContent`.
#[must_use]
pub fn write_one(reply: &EmbeddingReply) -> Vec<u8> {
    to_vec(&Out {
        embedding: reply.vectors.first().map(numbers),
        embeddings: None,
        usage_metadata: usage(reply),
    })
}

/// Writes a reply of `batchEmbedContents`.
#[must_use]
pub fn write_batch(reply: &EmbeddingReply) -> Vec<u8> {
    to_vec(&Out {
        embedding: None,
        embeddings: Some(reply.vectors.iter().map(numbers).collect()),
        usage_metadata: usage(reply),
    })
}
