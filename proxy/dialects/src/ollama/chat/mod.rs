//! `/api/chat`.
//!
//! Source: [generate a chat message](https://docs.ollama.com/api/chat),
//! [tool calling](https://docs.ollama.com/capabilities/tool-calling), [streaming](https://docs.ollama.com/api/streaming).

mod request;

use std::borrow::Cow;

use super::shape::Shape;
use super::{error, options, reply, stream};
use crate::codec::{Codec, Context, Framing, Path, StreamReader, StreamWriter, Target};
use crate::form::{Failure, Field, Garbage, Malformed, Refused, Reply, Request};

/// Ollama's chat.
#[derive(Clone, Copy, Debug)]
pub struct Chat;

impl Codec for Chat {
    fn read_request(&self, body: &[u8], path: Path<'_>) -> Result<Request, Malformed> {
        request::read(body, path)
    }

    fn write_request(&self, request: &Request, target: Target<'_>) -> Result<Vec<u8>, Refused> {
        request::write(request, target)
    }

    fn read_reply(&self, body: &[u8]) -> Result<Reply, Garbage> {
        reply::read(body, Shape::Chat)
    }

    fn write_reply(&self, reply: &Reply, context: &Context) -> Vec<u8> {
        reply::write(reply, context, Shape::Chat)
    }

    fn framing(&self) -> Framing {
        Framing::Ndjson
    }

    fn stream_reader(&self) -> Box<dyn StreamReader> {
        Box::new(stream::Reader::new(Shape::Chat))
    }

    fn stream_writer(&self, context: &Context) -> Box<dyn StreamWriter> {
        Box::new(stream::Writer::new(context, Shape::Chat))
    }

    fn read_error(&self, status: u16, body: &[u8]) -> Failure {
        error::read(status, body)
    }

    fn write_error(&self, failure: &Failure, _request_id: &str) -> (u16, Vec<u8>) {
        error::write(failure)
    }

    fn name_of(&self, field: &Field) -> Cow<'static, str> {
        options::name_of(field)
    }
}
