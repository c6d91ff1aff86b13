//! Whole replies: from each upstream to each client.

use std::fmt::Write as _;

use dragoman_dialects::form::Reply;

use crate::answers::{answers, context};
use crate::facts::{FACTS, Facts, facts};
use crate::wires::{SIDES, Side, clients};
use dragoman_dialects::Wire;

/// An answer as a server of this dialect gives it and a client of it reads it.
pub(crate) fn through(side: &Side, reply: &Reply) -> Reply {
    let body = side.codec().write_reply(reply, &context());
    let read = side.codec().read_reply(&body);
    read.unwrap_or_else(|garbage| panic!("{} does not read its own reply: {garbage}", side.file))
}

/// What a dialect can say of an answer.
pub(crate) fn said(side: &Side, reply: &Reply) -> Facts {
    kept(side, reply, &through(side, reply))
}

/// What of an answer is still true of what was read again.
pub(crate) fn kept(side: &Side, reply: &Reply, read: &Reply) -> Facts {
    let (is, mut read) = (facts(reply), facts(read));
    read.retain(|name, value| is.get(name) == Some(value));
    if side.wire == Wire::BedrockText {
        // It has one word for both ends: that a text of the client's was met is told by the text alone.
        read.remove("end: stop text");
    }
    read
}

/// The facts that two dialects can both say.
pub(crate) fn common(upstream: &Facts, client: &Facts) -> Facts {
    let both = upstream
        .iter()
        .filter(|(name, _)| client.contains_key(*name));
    both.map(|(name, value)| (*name, value.clone())).collect()
}

/// What of `expected` was not heard.
pub(crate) fn lost(expected: &Facts, heard: &Facts) -> String {
    let lost = expected
        .iter()
        .filter(|(name, value)| heard.get(*name) != Some(value));
    lost.fold(String::new(), |mut out, (name, value)| {
        writeln!(out, "{name}: {value:?} became {:?}", heard.get(name)).unwrap();
        out
    })
}

#[test]
fn whatever_upstream_and_client_can_both_say_of_an_answer_arrives() {
    let mut faults = String::new();
    for (name, reply) in answers() {
        for upstream in &SIDES {
            let from = said(upstream, &reply);
            for client in clients() {
                let expected = common(&from, &said(client, &reply));
                let heard = facts(&through(client, &through(upstream, &reply)));
                let lost = lost(&expected, &heard);
                if !lost.is_empty() {
                    writeln!(
                        faults,
                        "{name}, {} to {}: {lost}",
                        upstream.file, client.file
                    )
                    .unwrap();
                }
            }
        }
    }
    assert!(faults.is_empty(), "{faults}");
}

#[test]
fn every_dialect_can_say_the_text_and_that_it_is_done() {
    for side in clients() {
        let said = said(side, &answers()[0].1);
        for fact in ["text", "end: done"] {
            assert!(said.contains_key(fact), "{}: {fact}", side.file);
        }
    }
}

#[test]
fn every_fact_is_one_that_some_dialect_can_say() {
    let answers = answers();
    for fact in FACTS {
        let known = |side: &Side| {
            answers
                .iter()
                .any(|(_, reply)| said(side, reply).contains_key(fact))
        };
        assert!(SIDES.iter().any(known), "{fact}");
    }
}
