//! What becomes of a reply's pieces, and what is seen of it.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use dragoman_config::{CountedItem, LimitItem, ObjectKey, SpanItem};
use dragoman_crds::Per;
use futures::executor::block_on;
use http::{HeaderValue, header};

use super::*;
use crate::access::caller::Caller;
use crate::access::limits::{Ask, Counted, Counters, Limits, reserve};

const TOKENS: &str = "x-ratelimit-remaining-tokens";

/// A meter on a limit of 1,000 tokens, of which 100 are reserved.
fn meter(counters: &Arc<Counters>) -> Meter {
    let (left, reservation) = reserved(counters, 100);
    assert_eq!(left, 900);
    Meter::new(vec![reservation], 100)
}

/// Reserves so many tokens: how many are left then.
fn reserved(counters: &Arc<Counters>, tokens: u64) -> (u64, crate::access::limits::Reservation) {
    let key = ObjectKey {
        namespace: "n".into(),
        name: "p".into(),
    };
    let item = LimitItem {
        per: Per::Route,
        amount: Some((CountedItem::Tokens, 1000, SpanItem::Window(3_600_000))),
        concurrency: None,
        models: None,
    };
    let limits = Limits::new(&key, &[item]).unwrap();
    let caller = Caller {
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        user: None,
        key: None,
    };
    let ask = Ask {
        route: &key,
        model: None,
        others: &[],
        tokens,
        cost: 0,
    };
    let reservation = block_on(reserve(
        &[(&limits, &caller)],
        &ask,
        counters,
        &Counted::default(),
    ))
    .unwrap();
    let left = reservation
        .headers()
        .into_iter()
        .find_map(|(name, value)| (name == TOKENS).then_some(value));
    let left = left.unwrap().to_str().unwrap().parse().unwrap();
    (left, reservation)
}

/// How many tokens were used once all is settled.
fn used(counters: &Arc<Counters>) -> u64 {
    1000 - reserved(counters, 0).0
}

fn headers(kind: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(kind))])
}

/// Passes a reply through in two pieces, cut at every byte; what the client gets, and what was used.
fn becomes(
    client: Wire,
    kind: &'static str,
    hides: bool,
    reply: &[u8],
    expected: &[u8],
    tokens: u64,
) {
    for at in 0..=reply.len() {
        let counters = Counters::new();
        let mut metered = Metered::new(meter(&counters), client, &headers(kind), hides);
        let mut out = Vec::new();
        for piece in [&reply[..at], &reply[at..]] {
            out.extend_from_slice(&metered.pass(Bytes::copy_from_slice(piece)));
        }
        out.extend_from_slice(&metered.end());
        drop(metered);
        assert_eq!(
            String::from_utf8_lossy(&out),
            String::from_utf8_lossy(expected),
            "at {at}"
        );
        assert_eq!(used(&counters), tokens, "at {at}");
    }
}

const SSE: &str = "text/event-stream";

#[test]
fn the_event_that_we_asked_for_is_counted_and_not_shown() {
    let first =
        "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}],\"usage\":null}\n\n: note\n\n";
    let extra =
        "data: {\"choices\":[ ],\"usage\":{\"prompt_tokens\":30,\"completion_tokens\":4}}\n\n";
    let done = "data: [DONE]\n\n";
    let all = [first, extra, done].concat();
    let shown = [first, done].concat();
    becomes(Wire::Chat, SSE, true, all.as_bytes(), shown.as_bytes(), 34);
    becomes(Wire::Chat, SSE, false, all.as_bytes(), all.as_bytes(), 34);
    // Servers that leave the last blank line out.
    let cut = [first, extra.trim_end()].concat();
    becomes(Wire::Chat, SSE, true, cut.as_bytes(), first.as_bytes(), 34);
}

#[test]
fn figures_that_come_with_a_choice_are_shown() {
    let event = "data: {\"choices\":[{\"delta\":{}}],\"usage\":{\"prompt_tokens\":30,\"completion_tokens\":4}}\r\n\r\n";
    becomes(
        Wire::Chat,
        SSE,
        true,
        event.as_bytes(),
        event.as_bytes(),
        34,
    );
}

