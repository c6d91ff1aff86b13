//! `invoke` with Claude 2's text completions: one prompt of turns that begin with `\n\nHuman:` and `\n\nAssistant:`.
//!
//! Source: [Claude's text completions](https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-text-completion.html).
//! Such a body has `prompt` where that of [`super::invoke`] has `messages`. Tokens are counted in headers, and in the last chunk of a stream.

pub mod reply;
pub mod request;
pub mod stream;

use std::borrow::Cow;

use super::error;
use crate::codec::{Codec, Context, Framing, Path, StreamReader, StreamWriter, Target};
use crate::form::{Failure, Field, Garbage, Malformed, Refused, Reply, Request};

/// `POST /model/{model}/invoke` and `…/invoke-with-response-stream`, for Claude 2.
#[derive(Clone, Copy, Debug)]
pub struct Text;

impl Codec for Text {
    fn read_request(&self, body: &[u8], path: Path<'_>) -> Result<Request, Malformed> {
        request::read(body, path)
    }

    fn write_request(&self, request: &Request, _target: Target<'_>) -> Result<Vec<u8>, Refused> {
        request::write(request)
    }

    fn read_reply(&self, body: &[u8]) -> Result<Reply, Garbage> {
        reply::read(body)
    }

    fn write_reply(&self, reply: &Reply, _context: &Context) -> Vec<u8> {
        reply::write(reply)
    }

    fn framing(&self) -> Framing {
        Framing::EventStream
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
        match field {
            Field::MaxTokens => Cow::Borrowed("max_tokens_to_sample"),
            other => crate::anthropic::request::name_of(other),
        }
    }
}
