//! OpenAI's chat completions.

use super::{CLIENT_KEY, Kind, REQUESTED_MODEL, TOKEN, UPSTREAM_MODEL, question};

/// What ends a stream.
pub(super) const END: &str = "data: [DONE]\n\n";

/// A request for `host`.
pub(super) fn request(host: &str, kind: Kind) -> Vec<u8> {
    let body = format!(
        r#"{{"messages":[{{"role":"system","content":"You answer briefly, in plain words, and say what you do not know."}},{{"role":"user","content":"{}"}}],"model":"{REQUESTED_MODEL}","max_tokens":512,"temperature":0.2,"stream":{},"user":"{}"}}"#,
        question(),
        kind != Kind::Plain,
        kind.word(),
    );
    let mut request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nAccept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\n\
         Accept: application/json\r\nContent-Type: application/json\r\nUser-Agent: OpenAI/Python 1.99.0\r\nX-Stainless-Lang: python\r\n\
         X-Stainless-Package-Version: 1.99.0\r\nX-Stainless-OS: Linux\r\nX-Stainless-Arch: x64\r\nX-Stainless-Runtime: CPython\r\n\
         X-Stainless-Runtime-Version: 3.12.3\r\nAuthorization: Bearer {CLIENT_KEY}\r\nX-Stainless-Async: false\r\n\
         x-stainless-retry-count: 0\r\nContent-Length: {}\r\n\r\n",
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

/// One event of a stream.
pub(super) fn event() -> String {
    format!(
        "data: {{\"id\":\"chatcmpl-4f1c2a9e7b3d4c5e8f60718293a4b5c6\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"{UPSTREAM_MODEL}\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{TOKEN}\"}},\"logprobs\":null,\"finish_reason\":null}}]}}\n\n"
    )
}
