//! What holds for any request and any answer.

use dragoman_dialects::form::{Arguments, Choice, Finish, Part, Reply, ToolCall, Usage};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

use crate::events::events;
use crate::facts::facts;
use crate::frames::cut;
use crate::replies::{self, common, lost, through};
use crate::requests::outcome;
use crate::streams::{self, heard, one_end, relayed, written};
use crate::wires::{CONVERSATIONS, SIDES, Side, merge};

fn text() -> impl Strategy<Value = String> {
    "\\PC{1,8}|[a-z \n\"\\\\<>&]{1,12}"
}

fn side() -> impl Strategy<Value = &'static Side> {
    (0..SIDES.len()).prop_map(|place| &SIDES[place])
}

fn client() -> impl Strategy<Value = &'static Side> {
    let own = (0..CONVERSATIONS.len()).prop_map(|place| &CONVERSATIONS[place]);
    prop_oneof![5 => side(), 1 => own]
}

/// A request of several features at once.
fn mixed() -> impl Strategy<Value = (&'static Side, Value)> {
    (client(), vec(any::<Index>(), 1..7)).prop_map(|(client, chosen)| {
        let features = client.features();
        let mut body = features[0].1.clone();
        for place in chosen {
            merge(&mut body, features[place.index(features.len())].1.clone());
        }
        (client, body)
    })
}

fn odd() -> impl Strategy<Value = Value> {
    prop_oneof![
        text().prop_map(Value::from),
        select(vec![
            json!(null),
            json!(true),
            json!(false),
            json!(-1),
            json!(0),
            json!(1),
            json!(2.5),
            json!(u64::MAX),
            json!(""),
            json!([]),
            json!({}),
            json!("data:,x"),
            json!({"type": "text", "text": ""}),
            json!([{"type": "text", "text": " "}]),
            json!("high"),
            json!("{"),
            json!(["", "x"]),
        ]),
    ]
}

/// The places of everything within a value, as JSON pointers.
fn places(value: &Value, at: &str, places: &mut Vec<String>) {
    places.push(at.to_owned());
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                self::places(
                    value,
                    &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")),
                    places,
                );
            }
        }
        Value::Array(list) => {
            for (number, value) in list.iter().enumerate() {
                self::places(value, &format!("{at}/{number}"), places);
            }
        }
        _ => {}
    }
}

fn part() -> impl Strategy<Value = Part> {
    let reasoning = |text| Part::Reasoning {
        text,
        signature: None,
        encrypted: None,
        id: None,
    };
    let arguments = prop_oneof![
        Just(json!({})),
        text().prop_map(|text| json!({"at": text, "deep": [{"x": null}]}))
    ];
    prop_oneof![
        3 => text().prop_map(Part::text),
        1 => text().prop_map(reasoning),
        2 => ("[a-z]{1,6}", arguments).prop_map(|(name, arguments)| Part::ToolCall(ToolCall {
            id: String::new(),
            name,
            arguments: Arguments::from_text(arguments.to_string()),
            signature: None,
        })),
    ]
}

/// Any answer. It ends as its parts say, and its texts have something to see, since some dialects trim them.
fn reply() -> impl Strategy<Value = Reply> {
    let finish = select(vec![
        Finish::Stop,
        Finish::Length,
        Finish::ContentFilter,
        Finish::StopSequence(None),
    ]);
    (vec(part(), 1..7), finish, 0..9_u64).prop_map(|(mut parts, finish, tokens)| {
        let mut calls = 0;
        for part in &mut parts {
            if let Part::ToolCall(call) = part {
                call.id = format!("call_{calls}");
                calls += 1;
            }
        }
        let finish = if calls > 0 { Finish::ToolCalls } else { finish };
        Reply {
            choices: vec![Choice {
                index: 0,
                parts,
                finish: Some(finish),
                logprobs: None,
            }],
            usage: Some(Usage {
                input: 9,
                output: tokens,
                ..Usage::default()
            }),
            ..Reply::default()
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn features_that_meet_in_one_request_change_by_the_documented_rules_alone((client, body) in mixed()) {
        if let Ok(request) = client.read(body.to_string().as_bytes()) {
            for upstream in &SIDES {
                let outcome = outcome(client, upstream, &request);
                prop_assert!(outcome.is_ok(), "{}\n{body}", outcome.unwrap_err());
            }
        }
    }

    #[test]
    fn an_odd_request_is_refused_or_written_as_the_upstream_reads_it(
        (client, mut body) in mixed(), place in any::<Index>(), value in odd(),
    ) {
        let mut all = Vec::new();
        places(&body, "", &mut all);
        *body.pointer_mut(&all[place.index(all.len())]).unwrap() = value;
        if let Ok(request) = client.read(body.to_string().as_bytes()) {
            for upstream in &SIDES {
                if let Ok(written) = crate::requests::written(upstream, &request, upstream.target()) {
                    let read = upstream.read(&written);
                    let shown = String::from_utf8_lossy(&written);
                    prop_assert!(read.is_ok(), "{} to {}: {}\n{body}\n{shown}", client.file, upstream.file, read.unwrap_err());
                }
            }
        }
    }

    #[test]
    fn any_answer_arrives_as_far_as_both_can_say_it(upstream in side(), client in client(), reply in reply()) {
        let expected = common(&replies::said(upstream, &reply), &replies::said(client, &reply));
        let lost = lost(&expected, &facts(&through(client, &through(upstream, &reply))));
        prop_assert!(lost.is_empty(), "{} to {}: {lost}", upstream.file, client.file);
    }

    #[test]
    fn any_streamed_answer_arrives_as_far_as_both_can_say_it(upstream in side(), client in client(), reply in reply()) {
        let frames = cut(upstream, &written(upstream, &events(&reply)));
        let sent = relayed(upstream, &frames, client);
        let pair = format!("{} to {}", upstream.file, client.file);
        one_end(client.wire, &sent, &pair);
        let expected = common(&streams::said(upstream, &reply), &streams::said(client, &reply));
        let lost = lost(&expected, &facts(&heard(client, &sent)));
        prop_assert!(lost.is_empty(), "{pair}: {lost}");
    }
}
