//! Vectors: `POST /v1/embeddings`.
//!
//! Source: [create embeddings](https://platform.openai.com/docs/api-reference/embeddings/create).

pub mod reply;
pub mod request;

use std::borrow::Cow;

use super::chat::request::name_of;
use crate::codec::{Context, EmbeddingCodec, Path, Target};
use crate::form::{EmbeddingReply, EmbeddingRequest, Field, Garbage, Malformed, Refused};

/// The codec of vectors.
#[derive(Clone, Copy, Debug)]
pub struct Embeddings;

impl EmbeddingCodec for Embeddings {
    fn read_request(&self, body: &[u8], path: Path<'_>) -> Result<EmbeddingRequest, Malformed> {
        request::read(body, path)
    }

    fn write_request(
        &self,
        request: &EmbeddingRequest,
        target: Target<'_>,
    ) -> Result<Vec<u8>, Refused> {
        request::write(request, target)
    }

    fn read_reply(&self, body: &[u8]) -> Result<EmbeddingReply, Garbage> {
        reply::read(body)
    }

    fn write_reply(&self, reply: &EmbeddingReply, base64: bool, context: &Context) -> Vec<u8> {
        reply::write(reply, base64, context)
    }

    fn name_of(&self, field: &Field) -> Cow<'static, str> {
        name_of(field)
    }
}
