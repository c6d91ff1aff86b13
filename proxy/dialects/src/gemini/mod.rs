//! Google's Gemini API, both sides: `generateContent`, `streamGenerateContent?alt=sse`, and vectors.
//!
//! Sources: [generating content](https://ai.google.dev/api/generate-content), [content and its parts](https://ai.google.dev/api/caching#Content),
//! [embeddings](https://ai.google.dev/api/embeddings), and the types of Google's [SDK](https://github.com/googleapis/python-genai/blob/main/google/genai/types.py).
//! The path names the model and says whether the reply is a stream. Fields are read in `camelCase` and in `snake_case`, as Google's servers read them.
//!
//! - [`request`]: requests, read and written.
//! - [`reply`]: whole replies; [`stream`]: streamed ones, which are whole replies piece by piece.
//! - [`parts`], [`out`]: the parts of a content, read and written; [`calls`]: ids of the calls among them; [`bytes`]: bytes in base64.
//! - [`finish`], [`usage`], [`logprobs`]: why an answer ended, its tokens and their probabilities.
//! - [`error`]: errors; [`embed`]: vectors; [`count`]: requests that only count tokens; [`spelling`]: names of fields.
//!
//! Rules of ours on signatures, which are a vendor's own and go back to no other: Gemini's over a text is left out, since no other dialect brings it back;
//! Gemini's over a call stays with the call. What another vendor signed is shown to Gemini's clients as a thought with a
//! signature that bears a mark, and given back to that vendor.

pub mod bytes;
pub mod calls;
pub mod count;
pub mod embed;
pub mod error;
pub mod finish;
pub mod logprobs;
pub mod out;
pub mod parts;
pub mod reply;
pub mod request;
pub mod spelling;
pub mod stream;
pub mod usage;

use std::borrow::Cow;

pub use embed::{BatchEmbedContents, EmbedContent};

use crate::codec::{Codec, Context, Framing, Path, StreamReader, StreamWriter, Target};
use crate::form::{Failure, Field, Garbage, Malformed, Part, Refused, Reply, Request};

/// `POST /v1beta/models/{model}:generateContent` and `…:streamGenerateContent?alt=sse`.
#[derive(Clone, Copy, Debug)]
pub struct Gemini;

impl Codec for Gemini {
    fn read_request(&self, body: &[u8], path: Path<'_>) -> Result<Request, Malformed> {
        request::read::read(body, path)
    }

    fn write_request(&self, request: &Request, target: Target<'_>) -> Result<Vec<u8>, Refused> {
        request::write::write(request, target)
    }

    fn read_reply(&self, body: &[u8]) -> Result<Reply, Garbage> {
        reply::read::read(body)
    }

    fn write_reply(&self, reply: &Reply, context: &Context) -> Vec<u8> {
        reply::write::write(reply, context)
    }

    fn has_place_for(&self, part: &Part) -> bool {
        reply::write::has_place_for(part)
    }

    fn framing(&self) -> Framing {
        Framing::Sse
    }

    fn stream_reader(&self) -> Box<dyn StreamReader> {
        Box::new(stream::Reader::default())
    }

    fn stream_writer(&self, context: &Context) -> Box<dyn StreamWriter> {
        Box::new(stream::Writer::new(context))
    }

    fn read_error(&self, status: u16, body: &[u8]) -> Failure {
        error::read(status, body)
    }

    fn write_error(&self, failure: &Failure, _request_id: &str) -> (u16, Vec<u8>) {
        error::write(failure)
    }

    fn name_of(&self, field: &Field) -> Cow<'static, str> {
        request::name_of(field)
    }
}
