//! Text completions: `POST /v1/completions`.
//!
//! Source: [create a completion](https://platform.openai.com/docs/api-reference/completions/create). A prompt is a conversation of one user message,
//! marked [`crate::form::Request::raw`].
//!
//! Requests are in [`request`], whole replies in [`reply`], chunks in [`stream`]; chunks are read by [`crate::openai::chat::stream::Reader`].

pub mod reply;
pub mod request;
pub mod stream;

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{chat, error};
use crate::again::Again;
use crate::codec::{Codec, Context, Framing, Path, StreamReader, StreamWriter, Target};
use crate::form::{Failure, Field, Garbage, Malformed, Refused, Reply, Request};

/// The codec of text completions.
#[derive(Clone, Copy, Debug)]
pub struct Completions;

impl Codec for Completions {
    fn read_request(&self, body: &[u8], path: Path<'_>) -> Result<Request, Malformed> {
        request::read(body, path)
    }

    fn write_request(&self, request: &Request, target: Target<'_>) -> Result<Vec<u8>, Refused> {
        request::write(request, target)
    }

    fn read_reply(&self, body: &[u8]) -> Result<Reply, Garbage> {
        reply::read(body)
    }

    fn write_reply(&self, reply: &Reply, context: &Context) -> Vec<u8> {
        reply::write(reply, context)
    }

    fn framing(&self) -> Framing {
        Framing::Sse
    }

    fn stream_reader(&self) -> Box<dyn StreamReader> {
        Box::new(Again::<chat::stream::Reader>::default())
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
        match field {
            Field::MaxTokens => "max_tokens".into(),
            field => chat::request::name_of(field),
        }
    }

    fn echo(&self, body: &[u8]) -> Map<String, Value> {
        request::echo(body)
    }
}
