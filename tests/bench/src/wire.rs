//! The bytes that go over the wire: requests as the OpenAI SDK for Python sends them, and replies as vLLM does.

use std::net::SocketAddr;

/// The name that clients ask for.
pub(crate) const REQUESTED_MODEL: &str = "gpt-4";
/// The name that the upstream knows.
pub(crate) const UPSTREAM_MODEL: &str = "llama";
/// The key that clients send, which the upstream must not see from the proxy.
pub(crate) const CLIENT_KEY: &str = "sk-the-clients-own-placeholder";
/// The key that the upstream wants from the proxy.
pub(crate) const UPSTREAM_KEY: &str = "sk-bench-0123456789abcdef0123456789abcdef";
/// The host name that leads to the route.
pub(crate) const HOST: &str = "chat.default.svc.cluster.local";
/// Events of a stream at full speed, without `[DONE]`.
pub(crate) const FULL_EVENTS: usize = FULL_BLOCKS * EVENTS_PER_BLOCK;
/// Writes of a stream at full speed.
pub(crate) const FULL_BLOCKS: usize = 32;
/// Events in one write of a stream at full speed, as a socket gathers them when the reader is slower.
pub(crate) const EVENTS_PER_BLOCK: usize = 64;

/// What a request asks the upstream for; it travels as the body's `user`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A whole reply of about 2 KiB.
    Plain,
    /// A stream with an event every 20 ms, until the client leaves.
    Paced,
    /// A stream of [`FULL_EVENTS`] as fast as the socket takes them.
    Full,
    /// A stream that falls silent after its first event, until the client leaves.
    Idle,
}

impl Kind {
    /// Every kind.
    pub(crate) const ALL: [Self; 4] = [Self::Plain, Self::Paced, Self::Full, Self::Idle];

    /// The word in the body's `user`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Paced => "paced",
            Self::Full => "full",
            Self::Idle => "idle",
        }
    }
}

/// A chat request with a body of about 1 KiB, for [`HOST`] at `address`.
pub(crate) fn request(address: SocketAddr, kind: Kind) -> Vec<u8> {
    let question =
        "Summarise what an interpreter at a royal court did, whom he served, and how he was paid. "
            .repeat(8);
    let body = format!(
        r#"{{"messages":[{{"role":"system","content":"You answer briefly, in plain words, and say what you do not know."}},{{"role":"user","content":"{}"}}],"model":"{REQUESTED_MODEL}","max_tokens":512,"temperature":0.2,"stream":{},"user":"{}"}}"#,
        question.trim_end(),
        kind != Kind::Plain,
        kind.word(),
    );
    let mut request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: {HOST}:{}\r\nAccept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\n\
         Accept: application/json\r\nContent-Type: application/json\r\nUser-Agent: OpenAI/Python 1.99.0\r\nX-Stainless-Lang: python\r\n\
         X-Stainless-Package-Version: 1.99.0\r\nX-Stainless-OS: Linux\r\nX-Stainless-Arch: x64\r\nX-Stainless-Runtime: CPython\r\n\
         X-Stainless-Runtime-Version: 3.12.3\r\nAuthorization: Bearer {CLIENT_KEY}\r\nX-Stainless-Async: false\r\n\
         x-stainless-retry-count: 0\r\nContent-Length: {}\r\n\r\n",
        address.port(),
        body.len(),
    );
    request.push_str(&body);
    request.into_bytes()
}

/// The body of a whole reply, about 2 KiB.
pub(crate) fn reply_body() -> String {
    let sentence = "The dragoman stood between two courts, spoke both languages, and decided who was let in.\\n";
    format!(
        r#"{{"id":"chatcmpl-4f1c2a9e7b3d4c5e8f60718293a4b5c6","object":"chat.completion","created":1700000000,"model":"{UPSTREAM_MODEL}","choices":[{{"index":0,"message":{{"role":"assistant","content":"{}","refusal":null,"tool_calls":[]}},"logprobs":null,"finish_reason":"stop","stop_reason":null}}],"usage":{{"prompt_tokens":182,"total_tokens":574,"completion_tokens":392,"prompt_tokens_details":null}}}}"#,
        sentence.repeat(19),
    )
}

/// One event of a stream, with the empty line that ends it.
pub(crate) fn event() -> String {
    format!(
        "data: {{\"id\":\"chatcmpl-4f1c2a9e7b3d4c5e8f60718293a4b5c6\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"{UPSTREAM_MODEL}\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\" court\"}},\"logprobs\":null,\"finish_reason\":null}}]}}\n\n"
    )
}

/// One chunk of the chunked coding.
pub(crate) fn chunk(payload: &str) -> String {
    format!("{:x}\r\n{payload}\r\n", payload.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_that_the_report_names() {
        let request = request(([127, 0, 0, 1], 8080).into(), Kind::Plain);
        let body = memchr::memmem::find(&request, b"\r\n\r\n").map(|end| request.len() - end - 4);
        assert!(
            body.is_some_and(|length| (900..=1150).contains(&length)),
            "{body:?}"
        );
        assert!(
            (1900..=2200).contains(&reply_body().len()),
            "{}",
            reply_body().len()
        );
    }

    #[test]
    fn bodies_are_json() {
        let request = request(([127, 0, 0, 1], 8080).into(), Kind::Full);
        let body = memchr::memmem::find(&request, b"\r\n\r\n").map(|end| &request[end + 4..]);
        let body: serde_json::Value = serde_json::from_slice(body.unwrap()).unwrap();
        assert_eq!(body["user"], "full");
        assert!(serde_json::from_str::<serde_json::Value>(&reply_body()).is_ok());
        let event = event();
        let data = event.strip_prefix("data: ").unwrap();
        assert!(serde_json::from_str::<serde_json::Value>(data).is_ok());
    }
}
