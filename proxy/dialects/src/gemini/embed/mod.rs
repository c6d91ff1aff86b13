//! Vectors: `embedContent`, which takes one content, and `batchEmbedContents`, which takes several.
//!
//! Source: [embeddings](https://ai.google.dev/api/embeddings). Google's SDK sends batches only.

pub mod reply;
pub mod request;

use std::borrow::Cow;

use super::request::name_of;
use crate::codec::{Context, EmbeddingCodec, Path, Target};
use crate::form::{EmbeddingReply, EmbeddingRequest, Field, Garbage, Malformed, Refused};

/// `POST /v1beta/models/{model}:embedContent`.
#[derive(Clone, Copy, Debug)]
pub struct EmbedContent;

/// `POST /v1beta/models/{model}:batchEmbedContents`.
#[derive(Clone, Copy, Debug)]
pub struct BatchEmbedContents;

impl EmbeddingCodec for EmbedContent {
    fn read_request(&self, body: &[u8], path: Path<'_>) -> Result<EmbeddingRequest, Malformed> {
        request::read_one(body, path)
    }

    fn write_request(
        &self,
        request: &EmbeddingRequest,
        _target: Target<'_>,
    ) -> Result<Vec<u8>, Refused> {
        request::write_one(request)
    }

    fn read_reply(&self, body: &[u8]) -> Result<EmbeddingReply, Garbage> {
        reply::read(body)
    }

    fn write_reply(&self, reply: &EmbeddingReply, _base64: bool, _context: &Context) -> Vec<u8> {
        reply::write_one(reply)
    }

    fn name_of(&self, field: &Field) -> Cow<'static, str> {
        name_of(field)
    }
}

impl EmbeddingCodec for BatchEmbedContents {
    fn read_request(&self, body: &[u8], path: Path<'_>) -> Result<EmbeddingRequest, Malformed> {
        request::read_batch(body, path)
    }

    fn write_request(
        &self,
        request: &EmbeddingRequest,
        target: Target<'_>,
    ) -> Result<Vec<u8>, Refused> {
        request::write_batch(request, target)
    }

    fn read_reply(&self, body: &[u8]) -> Result<EmbeddingReply, Garbage> {
        reply::read(body)
    }

    fn write_reply(&self, reply: &EmbeddingReply, _base64: bool, _context: &Context) -> Vec<u8> {
        reply::write_batch(reply)
    }

    fn name_of(&self, field: &Field) -> Cow<'static, str> {
        name_of(field)
    }
}
