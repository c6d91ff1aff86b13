//! Every reply, made once.

use crate::wire;

/// The bytes of every reply.
pub(super) struct Replies {
    /// A whole reply.
    pub(super) plain: Vec<u8>,
    /// The head of a stream with its first event.
    pub(super) stream_start: Vec<u8>,
    /// One event.
    pub(super) event: Vec<u8>,
    /// Many events in one write.
    pub(super) block: Vec<u8>,
    /// `[DONE]` and the last chunk.
    pub(super) end: Vec<u8>,
    /// The head of a stream alone.
    pub(super) stream_head: Vec<u8>,
    /// To a request that did not arrive as expected.
    pub(super) refusal: Vec<u8>,
}

impl Replies {
    /// Makes them.
    pub(super) fn new() -> Self {
        let event = wire::chunk(&wire::event());
        let stream_head = "HTTP/1.1 200 OK\r\ndate: Tue, 14 Nov 2023 22:13:20 GMT\r\nserver: uvicorn\r\n\
             content-type: text/event-stream; charset=utf-8\r\nx-request-id: 4f1c2a9e7b3d4c5e8f60718293a4b5c6\r\n\
             transfer-encoding: chunked\r\n\r\n";
        let end = wire::chunk("data: [DONE]\n\n") + "0\r\n\r\n";
        Self {
            plain: whole("200 OK", &wire::reply_body()),
            stream_start: (stream_head.to_owned() + &event).into_bytes(),
            block: event.repeat(wire::EVENTS_PER_BLOCK).into_bytes(),
            event: event.into_bytes(),
            end: end.into_bytes(),
            stream_head: stream_head.into(),
            refusal: whole(
                "400 Bad Request",
                r#"{"error":{"message":"the benchmark's upstream wants another model or key"}}"#,
            ),
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
