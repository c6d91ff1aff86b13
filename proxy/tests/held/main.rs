//! Streams hold one event and a little more, however long they are, counted by the allocator. One test, since what it counts is the whole process's.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests may fail loudly, their fixtures too"
)]

use std::sync::Arc;

use bytes::Bytes;
use dragoman_dialects::form::{Event, Finish, Usage};
use dragoman_dialects::{Context, Rope, StreamWriter, Wire};
use dragoman_proxy::think::{Rules, Text};
use dragoman_proxy::translate::{Sink, Stream, Thinking};
use jiff::Timestamp;
use peak_alloc::PeakAlloc;

#[global_allocator]
static COUNTED: PeakAlloc = PeakAlloc;

const WIRES: [Wire; 13] = [
    Wire::Messages,
    Wire::BedrockInvoke,
    Wire::BedrockText,
    Wire::BedrockConverse,
    Wire::Chat,
    Wire::Conversation,
    Wire::ConversationChat,
    Wire::Responses,
    Wire::Completions,
    Wire::Gemini,
    Wire::OllamaChat,
    Wire::OllamaGenerate,
    Wire::Tgi,
];

/// Events of a stream before what it holds is taken, and after.
const EVENTS: [usize; 2] = [100, 2_000];
/// What a stream may hold besides the event that is coming in.
const ALLOWED: usize = 16 << 10;
/// What may be set aside for what is kept, as it grows.
const AHEAD: usize = 9 << 10;
/// What every event says.
const SAID: &str = "sixteen letters ";

fn context() -> Context {
    Context {
        request_id: "5f0c0e7a-2a39-4a3e-9d0c-5b1f7f6d3c21".into(),
        model: "a-model".into(),
        started: Timestamp::UNIX_EPOCH,
        stream_usage: true,
        reasoning: true,
        echo: serde_json::Map::new(),
    }
}

fn start() -> Event<'static> {
    Event::Start {
        id: Some("an-id".into()),
        model: Some("a-model".into()),
        created: Some(1),
        usage: None,
    }
}

fn text() -> Event<'static> {
    Event::Text {
        choice: 0,
        text: SAID.into(),
        logprobs: None,
    }
}

fn reasoning() -> Event<'static> {
    Event::Reasoning {
        choice: 0,
        text: SAID.into(),
    }
}

fn arguments() -> Event<'static> {
    Event::ToolArguments {
        choice: 0,
        call: 0,
        json: SAID.into(),
    }
}

/// Events as an upstream sends them.
fn sent(writer: &mut dyn StreamWriter, events: impl IntoIterator<Item = Event<'static>>) -> Bytes {
    let mut out = Vec::new();
    for event in events {
        writer.write(event, &|| Timestamp::UNIX_EPOCH, &mut out);
    }
    out.into()
}

/// An upstream's stream in three parts: how it begins, an event that comes again and again, and how it ends.
struct Sent {
    begins: Bytes,
    goes_on: Bytes,
    ends: Bytes,
}

fn stream_of(upstream: Wire, kind: fn() -> Event<'static>) -> Option<Sent> {
    let mut writer = upstream.codec().stream_writer(&context());
    let mut begins = vec![start()];
    if kind() == arguments() {
        begins.push(Event::ToolStart {
            choice: 0,
            call: 0,
            id: "call_1".into(),
            name: "look".into(),
            signature: None,
        });
        begins.push(Event::ToolArguments {
            choice: 0,
            call: 0,
            json: "{\"a\":\"".into(),
        });
    }
    begins.push(kind());
    let begins = sent(&mut *writer, begins);
    let goes_on = sent(&mut *writer, [kind()]);
    let rest = (kind() == arguments()).then(|| Event::ToolArguments {
        choice: 0,
        call: 0,
        json: "\"}".into(),
    });
    let usage = Usage {
        input: 1,
        output: 2,
        ..Usage::default()
    };
    let finish = Event::Finish {
        choice: 0,
        reason: Finish::Stop,
    };
    let end = [finish, Event::Usage(usage), Event::Done];
    let ends = sent(&mut *writer, rest.into_iter().chain(end));
    // Dialects that have no such event, or have it in one piece, stream nothing of it.
    (!goes_on.is_empty()).then_some(Sent {
        begins,
        goes_on,
        ends,
    })
}

