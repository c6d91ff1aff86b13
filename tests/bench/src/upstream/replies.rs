//! Every reply, made once.

use crate::wire::{self, Api};

/// The head of every stream.
const STREAM_HEAD: &str = "HTTP/1.1 200 OK\r\ndate: Tue, 14 Nov 2023 22:13:20 GMT\r\nserver: uvicorn\r\n\
     content-type: text/event-stream; charset=utf-8\r\nx-request-id: 4f1c2a9e7b3d4c5e8f60718293a4b5c6\r\n\
     transfer-encoding: chunked\r\n\r\n";

/// The bytes of every reply.
pub(super) struct Replies {
    /// A whole reply.
    pub(super) plain: Vec<u8>,
    /// To a request that did not arrive as expected.
    pub(super) refusal: Vec<u8>,
    openai: Streams,
    anthropic: Streams,
}

/// The bytes of an API's streams.
pub(super) struct Streams {
    /// The head of a stream with its first event.
    pub(super) first: Vec<u8>,
    /// One event.
    pub(super) event: Vec<u8>,
    /// Many events in one write.
    pub(super) block: Vec<u8>,
    /// What ends the stream, and the last chunk.
    pub(super) end: Vec<u8>,
    /// The head of a stream with what stands before its events.
    pub(super) head: Vec<u8>,
}

impl Replies {
    /// Makes them.
    pub(super) fn new() -> Self {
        Self {
            plain: whole("200 OK", &wire::reply_body()),
            refusal: whole(
                "400 Bad Request",
                r#"{"error":{"message":"the benchmark's upstream wants another model or key"}}"#,
            ),
            openai: Streams::new(Api::OpenAi),
            anthropic: Streams::new(Api::Anthropic),
        }
    }

    /// Those of an API.
    pub(super) fn streams(&self, api: Api) -> &Streams {
        match api {
            Api::OpenAi => &self.openai,
            Api::Anthropic => &self.anthropic,
        }
    }
}

impl Streams {
    fn new(api: Api) -> Self {
        let event = wire::chunk(&api.event());
        let start = api.start();
        let head = match start.as_str() {
            "" => STREAM_HEAD.to_owned(),
            start => STREAM_HEAD.to_owned() + &wire::chunk(start),
        };
        Self {
            first: (head.clone() + &event).into_bytes(),
            block: event.repeat(wire::EVENTS_PER_BLOCK).into_bytes(),
            event: event.into_bytes(),
            end: (wire::chunk(api.end()) + "0\r\n\r\n").into_bytes(),
            head: head.into_bytes(),
        }
    }
}

fn whole(status: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status}\r\ndate: Tue, 14 Nov 2023 22:13:20 GMT\r\nserver: uvicorn\r\ncontent-length: {}\r\n\
         content-type: application/json\r\nx-request-id: 4f1c2a9e7b3d4c5e8f60718293a4b5c6\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
