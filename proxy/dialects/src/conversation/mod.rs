//! The Conversation API: an application says what the user says and gets what the model answers, with a system prompt from a library.
//!
//! Source: the calls of [llm-router](https://github.com/radlab-dev-group/llm-router), which began as llm-proxy-api:
//! `conversation_with_model`, `extended_conversation_with_model`, `chat` and `passthrough`. Only clients speak it.
//!
//! Which prompt of the library is meant (`language`, `prompt_name`) is for whoever has the library: it puts the prompt into
//! `system_prompt`, and here the two are read and left out.
//!
//! - [`Conversation`]: a statement and the history before it.
//! - [`Chat`]: OpenAI's chat, with what the API adds to it.
//! - `request`, `reply`, `stream`: those of the former.
//! - [`mod@error`]: its errors.

mod chat;
pub mod error;
mod reply;
mod request;
mod stream;

use std::borrow::Cow;

pub use chat::Chat;
pub use reply::timed;

use crate::codec::{Codec, Context, Framing, Path, StreamReader, StreamWriter, Target};
use crate::form::{Failure, Field, Garbage, Malformed, Refused, Reply, Request};

/// `conversation_with_model` and `extended_conversation_with_model`.
#[derive(Clone, Copy, Debug)]
pub struct Conversation;

impl Codec for Conversation {
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
        Framing::Ndjson
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
