//! `converse`: one form for every model.
//!
//! Sources: [converse](https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html),
//! [converse stream](https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html).
//!
//! - [`request`]: requests, read and written.
//! - [`reply`]: whole replies; [`stream`]: streamed ones; [`usage`]: their tokens.

pub mod reply;
pub mod request;
pub mod stream;
pub mod usage;

use std::borrow::Cow;

use super::error;
use crate::codec::{Codec, Context, Framing, Path, StreamReader, StreamWriter, Target};
use crate::form::{Failure, Field, Garbage, Malformed, Part, Refused, Reply, Request};

/// `POST /model/{model}/converse` and `…/converse-stream`.
#[derive(Clone, Copy, Debug)]
pub struct Converse;

impl Codec for Converse {
    fn read_request(&self, body: &[u8], path: Path<'_>) -> Result<Request, Malformed> {
        request::read::read(body, path)
    }

    fn write_request(&self, request: &Request, target: Target<'_>) -> Result<Vec<u8>, Refused> {
        request::write::write(request, target)
    }

    fn read_reply(&self, body: &[u8]) -> Result<Reply, Garbage> {
        reply::read(body)
    }

    fn write_reply(&self, reply: &Reply, context: &Context) -> Vec<u8> {
        reply::write(reply, context)
    }

    fn has_place_for(&self, part: &Part) -> bool {
        let own = matches!(part, Part::Other { kind, .. } if request::parts::is_own(kind));
        own || part.is_common()
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
        request::name_of(field)
    }
}
