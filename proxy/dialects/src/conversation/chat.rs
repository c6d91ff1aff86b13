//! `chat`, `chat/completions` and `passthrough`: OpenAI's chat, with what the API adds to it.
//!
//! Rules of the reader: the model is `model_name`, or else `model`; a stream is wanted unless it is said otherwise; `system_prompt` comes before
//! the messages; `options` are Ollama's or this API's, and what stands beside them wins. Replies, streams and errors are OpenAI's, and so is what is
//! written for a server, since none speaks this.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::request;
use crate::codec::{Codec, Context, Framing, Path, StreamReader, StreamWriter, Target};
use crate::fields::Fields;
use crate::form::{Failure, Field, Garbage, Malformed, Part, Refused, Reply, Request};
use crate::{ollama, openai};

/// `chat`, `chat/completions` and `passthrough`.
#[derive(Clone, Copy, Debug)]
pub struct Chat;

impl Codec for Chat {
    fn read_request(&self, body: &[u8], path: Path<'_>) -> Result<Request, Malformed> {
        let mut fields = Fields::of_body(body)?;
        let model = request::model(&mut fields, path)?;
        request::unneeded(&mut fields)?;
        let prompt = request::system_prompt(&mut fields)?;
        let stream = fields.bool("stream")?;
        let options = fields.object("options")?;
        let limit = fields.count("max_new_tokens")?;
        let rest = Value::Object(fields.rest()).to_string();
        let said = Path {
            model: Some(&model),
            stream: Some(path.stream.or(stream).unwrap_or(true)),
        };
        let mut request = openai::Chat.read_request(rest.as_bytes(), said)?;
        request.max_tokens = request.max_tokens.or(limit);
        if let Some(options) = options {
            add(options, &mut request)?;
        }
        if let Some(prompt) = prompt {
            request.messages.insert(0, prompt);
        }
        Ok(request)
    }

    fn write_request(&self, request: &Request, target: Target<'_>) -> Result<Vec<u8>, Refused> {
        openai::Chat.write_request(request, target)
    }

    fn read_reply(&self, body: &[u8]) -> Result<Reply, Garbage> {
        openai::Chat.read_reply(body)
    }

    fn write_reply(&self, reply: &Reply, context: &Context) -> Vec<u8> {
        openai::Chat.write_reply(reply, context)
    }

    fn has_place_for(&self, part: &Part) -> bool {
        openai::Chat.has_place_for(part)
    }

    fn framing(&self) -> Framing {
        openai::Chat.framing()
    }

    fn stream_reader(&self) -> Box<dyn StreamReader> {
        openai::Chat.stream_reader()
    }

    fn stream_writer(&self, context: &Context) -> Box<dyn StreamWriter> {
        openai::Chat.stream_writer(context)
    }

    fn read_error(&self, status: u16, body: &[u8]) -> Failure {
        openai::Chat.read_error(status, body)
    }

    fn write_error(&self, failure: &Failure, request_id: &str) -> (u16, Vec<u8>) {
        openai::Chat.write_error(failure, request_id)
    }

    fn name_of(&self, field: &Field) -> Cow<'static, str> {
        openai::Chat.name_of(field)
    }

    fn echo(&self, body: &[u8]) -> Map<String, Value> {
        openai::Chat.echo(body)
    }
}

/// Adds options to a request that says the same of itself better.
fn add(mut options: Fields, request: &mut Request) -> Result<(), Malformed> {
    request::options(&mut options, request)?;
    let mut others = Request::default();
    let unknown = ollama::read_options(options, &mut others)?;
    let (own, other) = (&mut request.sampling, others.sampling);
    own.min_p = own.min_p.or(other.min_p);
    own.seed = own.seed.or(other.seed);
    own.frequency_penalty = own.frequency_penalty.or(other.frequency_penalty);
    own.presence_penalty = own.presence_penalty.or(other.presence_penalty);
    own.repetition_penalty = own.repetition_penalty.or(other.repetition_penalty);
    request.max_tokens = request.max_tokens.or(others.max_tokens);
    if request.stop.is_empty() {
        request.stop = others.stop;
    }
    for (name, value) in unknown {
        request.extra.insert(format!("options.{name}"), value);
    }
    Ok(())
}