/// What a client's dialect repeats of an answer at its end, and has kept for it: of each event so many bytes.
fn kept(client: Wire, kind: fn() -> Event<'static>) -> usize {
    let whole_calls = [Wire::OllamaChat, Wire::OllamaGenerate, Wire::Gemini];
    let repeats = match client {
        Wire::Responses => true,
        Wire::Tgi => kind() == text(),
        _ => kind() == arguments() && whole_calls.contains(&client),
    };
    if repeats { SAID.len() } else { 0 }
}

fn translated(upstream: Wire, client: Wire) -> Stream {
    let (upstream, client) = (upstream.codec(), client.codec());
    let rules = Arc::new(Rules::new(Text::Keep, Vec::new(), false, false));
    let thinking = Thinking { rules, shown: true };
    let sink = Sink::new(client.stream_writer(&context()), thinking, None);
    Stream::new(upstream.framing(), upstream.stream_reader(), sink)
}

/// How much a stream holds between two chunks at most, by how much that grows with its length, and how much it takes to end it.
struct Held {
    most: usize,
    growth: usize,
    end: usize,
}

fn run(sent: &Sent, mut stream: Stream, base: usize) -> Held {
    let mut push = |chunk: &Bytes| {
        let mut out = Rope::default();
        stream.push(chunk.clone(), &mut out).unwrap();
        drop(out);
        COUNTED.current_usage().saturating_sub(base)
    };
    push(&sent.begins);
    let (first, second) = sent.goes_on.split_at(sent.goes_on.len() / 2);
    let halves = [first, second].map(Bytes::copy_from_slice);
    let most = EVENTS.map(|events| {
        let held = (0..events).map(|_| push(&halves[0]).max(push(&halves[1])));
        held.max().unwrap_or_default()
    });
    COUNTED.reset_peak_usage();
    let before = COUNTED.current_usage();
    let mut out = Rope::default();
    stream.push(sent.ends.clone(), &mut out).unwrap();
    stream.finish(&mut out).unwrap();
    assert!(stream.has_ended());
    Held {
        most: most[1],
        growth: most[1].saturating_sub(most[0]),
        end: COUNTED.peak_usage().saturating_sub(before),
    }
}

fn holds_little(kind: fn() -> Event<'static>) {
    let mut streamed = 0;
    for upstream in WIRES {
        let Some(sent) = stream_of(upstream, kind) else {
            continue;
        };
        for client in WIRES {
            streamed += 1;
            let base = COUNTED.current_usage();
            let held = run(&sent, translated(upstream, client), base);
            let each = kept(client, kind);
            let (growth, whole) = (each * EVENTS[1], each * EVENTS.iter().sum::<usize>());
            let between = format!("{upstream:?} to {client:?}");
            let allowed = ALLOWED + sent.goes_on.len();
            assert!(held.most <= whole + allowed, "{between}: {}", held.most);
            // Less than a byte for each event; the test's own runner takes a little at times.
            let ahead = if each == 0 { EVENTS[1] - 1 } else { AHEAD };
            assert!(held.growth <= growth + ahead, "{between}: {}", held.growth);
            // Where a call is sent in one piece, it is one event.
            if each == 0 || client == Wire::Responses || kind() == text() {
                assert!(held.end <= 2 * ALLOWED, "{between}: {}", held.end);
            }
        }
    }
    assert!(streamed > 5 * WIRES.len());
}

#[test]
fn a_stream_holds_one_event_and_16_kib_whatever_its_length() {
    for kind in [text, reasoning, arguments] {
        holds_little(kind);
    }
}
