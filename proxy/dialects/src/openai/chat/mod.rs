//! Chat completions: `POST /v1/chat/completions`.
//!
//! Source: [create a chat completion](https://platform.openai.com/docs/api-reference/chat/create),
//! [the chunk object](https://platform.openai.com/docs/api-reference/chat-streaming), and where servers differ the
//! [vLLM](https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html), [SGLang](https://docs.sglang.ai/basic_usage/openai_api_completions.html)
//! and [llama.cpp](https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md) pages.
//!
//! Requests are in [`request`], whole replies in [`reply`], chunks in [`stream`].

pub mod reply;
pub mod request;
pub mod stream;

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::error;
use crate::again::Again;
use crate::codec::{Codec, Context, Framing, Path, StreamReader, StreamWriter, Target};
use crate::form::{Failure, Field, Garbage, Malformed, Part, Refused, Reply, Request};

/// The codec of chat completions.
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
        reply::read(body)
    }

    fn write_reply(&self, reply: &Reply, context: &Context) -> Vec<u8> {
        reply::write(reply, context)
    }

    fn has_place_for(&self, part: &Part) -> bool {
        let own = matches!(part, Part::Other { kind, .. } if kind == "custom" || kind == "audio");
        own || part.is_common()
    }

    fn framing(&self) -> Framing {
        Framing::Sse
    }

    fn stream_reader(&self) -> Box<dyn StreamReader> {
        Box::new(Again::<stream::Reader>::default())
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

    fn echo(&self, body: &[u8]) -> Map<String, Value> {
        request::echo(body)
    }
}
