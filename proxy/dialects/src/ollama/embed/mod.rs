//! `/api/embed`, and `/api/embeddings`, which takes one prompt and gives one vector.
//!
//! Source: [generate embeddings](https://docs.ollama.com/api/embed) and, for the older one, `EmbeddingRequest` of
//! [`api/types.go`](https://github.com/ollama/ollama/blob/main/api/types.go).

mod reply;
mod request;

use std::borrow::Cow;

use super::options;
use crate::codec::{Context, EmbeddingCodec, Path, Target};
use crate::form::{EmbeddingReply, EmbeddingRequest, Field, Garbage, Malformed, Refused};

/// `/api/embed`.
#[derive(Clone, Copy, Debug)]
pub struct Embed;

/// `/api/embeddings`.
#[derive(Clone, Copy, Debug)]
pub struct Embeddings;

impl EmbeddingCodec for Embed {
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

    fn write_reply(&self, reply: &EmbeddingReply, _base64: bool, context: &Context) -> Vec<u8> {
        reply::write(reply, context)
    }

    fn name_of(&self, field: &Field) -> Cow<'static, str> {
        options::name_of(field)
    }
}

impl EmbeddingCodec for Embeddings {
    fn read_request(&self, body: &[u8], path: Path<'_>) -> Result<EmbeddingRequest, Malformed> {
        request::read_prompt(body, path)
    }

    fn write_request(
        &self,
        request: &EmbeddingRequest,
        target: Target<'_>,
    ) -> Result<Vec<u8>, Refused> {
        request::write_prompt(request, target)
    }

    fn read_reply(&self, body: &[u8]) -> Result<EmbeddingReply, Garbage> {
        reply::read(body)
    }

    fn write_reply(&self, reply: &EmbeddingReply, _base64: bool, _context: &Context) -> Vec<u8> {
        reply::write_one(reply)
    }

    fn name_of(&self, field: &Field) -> Cow<'static, str> {
        options::name_of(field)
    }
}
