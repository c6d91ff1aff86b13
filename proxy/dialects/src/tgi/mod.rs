//! Text Generation Inference's own API, both sides: `/generate`, `/generate_stream` and `/`.
//!
//! Source: [TGI's OpenAPI document](https://huggingface.github.io/text-generation-inference/) and what its router checks,
//! [`validation.rs`](https://github.com/huggingface/text-generation-inference/blob/main/router/src/validation.rs).
//!
//! It takes one prompt and knows no conversation: [`crate::template`] makes the one of the other, and
//! [`crate::template::stop`] trims the stops, which TGI leaves at the end of what it wrote.
//!
//! - `request`: prompts and parameters; `image`: images within a prompt.
//! - `reply`: whole replies.
//! - `stream`: streams of tokens.
//! - [`mod@error`]: its errors, the same for all of them.

pub mod error;
pub(crate) mod image;
mod reply;
mod request;
mod stream;

use std::borrow::Cow;

pub use reply::listed;

use crate::codec::{Codec, Context, Framing, Path, StreamReader, StreamWriter, Target};
use crate::form::{Failure, Field, Garbage, Malformed, Refused, Reply, Request};

/// The page that shows what a request can say.
pub(crate) const PAGE: &str = "https://huggingface.github.io/text-generation-inference/#/Text%20Generation%20Inference/generate";

/// Text Generation Inference.
#[derive(Clone, Copy, Debug)]
pub struct Tgi;

impl Codec for Tgi {
    fn read_request(&self, body: &[u8], path: Path<'_>) -> Result<Request, Malformed> {
        request::read(body, path)
    }

    fn write_request(&self, request: &Request, target: Target<'_>) -> Result<Vec<u8>, Refused> {
        request::write(request, target)
    }

    fn read_reply(&self, body: &[u8]) -> Result<Reply, Garbage> {
        reply::read(body)
    }

    fn write_reply(&self, reply: &Reply, _context: &Context) -> Vec<u8> {
        reply::write(reply)
    }

    fn framing(&self) -> Framing {
        Framing::Sse
    }

    fn stream_reader(&self) -> Box<dyn StreamReader> {
        Box::new(stream::Reader::default())
    }

    fn stream_writer(&self, _context: &Context) -> Box<dyn StreamWriter> {
        Box::new(stream::Writer::default())
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
