//! The Responses API: `POST /v1/responses`.
//!
//! Source: [create a model response](https://platform.openai.com/docs/api-reference/responses/create),
//! [its streaming events](https://platform.openai.com/docs/api-reference/responses-streaming), and the types of OpenAI's SDKs.
//!
//! Nothing is stored here: what refers to stored responses is refused when it is read, naming the field. Requests are in [`request`], whole responses in
//! [`reply`], events in [`stream`].

pub mod reply;
pub mod request;
pub mod stream;

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{chat, error};
use crate::codec::{Codec, Context, Framing, Path, StreamReader, StreamWriter, Target};
use crate::form::{Failure, Field, Garbage, Malformed, Part, Refused, Reply, Request};

/// The codec of the Responses API.
#[derive(Clone, Copy, Debug)]
pub struct Responses;

impl Codec for Responses {
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

    fn has_place_for(&self, part: &Part) -> bool {
        let own = matches!(part, Part::Other { kind, .. } if kind.ends_with("_call"));
        own || part.is_common()
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
        match field {
            Field::MaxTokens => "max_output_tokens".into(),
            Field::Format => "text.format".into(),
            Field::Reasoning => "reasoning".into(),
            Field::Logprobs => "top_logprobs".into(),
            Field::Extra(name) if name == "verbosity" => "text.verbosity".into(),
            field => chat::request::name_of(field),
        }
    }

    fn echo(&self, body: &[u8]) -> Map<String, Value> {
        request::echo(body)
    }
}
