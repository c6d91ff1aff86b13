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

/// Whether what a reply has besides is an item of this API's own: other dialects have parts that are named alike, and look otherwise.
fn is_item(kind: &str, value: &Value) -> bool {
    kind.ends_with("_call") && value["type"] == kind
}

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
        let own = matches!(part, Part::Other { kind, value } if is_item(kind, value));
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_part_that_is_merely_named_like_an_item_is_none() {
        let part = |value| Part::Other {
            kind: "web_search_call".into(),
            value,
        };
        let own = part(json!({"type": "web_search_call", "id": "ws_1"}));
        assert!(Responses.has_place_for(&own));
        let other = part(json!({"web_search_call": {}}));
        assert!(!Responses.has_place_for(&other));
    }
}
