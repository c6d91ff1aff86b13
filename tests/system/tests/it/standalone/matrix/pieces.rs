//! Streams leave piece by piece, from every upstream to every client (feature B4): calls of tools as their arguments come, text as it
//! comes, and neither waits for what the upstream has not said yet.

use std::time::Duration;

use dragoman_dialects::{Framing, Wire};
use dragoman_simulator::Simulator;
use futures::{StreamExt as _, stream};
use serde_json::Value;

use super::frames::{Cut, cut};
use super::wires::{Side, clients};
use super::{AT_ONCE, Call, UPSTREAMS, Upstream};
use crate::standalone::manifests::started;
use crate::standalone::proxy::{Proxy, answer};

/// How long a piece may take until it is said that it is held back.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a client hears of a call of a tool, by the place that its dialect gives the call.
#[derive(Debug, PartialEq)]
enum Heard {
    Begun {
        place: u64,
        id: String,
        name: String,
    },
    /// Some of its arguments, never empty.
    Arguments { place: u64, json: String },
}

/// A client's streamed requests of a kind, each with the upstream of another dialect that it is for.
fn calls(
    feature: &'static str,
    takes: impl Fn(&Upstream) -> bool,
) -> Vec<(&'static Upstream, Call)> {
    let mut calls = Vec::new();
    for client in clients() {
        let requests = client.requests().into_iter();
        for (_, body) in requests.filter(|(named, _)| *named == feature) {
            let upstreams = UPSTREAMS.iter().filter(|upstream| takes(upstream));
            for upstream in upstreams.filter(|upstream| !upstream.passes(client)) {
                calls.push((upstream, Call::new(client, body.clone(), true)));
            }
        }
    }
    calls
}

/// TGI's generate has no tools.
fn calls_tools(upstream: &Upstream) -> bool {
    upstream.wire != Wire::Tgi
}

/// Whether calls come in pieces in this dialect, not whole.
fn in_pieces(wire: Wire) -> bool {
    !matches!(wire, Wire::OllamaChat | Wire::Gemini)
}

