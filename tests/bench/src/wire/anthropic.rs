//! Anthropic's messages.

use super::{CLIENT_KEY, Kind, REQUESTED_MODEL, TOKEN, UPSTREAM_MODEL, question};

/// What ends a stream.
pub(super) const END: &str = "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n\
     event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":392}}\n\n\
     event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

/// A request for `host`.
pub(super) fn request(host: &str, kind: Kind) -> Vec<u8> {
    let body = format!(
        r#"{{"max_tokens":512,"messages":[{{"role":"user","content":"{}"}}],"model":"{REQUESTED_MODEL}","metadata":{{"user_id":"{}"}},"stream":{},"system":"You answer briefly, in plain words, and say what you do not know.","temperature":0.2}}"#,
        question(),
        kind.word(),
        kind != Kind::Plain,
    );
    let mut request = format!(
        "POST /v1/messages HTTP/1.1\r\nHost: {host}\r\nAccept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\n\
         Accept: application/json\r\nContent-Type: application/json\r\nUser-Agent: Anthropic/Python 0.79.0\r\nX-Stainless-Lang: python\r\n\
         X-Stainless-Package-Version: 0.79.0\r\nX-Stainless-OS: Linux\r\nX-Stainless-Arch: x64\r\nX-Stainless-Runtime: CPython\r\n\
         X-Stainless-Runtime-Version: 3.12.3\r\nx-api-key: {CLIENT_KEY}\r\nX-Stainless-Async: false\r\nanthropic-version: 2023-06-01\r\n\
         x-stainless-retry-count: 0\r\nContent-Length: {}\r\n\r\n",
        body.len(),
    );
    request.push_str(&body);
    request.into_bytes()
}

/// What stands before a stream's events.
pub(super) fn start() -> String {
    format!(
        "event: message_start\ndata: {{\"type\":\"message_start\",\"message\":{{\"id\":\"msg_014p7gG3wDgGV9EUtLvnow3U\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"{UPSTREAM_MODEL}\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{{\"input_tokens\":182,\"output_tokens\":1}}}}}}\n\n\
         event: content_block_start\ndata: {{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{{\"type\":\"text\",\"text\":\"\"}}}}\n\n"
    )
}

/// One event of a stream.
pub(super) fn event() -> String {
    format!(
        "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":\"{TOKEN}\"}}}}\n\n"
    )
}