#[test]
fn replies_of_every_kind_tell_what_they_took() {
    for (client, kind, reply, tokens) in [
        (
            Wire::Chat,
            "application/json",
            r#"{"choices":[],"usage":{"prompt_tokens":30,"completion_tokens":4}}"#,
            34,
        ),
        (
            Wire::Messages,
            SSE,
            "event: message_start\ndata: {\"message\":{\"usage\":{\"input_tokens\":30,\"output_tokens\":1}}}\n\nevent: message_delta\ndata: {\"usage\":{\"output_tokens\":9}}\n\n",
            39,
        ),
        (
            Wire::OllamaChat,
            "application/x-ndjson",
            "{\"message\":{\"content\":\"a\"}}\n{\"done\":true,\"prompt_eval_count\":30,\"eval_count\":4}\n",
            34,
        ),
        (
            Wire::Gemini,
            SSE,
            "data: {\"usageMetadata\":{\"promptTokenCount\":30,\"candidatesTokenCount\":1}}\n\ndata: {\"usageMetadata\":{\"promptTokenCount\":30,\"candidatesTokenCount\":5}}\n\n",
            35,
        ),
        // Eight bytes of text, and nobody tells.
        (
            Wire::Chat,
            SSE,
            "data: {\"choices\":[{\"delta\":{\"content\":\"four\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"more\"}}]}\n\n",
            102,
        ),
    ] {
        becomes(
            client,
            kind,
            false,
            reply.as_bytes(),
            reply.as_bytes(),
            tokens,
        );
    }
}

#[test]
fn bedrocks_streams_tell_what_they_took() {
    use dragoman_dialects::framing::event_stream::write;
    let mut stream = Vec::new();
    write::event("contentBlockDelta", &mut stream, |out| {
        out.extend_from_slice(br#"{"contentBlockIndex":0,"delta":{"text":"hi"}}"#);
    });
    write::event("metadata", &mut stream, |out| {
        out.extend_from_slice(br#"{"usage":{"inputTokens":30,"outputTokens":4}}"#);
    });
    let kind = "application/vnd.amazon.eventstream";
    becomes(Wire::BedrockConverse, kind, false, &stream, &stream, 34);
}

#[test]
fn an_error_used_nothing() {
    let counters = Counters::new();
    let mut refused = Response::new(Body::whole("{}".into()));
    *refused.status_mut() = http::StatusCode::BAD_REQUEST;
    drop(response(refused, meter(&counters), Wire::Chat, false));
    assert_eq!(used(&counters), 0);
    drop(response(
        Response::new(Body::empty()),
        meter(&counters),
        Wire::Chat,
        false,
    ));
    assert_eq!(used(&counters), 100);
}

#[test]
fn usage_is_asked_for_where_the_client_does_not() {
    for (client, body, hidden) in [
        (Wire::Chat, r#"{"stream":true}"#, true),
        (
            Wire::Completions,
            r#"{"stream":true,"stream_options":{"include_usage":false}}"#,
            true,
        ),
        (
            Wire::Chat,
            r#"{"stream":true,"stream_options":{"include_usage":true}}"#,
            false,
        ),
        (Wire::Chat, r#"{"stream":false}"#, false),
        (Wire::Chat, "{}", false),
        (Wire::Messages, r#"{"stream":true}"#, false),
    ] {
        assert_eq!(hides(client, body.as_bytes()), hidden, "{body}");
    }
    for (body, asking) in [
        (
            r#"{"stream":true, "model":"m"}"#,
            r#"{"stream":true, "model":"m","stream_options":{"include_usage":true}}"#,
        ),
        (
            r#"{"stream_options":{"x":1,"include_usage":false},"stream":true}"#,
            r#"{"stream_options":{"x":1,"include_usage":true},"stream":true}"#,
        ),
        (
            r#"{"stream_options":null}"#,
            r#"{"stream_options":{"include_usage":true}}"#,
        ),
    ] {
        let RequestBody::Segments(asked) = super::asking(RequestBody::Bytes(body.into())) else {
            unreachable!()
        };
        assert_eq!(asked.concat(), asking.as_bytes());
    }
}