/// What a client's own stream says of calls.
fn heard(client: &Side, frames: &[Cut]) -> Vec<Heard> {
    let mut heard = Vec::new();
    for event in frames.iter().map(Cut::event) {
        match client.wire {
            Wire::Chat | Wire::ConversationChat => {
                for call in list(&event["choices"][0]["delta"]["tool_calls"]) {
                    let place = call["index"].as_u64().unwrap();
                    let function = &call["function"];
                    if call["id"].is_string() {
                        assert_eq!(call["type"], "function", "{event}");
                        begun(place, &call["id"], &function["name"], &mut heard);
                    }
                    arguments(place, &function["arguments"], &mut heard);
                }
            }
            Wire::Responses => {
                let (item, place) = (&event["item"], event["output_index"].as_u64());
                match (event["type"].as_str().unwrap_or_default(), place) {
                    ("response.output_item.added", Some(place))
                        if item["type"] == "function_call" =>
                    {
                        begun(place, &item["call_id"], &item["name"], &mut heard);
                    }
                    ("response.function_call_arguments.delta", Some(place)) => {
                        arguments(place, &event["delta"], &mut heard);
                    }
                    _ => {}
                }
            }
            Wire::Messages | Wire::BedrockInvoke => {
                let (block, place) = (&event["content_block"], event["index"].as_u64());
                if block["type"] == "tool_use" {
                    begun(place.unwrap(), &block["id"], &block["name"], &mut heard);
                }
                arguments(
                    place.unwrap_or_default(),
                    &event["delta"]["partial_json"],
                    &mut heard,
                );
            }
            Wire::BedrockConverse => {
                let place = event["contentBlockIndex"].as_u64().unwrap_or_default();
                let call = &event["start"]["toolUse"];
                if call.is_object() {
                    begun(place, &call["toolUseId"], &call["name"], &mut heard);
                }
                arguments(place, &event["delta"]["toolUse"]["input"], &mut heard);
            }
            Wire::OllamaChat => {
                for call in list(&event["message"]["tool_calls"]) {
                    let function = &call["function"];
                    let place = function["index"].as_u64().unwrap();
                    begun(place, &call["id"], &function["name"], &mut heard);
                    whole(place, &function["arguments"], &mut heard);
                }
            }
            Wire::Gemini => {
                for part in list(&event["candidates"][0]["content"]["parts"]) {
                    let call = &part["functionCall"];
                    if call.is_object() {
                        // Its calls have no number but their order.
                        let place = heard.len() as u64 / 2;
                        begun(place, &call["id"], &call["name"], &mut heard);
                        whole(place, &call["args"], &mut heard);
                    }
                }
            }
            other => panic!("{other:?} calls no tools"),
        }
    }
    heard
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn begun(place: u64, id: &Value, name: &Value, heard: &mut Vec<Heard>) {
    heard.push(Heard::Begun {
        place,
        id: id.as_str().unwrap_or_default().to_owned(),
        name: name.as_str().unwrap_or_default().to_owned(),
    });
}

fn arguments(place: u64, json: &Value, heard: &mut Vec<Heard>) {
    if let Some(json) = json.as_str().filter(|json| !json.is_empty()) {
        heard.push(Heard::Arguments {
            place,
            json: json.to_owned(),
        });
    }
}

/// Arguments that come as an object.
fn whole(place: u64, object: &Value, heard: &mut Vec<Heard>) {
    assert!(object.is_object(), "{object}");
    heard.push(Heard::Arguments {
        place,
        json: object.to_string(),
    });
}

/// Asserts two calls, one after the other, each with its id and name before its arguments.
fn two_calls(heard: &[Heard], pieces: bool, pair: &str) {
    let mut begun: Vec<(u64, &str, Vec<&str>)> = Vec::new();
    for each in heard {
        match each {
            Heard::Begun { place, id, name } => {
                assert_eq!(name, "look", "{pair}: {heard:?}");
                assert!(!id.is_empty(), "{pair}: {heard:?}");
                begun.push((*place, id, Vec::new()));
            }
            Heard::Arguments { place, json } => {
                let (of, _, said) = begun.last_mut().expect(pair);
                assert_eq!(of, place, "{pair}: {heard:?}");
                said.push(json);
            }
        }
    }
    let [(first, one, _), (second, other, _)] = begun.as_slice() else {
        panic!("{pair}: {heard:?}");
    };
    assert_eq!(first + 1, *second, "{pair}: {heard:?}");
    assert_ne!(one, other, "{pair}: {heard:?}");
    for (number, (_, _, said)) in begun.iter().enumerate() {
        let json: Value = serde_json::from_str(&said.concat()).expect(pair);
        assert_eq!(json["index"], number, "{pair}: {heard:?}");
        assert_eq!(json["query"], "Where is the cat?", "{pair}: {heard:?}");
        assert_eq!(said.len() > 1, pieces, "{pair}: {heard:?}");
    }
}

/// A proxy whose routes lead to a model at every upstream.
async fn proxy(simulator: &Simulator, model: impl Fn(&Upstream) -> &'static str) -> Proxy {
    let origin = format!("http://{}", simulator.addr());
    let each = UPSTREAMS
        .iter()
        .map(|upstream| upstream.manifest(&origin, model(upstream)));
    Proxy::start(&each.collect::<String>()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn tool_calls_stream_from_every_upstream_to_every_client_with_id_and_name_before_each_piece()
{
    let simulator = started(Simulator::builder().record(false)).await;
    let proxy = proxy(&simulator, |_| "parallel-tools").await;
    let tried = stream::iter(calls("tools", calls_tools)).map(|(upstream, call)| {
        let proxy = &proxy;
        async move {
            let pair = format!("{call} to {}", upstream.name);
            let reply = answer(call.request(proxy, upstream.name)).await;
            assert_eq!(call.fault(&reply), None, "{pair}: {}", reply.text());
            let heard = heard(call.client, &cut(call.client, &reply.body));
            let pieces = in_pieces(upstream.wire) && in_pieces(call.client.wire);
            two_calls(&heard, pieces, &pair);
        }
    });
    let tried: Vec<()> = tried.buffer_unordered(AT_ONCE).collect().await;
    // Eight dialects of clients, six of upstreams, and seven pairs that are the same.
    assert_eq!(tried.len(), 41);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_leaves_while_the_upstream_is_silent_in_the_next() {
    let simulator = started(Simulator::builder().record(false)).await;
    // Of calls that come in pieces, the first is over after 18 events and the second is not; where they come whole, the first event has one.
    let proxy = proxy(&simulator, |upstream| {
        if in_pieces(upstream.wire) {
            "parallel-tools+stall-18"
        } else {
            "parallel-tools+stall-1"
        }
    })
    .await;
    let tried = stream::iter(calls("tools", calls_tools)).map(|(upstream, call)| {
        let proxy = &proxy;
        async move {
            let pieces = in_pieces(upstream.wire) && in_pieces(call.client.wire);
            until(proxy, upstream, &call, |frames| {
                let heard = heard(call.client, frames);
                let arguments = |heard: &Heard| matches!(heard, Heard::Arguments { .. });
                match heard
                    .iter()
                    .rposition(|heard| matches!(heard, Heard::Begun { .. }))
                {
                    // Of a call that comes whole, no more is to be heard.
                    Some(0) if !pieces => heard.len() > 1,
                    Some(0) | None => false,
                    Some(second) => heard[second..].iter().any(arguments),
                }
            })
            .await;
        }
    });
    let tried: Vec<()> = tried.buffer_unordered(AT_ONCE).collect().await;
    assert_eq!(tried.len(), 41);
}

#[tokio::test(flavor = "multi_thread")]
async fn text_leaves_every_upstream_for_every_client_before_its_last_arrives() {
    let simulator = started(Simulator::builder().record(false)).await;
    let proxy = proxy(&simulator, |_| "tokens-64+stall-6").await;
    let tried = stream::iter(calls("text", |_| true)).map(|(upstream, call)| {
        let proxy = &proxy;
        async move {
            until(proxy, upstream, &call, |frames| {
                frames
                    .iter()
                    .any(|frame| frame.event().to_string().contains("word1"))
            })
            .await;
        }
    });
    let tried: Vec<()> = tried.buffer_unordered(AT_ONCE).collect().await;
    // Thirteen dialects of clients, seven of upstreams, and twelve pairs that are the same.
    assert_eq!(tried.len(), 79);
}

/// Reads a stream that does not end until what came of it is as wanted.
async fn until(proxy: &Proxy, upstream: &Upstream, call: &Call, wanted: impl Fn(&[Cut]) -> bool) {
    let mut reply = call.request(proxy, upstream.name).send().await.unwrap();
    let mut came = Vec::new();
    while !wanted(&cut(call.client, entire(call.client, &came))) {
        let held = || {
            let said = String::from_utf8_lossy(&came);
            format!("{call} to {}: held back after {said}", upstream.name)
        };
        let piece = tokio::time::timeout(PATIENCE, reply.chunk()).await;
        let piece = piece.unwrap_or_else(|_| panic!("{}", held()));
        let piece = piece.unwrap().unwrap_or_else(|| panic!("{}", held()));
        came.extend_from_slice(&piece);
    }
}

/// The events of a stream's beginning that are whole.
fn entire<'a>(client: &Side, came: &'a [u8]) -> &'a [u8] {
    let after = |end: &[u8]| {
        let at = came.windows(end.len()).rposition(|window| window == end);
        at.map_or(0, |at| at + end.len())
    };
    let length = match client.codec().framing() {
        Framing::Sse => after(b"\n\n"),
        Framing::Ndjson => after(b"\n"),
        Framing::EventStream => {
            let mut at = 0;
            // Each message says its length first.
            while let Some((length, _)) = came[at..].split_first_chunk() {
                let end = at + usize::try_from(u32::from_be_bytes(*length)).unwrap();
                if end > came.len() {
                    break;
                }
                at = end;
            }
            at
        }
    };
    &came[..length]
}
