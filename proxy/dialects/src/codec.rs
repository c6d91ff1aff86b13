//! What every dialect implements: a reader and a writer of requests, replies, streams and errors.
//!
//! A dialect's reader and writer of one thing undo each other as far as the form goes. Readers are lenient with what
//! servers are known to get wrong and strict with what would change the meaning; writers are strict.

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::form::{
    EmbeddingReply, EmbeddingRequest, Event, Failure, Field, Garbage, Malformed, Part, Refused,
    Reply, Request,
};
use crate::rope::Rope;

/// What the path of a request says, in dialects that say there what others say in the body.
#[derive(Clone, Copy, Debug, Default)]
pub struct Path<'a> {
    /// The model (Azure's deployment, Bedrock, Gemini); absent: the body names it.
    pub model: Option<&'a str>,
    /// Whether the path asks for a stream; absent: the body says it.
    pub stream: Option<bool>,
}

/// What a writer of requests knows of the upstream besides its dialect.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The upstream's own name of the model, which goes into the body in dialects that name it there.
    pub model: &'a str,
    /// Whether the reply is to be streamed.
    pub stream: bool,
}

/// What a writer of replies knows of the request besides the reply.
#[derive(Clone, Debug)]
pub struct Context {
    /// This request's id, from which ids are made where the upstream gave none.
    pub request_id: String,
    /// The model to name where the reply names none.
    pub model: String,
    /// When the request came.
    pub started: Timestamp,
    /// Whether the client asked for usage at the end of a stream ([`Request::stream_usage`]).
    pub stream_usage: bool,
    /// Whether the client asked for reasoning, and did not ask to have it hidden.
    pub reasoning: bool,
    /// What [`Codec::echo`] of the client's dialect gave.
    pub echo: Map<String, Value>,
}

/// How a stream of a dialect is cut into events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Server-sent events: `text/event-stream`.
    Sse,
    /// A JSON text a line: `application/x-ndjson`.
    Ndjson,
    /// AWS event stream: `application/vnd.amazon.eventstream`.
    EventStream,
}

impl Framing {
    /// The media type of such a stream.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Sse => "text/event-stream",
            Self::Ndjson => "application/x-ndjson",
            Self::EventStream => "application/vnd.amazon.eventstream",
        }
    }
}

/// One framed event of a stream, cut but not read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Frame<'a> {
    /// The value of `event:` (SSE), or of `:event-type` or `:exception-type` (AWS).
    pub name: Option<&'a str>,
    /// Whether it is an exception (AWS's `:message-type`).
    pub exception: bool,
    /// The data: of an SSE event without its field name, of NDJSON the line, of AWS the payload.
    pub data: &'a [u8],
}

