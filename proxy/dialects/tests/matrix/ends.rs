//! Why answers end: what means a limit is told as one, and what means a failure, or what nobody knows, is never told as a good end.

use dragoman_dialects::StreamReader;
use dragoman_dialects::Wire;
use dragoman_dialects::ends::{self, Ended};
use dragoman_dialects::form::{Event, Finish, Reply};

use crate::answers::{answers, context};
use crate::events::events;
use crate::facts::facts;
use crate::frames::{Cut, cut, read};
use crate::replies::{said, through};
use crate::streams::{self, heard, relayed, written};
use crate::wires::{SIDES, Side, clients};

/// Reasons that vendors document for an answer that they did not bring to its end, and one of tomorrow.
fn failures(wire: Wire) -> &'static [&'static str] {
    match wire {
        Wire::Chat | Wire::Completions => &[
            "insufficient_system_resource",
            "network_error",
            "abort",
            "error",
            "new_reason",
        ],
        Wire::BedrockConverse => &["malformed_tool_use", "malformed_model_output", "new_reason"],
        Wire::Gemini => &[
            "MALFORMED_FUNCTION_CALL",
            "UNEXPECTED_TOOL_CALL",
            "TOO_MANY_TOOL_CALLS",
            "MISSING_THOUGHT_SIGNATURE",
            "LANGUAGE",
            "OTHER",
            "NEW_REASON",
        ],
        _ => &["new_reason"],
    }
}

/// Reasons that mean a limit.
fn limits(wire: Wire) -> &'static [&'static str] {
    match wire {
        Wire::Chat | Wire::Completions => {
            &["length", "model_length", "model_context_window_exceeded"]
        }
        Wire::Messages | Wire::BedrockInvoke => {
            &["max_tokens", "model_context_window_exceeded", "pause_turn"]
        }
        Wire::BedrockConverse => &["max_tokens", "model_context_window_exceeded"],
        Wire::BedrockText => &["max_tokens"],
        Wire::Gemini => &["MAX_TOKENS"],
        Wire::Responses => &["max_output_tokens"],
        Wire::OllamaChat | Wire::OllamaGenerate | Wire::Tgi => &["length"],
        Wire::Conversation | Wire::ConversationChat => &[],
    }
}

/// Answers of text and of calls that end for this reason.
fn ending(word: &str) -> impl Iterator<Item = Reply> {
    let all = answers()
        .into_iter()
        .filter(|(name, _)| ["text", "calls"].contains(name));
    all.map(move |(_, mut reply)| {
        reply.choices[0].finish = Some(Finish::Other(word.to_owned()));
        reply
    })
}

/// A stream of an upstream's as a client with other words is sent it.
fn guarded(upstream: &Side, frames: &[Cut], client: &Side) -> Vec<Cut> {
    let mut out = Vec::new();
    let mut reader = Ended::new(upstream.codec().stream_reader());
    let mut writer = client.codec().stream_writer(&context());
    let mut emit = |event: Event<'_>| writer.write(event, &|| context().started, &mut out);
    for frame in frames {
        reader.read(frame.frame(), &mut emit).unwrap();
    }
    assert!(reader.end(&mut emit), "{}", upstream.file);
    cut(client, &out)
}

#[test]
fn an_answer_that_its_server_did_not_bring_to_an_end_is_told_as_a_good_one_in_no_dialect() {
    for upstream in &SIDES {
        for (word, reply) in failures(upstream.wire)
            .iter()
            .flat_map(|word| ending(word).map(move |reply| (*word, reply)))
        {
            let whole = through(upstream, &reply);
            let unended = ends::check(&whole).unwrap_err();
            assert_eq!(unended.reason, word, "{}", upstream.file);
            let frames = cut(upstream, &written(upstream, &events(&reply)));
            for client in clients() {
                let pair = format!("{word}, {} to {}", upstream.file, client.file);
                if client.wire.ends_like(upstream.wire) {
                    let told = [through(client, &whole), {
                        heard(client, &relayed(upstream, &frames, client))
                    }];
                    for told in told {
                        let kept = Some(Finish::Other(word.to_owned()));
                        assert_eq!(told.choices[0].finish, kept, "{pair}");
                    }
                    continue;
                }
                let sent = guarded(upstream, &frames, client);
                let terminates = sent.iter().any(|frame| frame.is_terminator(client.wire));
                assert!(!terminates, "{pair}: {sent:?}");
                let mut failures = Vec::new();
                let complete = read(client, &sent, &mut |event| match event {
                    Event::Failed(failure) => failures.push(failure.message),
                    Event::Done | Event::Finish { .. } => panic!("{event:?}, {pair}"),
                    _ => {}
                });
                assert!(complete.unwrap(), "{pair}");
                let named = matches!(failures.as_slice(), [told] if told.contains(word));
                assert!(named, "{pair}: {failures:?}");
            }
        }
    }
}

#[test]
fn a_reason_that_means_a_limit_is_told_as_one_in_every_dialect_that_has_a_word_for_it() {
    const LIMIT: &str = "end: limit";
    for upstream in &SIDES {
        for (word, reply) in limits(upstream.wire)
            .iter()
            .flat_map(|word| ending(word).map(move |reply| (*word, reply)))
        {
            let whole = through(upstream, &reply);
            assert_eq!(ends::check(&whole), Ok(()), "{word}, {}", upstream.file);
            let frames = cut(upstream, &written(upstream, &events(&reply)));
            let mut limited = reply.clone();
            limited.choices[0].finish = Some(Finish::Length);
            for client in clients() {
                let pair = format!("{word}, {} to {}", upstream.file, client.file);
                let same = client.wire.ends_like(upstream.wire);
                if word == "pause_turn" && same {
                    continue;
                }
                if said(client, &limited).contains_key(LIMIT) {
                    let told = facts(&through(client, &whole));
                    assert!(told.contains_key(LIMIT), "{pair}: {told:?}");
                }
                if streams::said(client, &limited).contains_key(LIMIT) {
                    let told = facts(&heard(client, &guarded(upstream, &frames, client)));
                    assert!(told.contains_key(LIMIT), "{pair}: {told:?}");
                }
            }
        }
    }
}

#[test]
fn of_several_answers_the_good_ones_are_told_before_the_error() {
    let upstream = &SIDES[0];
    let two = answers().into_iter().find(|(name, _)| *name == "two");
    let mut reply = two.unwrap().1;
    reply.choices[0].finish = Some(Finish::Other("abort".into()));
    let frames = cut(upstream, &written(upstream, &events(&reply)));
    let mut reader = Ended::new(upstream.codec().stream_reader());
    let mut told = Vec::new();
    for frame in &frames {
        let read = reader.read(frame.frame(), &mut |event| match event {
            Event::Finish { choice, reason } => told.push(format!("{choice} {reason:?}")),
            Event::Usage(usage) => told.push(format!("{} tokens", usage.output)),
            Event::Failed(failure) => told.push(failure.status.to_string()),
            Event::Done => told.push("done".into()),
            _ => {}
        });
        read.unwrap();
    }
    assert_eq!(told, ["1 Stop", "34 tokens", "502"]);
}
