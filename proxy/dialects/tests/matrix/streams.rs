//! Streams: from each upstream to each client.

use std::fmt::Write as _;

use dragoman_dialects::Wire;
use dragoman_dialects::form::{ErrorKind, Event, Failure, Reply};

use crate::answers::{answers, context};
use crate::events::{events, gathered, owned};
use crate::facts::{Facts, facts};
use crate::frames::{Cut, cut, read};
use crate::replies::{common, kept, lost};
use crate::wires::{SIDES, Side, clients};

/// Events written in a dialect.
pub(crate) fn written(side: &Side, events: &[Event<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = side.codec().stream_writer(&context());
    for event in events {
        writer.write(event.clone(), &|| context().started, &mut out);
    }
    out
}

/// A stream of an upstream's as a client of another dialect is sent it: event by event, none later than it is read.
pub(crate) fn relayed(upstream: &Side, frames: &[Cut], client: &Side) -> Vec<Cut> {
    let mut out = Vec::new();
    let mut writer = client.codec().stream_writer(&context());
    let complete = read(upstream, frames, &mut |event| {
        writer.write(event, &|| context().started, &mut out);
    });
    complete.unwrap();
    cut(client, &out)
}

/// What is read from a complete stream.
pub(crate) fn heard(side: &Side, frames: &[Cut]) -> Reply {
    let mut out: Vec<Event<'static>> = Vec::new();
    let complete = read(side, frames, &mut |event| out.push(owned(event)));
    assert!(complete.unwrap(), "{}: {frames:?}", side.file);
    gathered(&out)
}

/// What a dialect can say of a streamed answer.
pub(crate) fn said(side: &Side, reply: &Reply) -> Facts {
    let frames = cut(side, &written(side, &events(reply)));
    kept(side, reply, &heard(side, &frames))
}

#[test]
fn whatever_upstream_and_client_can_both_say_of_a_streamed_answer_arrives_with_one_end() {
    let mut faults = String::new();
    for (name, reply) in answers() {
        for upstream in &SIDES {
            let from = said(upstream, &reply);
            let frames = cut(upstream, &written(upstream, &events(&reply)));
            for client in clients() {
                let sent = relayed(upstream, &frames, client);
                let pair = format!("{name}, {} to {}", upstream.file, client.file);
                one_end(client.wire, &sent, &pair);
                let expected = common(&from, &said(client, &reply));
                let lost = lost(&expected, &facts(&heard(client, &sent)));
                if !lost.is_empty() {
                    writeln!(faults, "{pair}: {lost}").unwrap();
                }
            }
        }
    }
    assert!(faults.is_empty(), "{faults}");
}

/// There is one terminator, and nothing but figures after it.
pub(crate) fn one_end(wire: Wire, sent: &[Cut], pair: &str) {
    let ends = sent
        .iter()
        .filter(|frame| frame.is_terminator(wire))
        .count();
    assert_eq!(ends, 1, "{pair}: {sent:?}");
    let behind = if wire == Wire::BedrockConverse { 2 } else { 1 };
    assert!(
        sent[sent.len() - behind].is_terminator(wire),
        "{pair}: {sent:?}"
    );
    assert!(
        !sent.iter().any(|frame| frame.is_error(wire)),
        "{pair}: {sent:?}"
    );
}

#[test]
fn whatever_a_frame_says_leaves_before_the_next_is_read() {
    for (name, reply) in answers() {
        for upstream in &SIDES {
            let frames = cut(upstream, &written(upstream, &events(&reply)));
            for client in clients() {
                let mut reader = upstream.codec().stream_reader();
                let mut writer = client.codec().stream_writer(&context());
                for frame in &frames {
                    let (mut said, mut out) = (false, Vec::new());
                    let read = reader.read(frame.frame(), &mut |event| {
                        said |= match &event {
                            Event::Text { choice, .. } => *choice == 0,
                            Event::ToolArguments { .. } => takes_pieces(client.wire),
                            _ => false,
                        };
                        writer.write(event, &|| context().started, &mut out);
                    });
                    read.unwrap();
                    let held = said && out.is_empty();
                    assert!(
                        !held,
                        "{name}, {} to {} holds {frame:?}",
                        upstream.file, client.file
                    );
                }
            }
        }
    }
}

/// Whether clients take a call's arguments in pieces; others take a call whole, or none.
fn takes_pieces(wire: Wire) -> bool {
    let bedrock = matches!(wire, Wire::BedrockInvoke | Wire::BedrockConverse);
    bedrock
        || matches!(
            wire,
            Wire::Chat | Wire::ConversationChat | Wire::Responses | Wire::Messages
        )
}

#[test]
fn an_error_within_a_stream_is_the_clients_error_event_and_no_end() {
    let failure = Failure {
        type_: Some("overloaded_error".into()),
        ..Failure::new(503, "The model is busy.")
    };
    for upstream in &SIDES {
        let mut broken = events(&answers()[0].1);
        broken.truncate(2);
        broken.push(Event::Failed(failure.clone()));
        let frames = cut(upstream, &written(upstream, &broken));
        for client in clients() {
            let sent = relayed(upstream, &frames, client);
            let pair = format!("{} to {}: {sent:?}", upstream.file, client.file);
            let count = |is: fn(&Cut, Wire) -> bool| {
                sent.iter().filter(|frame| is(frame, client.wire)).count()
            };
            assert_eq!(
                (count(Cut::is_error), count(Cut::is_terminator)),
                (1, 0),
                "{pair}"
            );
            let mut failures = Vec::new();
            let complete = read(client, &sent, &mut |event| match event {
                Event::Failed(failure) => failures.push(failure),
                Event::Done | Event::Finish { .. } => panic!("{event:?}, {pair}"),
                _ => {}
            });
            // There is nothing to add to it.
            assert!(complete.unwrap(), "{pair}");
            let [told] = failures.as_slice() else {
                panic!("{failures:?}, {pair}");
            };
            assert!(
                told.message.contains("The model is busy."),
                "{told:?}, {pair}"
            );
            assert!(
                !matches!(told.kind, ErrorKind::InvalidRequest),
                "{told:?}, {pair}"
            );
        }
    }
}

#[test]
fn a_stream_that_breaks_off_is_not_taken_for_a_whole_one() {
    for side in clients() {
        let mut broken = events(&answers()[0].1);
        broken.truncate(3);
        let frames = cut(side, &written(side, &broken));
        assert!(!frames.is_empty(), "{}", side.file);
        let complete = read(side, &frames, &mut |event| {
            assert_ne!(event, Event::Done, "{}", side.file)
        });
        assert!(!complete.unwrap(), "{}", side.file);
    }
}