/// A dialect.
pub trait Codec: Send + Sync {
    /// Reads a client's request.
    ///
    /// # Errors
    /// [`Malformed`], naming the place, if it is not what the dialect says.
    fn read_request(&self, body: &[u8], path: Path<'_>) -> Result<Request, Malformed>;

    /// Writes a request for an upstream.
    ///
    /// # Errors
    /// [`Refused`] if the dialect cannot express it.
    fn write_request(&self, request: &Request, target: Target<'_>) -> Result<Vec<u8>, Refused>;

    /// Reads an upstream's whole reply.
    ///
    /// # Errors
    /// [`Garbage`] if it is not what the dialect says.
    fn read_reply(&self, body: &[u8]) -> Result<Reply, Garbage>;

    /// Writes a whole reply for a client. What the dialect cannot express is left out by its documented rules.
    fn write_reply(&self, reply: &Reply, context: &Context) -> Vec<u8>;

    /// Whether a whole reply to a client may hold the part, in its words or in the nearest ones.
    fn has_place_for(&self, part: &Part) -> bool {
        part.is_common()
    }

    /// How its streams are framed.
    fn framing(&self) -> Framing;

    /// A reader of one upstream's stream.
    fn stream_reader(&self) -> Box<dyn StreamReader>;

    /// A writer of one client's stream.
    fn stream_writer(&self, context: &Context) -> Box<dyn StreamWriter>;

    /// Reads the body of an upstream's error; any body will do, JSON or not.
    fn read_error(&self, status: u16, body: &[u8]) -> Failure;

    /// Writes an error for a client: the status to answer with, and the body, which is JSON.
    fn write_error(&self, failure: &Failure, request_id: &str) -> (u16, Vec<u8>);

    /// What a client of this dialect calls the field: `max_completion_tokens`, `options.num_predict`.
    fn name_of(&self, field: &Field) -> Cow<'static, str>;

    /// What replies need of a request's body besides the form, for [`Context::echo`]: fields that they repeat, or words that change their shape.
    /// `body` was read before without a fault.
    fn echo(&self, _body: &[u8]) -> Map<String, Value> {
        Map::new()
    }
}

/// A dialect's form of requests for vectors. Its errors are its conversations'.
pub trait EmbeddingCodec: Send + Sync {
    /// Reads a client's request.
    ///
    /// # Errors
    /// [`Malformed`], naming the place, if it is not what the dialect says.
    fn read_request(&self, body: &[u8], path: Path<'_>) -> Result<EmbeddingRequest, Malformed>;

    /// Writes a request for an upstream.
    ///
    /// # Errors
    /// [`Refused`] if the dialect cannot express it.
    fn write_request(
        &self,
        request: &EmbeddingRequest,
        target: Target<'_>,
    ) -> Result<Vec<u8>, Refused>;

    /// Reads an upstream's reply.
    ///
    /// # Errors
    /// [`Garbage`] if it is not what the dialect says.
    fn read_reply(&self, body: &[u8]) -> Result<EmbeddingReply, Garbage>;

    /// Writes a reply for a client. Vectors are written as numbers unless `base64` (the request's wish) and the dialect has it.
    fn write_reply(&self, reply: &EmbeddingReply, base64: bool, context: &Context) -> Vec<u8>;

    /// What a client of this dialect calls the field.
    fn name_of(&self, field: &Field) -> Cow<'static, str>;
}

/// Reads a stream into events.
pub trait StreamReader: Send {
    /// Reads one frame and emits what it says, each event as soon as it is known.
    ///
    /// # Errors
    /// [`Garbage`] if it is not what the dialect says; the stream cannot go on.
    fn read(&mut self, frame: Frame<'_>, emit: &mut dyn FnMut(Event<'_>)) -> Result<(), Garbage>;

    /// The upstream closed the stream. Emits what is owed ([`Event::Done`] for servers that leave their terminator out after
    /// every choice had its finish reason); whether the answer is complete. If not, it broke off.
    fn end(&mut self, emit: &mut dyn FnMut(Event<'_>)) -> bool;
}

/// Writes events as a stream, frames included.
pub trait StreamWriter: Send {
    /// Appends what a client is sent for an event, which may be nothing. `now` is asked only by dialects that stamp events.
    fn write(&mut self, event: Event<'_>, now: &dyn Fn() -> Timestamp, out: &mut Vec<u8>);

    /// The same, with what is kept of the answer shared rather than copied where the dialect says it again.
    fn share(&mut self, event: Event<'_>, now: &dyn Fn() -> Timestamp, out: &mut Rope) {
        self.write(event, now, out.tail());
    }

    /// Whether [`Event::Part`] of this part is written; others are of no dialect that streams.
    fn has_place_for(&self, _part: &Part) -> bool {
        false
    }

    /// How many bytes of the answer are kept because the dialect wants them later: the whole text at the end (Responses, TGI), or a
    /// call's arguments in one piece (Ollama, Gemini). Whoever drives the writer ends a stream whose writer keeps too much.
    fn kept(&self) -> usize {
        0
    }
}
