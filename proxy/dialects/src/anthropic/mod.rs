//! Anthropic's messages.
//!
//! Sources: [create a message](https://platform.claude.com/docs/en/api/messages/create),
//! [streaming](https://platform.claude.com/docs/en/build-with-claude/streaming),
//! [count tokens](https://platform.claude.com/docs/en/api/messages/count_tokens),
//! [errors](https://platform.claude.com/docs/en/api/errors).
//!
//! - [`request`]: requests, read and written; [`count`]: those that only count tokens.
//! - [`reply`]: whole replies; [`stream`]: streamed ones; [`usage`]: their tokens.
//! - [`error`]: errors, whole and in streams.
//! - [`ids`]: ids of tool calls, as this vendor takes them; [`betas`]: names of its previews.

pub mod betas;
pub mod count;
pub mod error;
pub mod ids;
pub mod reply;
pub mod request;
pub mod stream;
pub mod usage;

use std::borrow::Cow;

use crate::again::Again;
use crate::codec::{Codec, Context, Framing, Path, StreamReader, StreamWriter, Target};
use crate::fields::Fields;
use crate::form::{Failure, Field, Garbage, Malformed, Part, Refused, Reply, Request};

/// `POST /v1/messages`.
#[derive(Clone, Copy, Debug)]
pub struct Messages;

impl Codec for Messages {
    fn read_request(&self, body: &[u8], path: Path<'_>) -> Result<Request, Malformed> {
        request::read(Fields::of_request(body)?, request::Endpoint::Messages, path)
    }

    fn write_request(&self, request: &Request, target: Target<'_>) -> Result<Vec<u8>, Refused> {
        request::write(request, request::Endpoint::Messages, target)
    }

    fn read_reply(&self, body: &[u8]) -> Result<Reply, Garbage> {
        reply::read(body)
    }

    fn write_reply(&self, reply: &Reply, context: &Context) -> Vec<u8> {
        reply::write(reply, context)
    }

    fn has_place_for(&self, part: &Part) -> bool {
        match part {
            Part::Other { kind, value } => request::turns::is_own(kind, value),
            part => part.is_common(),
        }
    }

    fn framing(&self) -> Framing {
        Framing::Sse
    }

    fn stream_reader(&self) -> Box<dyn StreamReader> {
        Box::new(Again::<stream::Reader>::default())
    }

    fn stream_writer(&self, context: &Context) -> Box<dyn StreamWriter> {
        Box::new(stream::Writer::new(context, stream::Sse))
    }

    fn read_error(&self, status: u16, body: &[u8]) -> Failure {
        error::read(status, body)
    }

    fn write_error(&self, failure: &Failure, request_id: &str) -> (u16, Vec<u8>) {
        error::write(failure, request_id)
    }

    fn name_of(&self, field: &Field) -> Cow<'static, str> {
        request::name_of(field)
    }
}
