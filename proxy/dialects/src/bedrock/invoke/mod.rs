//! `invoke` with Anthropic's bodies: the path names the model and whether to stream, a chunk of a stream holds an event of Anthropic's in base64.
//!
//! Sources: [Claude's messages](https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages.html),
//! [invoke with response stream](https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModelWithResponseStream.html).
//! `metadata` is left out: Bedrock does not document it.

pub mod stream;

use std::borrow::Cow;

use super::error;
use crate::anthropic;
use crate::anthropic::request::Endpoint;
use crate::codec::{Codec, Context, Framing, Path, StreamReader, StreamWriter, Target};
use crate::fields::Fields;
use crate::form::{Failure, Field, Garbage, Malformed, Part, Refused, Reply, Request};

/// The vendor's page that shows what Claude takes through `invoke`.
pub const PAGE: &str =
    "https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-claude.html";

/// `POST /model/{model}/invoke` and `…/invoke-with-response-stream`.
#[derive(Clone, Copy, Debug)]
pub struct Invoke;

impl Codec for Invoke {
    fn read_request(&self, body: &[u8], path: Path<'_>) -> Result<Request, Malformed> {
        anthropic::request::read(Fields::of_request(body)?, Endpoint::Bedrock, path)
    }

    fn write_request(&self, request: &Request, target: Target<'_>) -> Result<Vec<u8>, Refused> {
        anthropic::request::write(request, Endpoint::Bedrock, target)
    }

    fn read_reply(&self, body: &[u8]) -> Result<Reply, Garbage> {
        anthropic::reply::read(body)
    }

    fn write_reply(&self, reply: &Reply, context: &Context) -> Vec<u8> {
        anthropic::reply::write(reply, context)
    }

    fn has_place_for(&self, part: &Part) -> bool {
        anthropic::Messages.has_place_for(part)
    }

    fn framing(&self) -> Framing {
        Framing::EventStream
    }

    fn stream_reader(&self) -> Box<dyn StreamReader> {
        Box::new(stream::Reader::default())
    }

    fn stream_writer(&self, context: &Context) -> Box<dyn StreamWriter> {
        let chunks = stream::Chunks::new(context.started);
        Box::new(anthropic::stream::Writer::new(context, chunks))
    }

    fn read_error(&self, status: u16, body: &[u8]) -> Failure {
        error::read(status, body)
    }

    fn write_error(&self, failure: &Failure, _request_id: &str) -> (u16, Vec<u8>) {
        error::write(failure)
    }

    fn name_of(&self, field: &Field) -> Cow<'static, str> {
        anthropic::request::name_of(field)
    }
}
