use std::net::Ipv4Addr;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use dragoman_config::{ObjectKey, ResponseActionItem, ResponseRuleItem};
use dragoman_dialects::form::{Base64, Choice, Event, Finish, Part, Reply, Source};
use dragoman_dialects::{Context, Rope, Wire};
use http::HeaderMap;
use jiff::Timestamp;
use serde_json::json;

use super::{Judging, ResponseRules, Stopped};
use crate::access::caller::Caller;
use crate::access::facts::Facts;
use crate::access::service::Services;
use crate::translate::frames::{Frames, Uncut};
use crate::translate::{Collected, Sink, Stream, Thinking, untouched};

/// Every dialect of conversations.
const WIRES: [Wire; 12] = [
    Wire::Chat,
    Wire::Completions,
    Wire::Responses,
    Wire::Messages,
    Wire::OllamaChat,
    Wire::OllamaGenerate,
    Wire::Gemini,
    Wire::BedrockConverse,
    Wire::BedrockInvoke,
    Wire::Tgi,
    Wire::ConversationChat,
    Wire::BedrockText,
];

fn rule(when: Option<&str>, action: ResponseActionItem) -> ResponseRuleItem {
    ResponseRuleItem {
        name: "guard".into(),
        when: when.map(str::to_owned),
        action,
    }
}

fn replace(regex: &str, replacement: &str) -> ResponseActionItem {
    ResponseActionItem::Replace {
        regex: regex.into(),
        replacement: replacement.into(),
    }
}

fn deny(regex: Option<&str>) -> ResponseActionItem {
    ResponseActionItem::Deny {
        regex: regex.map(str::to_owned),
        message: None,
    }
}

fn begun(items: &[ResponseRuleItem], body: &str) -> Result<Option<Judging>, super::Failed> {
    let rules = ResponseRules::new(&ObjectKey::new("a", "p"), items).unwrap();
    let key = ObjectKey {
        namespace: "team".into(),
        name: "policy".into(),
    };
    let body = Bytes::copy_from_slice(body.as_bytes());
    let caller = Caller {
        address: Ipv4Addr::LOCALHOST.into(),
        user: None,
        key: None,
    };
    let facts = Facts {
        body: Some(&body),
        headers: &HeaderMap::new(),
        caller: &caller,
        route: &key,
        model: Some("m"),
    };
    ResponseRules::begin(
        &[(&key, &rules, &caller)],
        facts,
        &Rc::new(Services::default()),
    )
}

fn judging(items: &[ResponseRuleItem]) -> Judging {
    begun(items, "{}").unwrap().unwrap()
}

fn context() -> Context {
    Context {
        request_id: "r".into(),
        model: "m".into(),
        started: Timestamp::UNIX_EPOCH,
        stream_usage: true,
        reasoning: true,
        echo: serde_json::Map::new(),
    }
}

/// A stream in which pieces of text are said.
fn said(wire: Wire, pieces: &[&str]) -> Vec<u8> {
    let mut writer = wire.codec().stream_writer(&context());
    let mut out = Vec::new();
    let mut write = |event: Event<'_>| writer.write(event, &Timestamp::now, &mut out);
    write(Event::Start {
        id: Some("i".into()),
        model: Some("m".into()),
        created: Some(0),
        usage: None,
    });
    for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
        write(Event::Text {
            choice: 0,
            text: (*piece).into(),
            logprobs: None,
        });
    }
    write(Event::Finish {
        choice: 0,
        reason: Finish::Stop,
    });
    write(Event::Usage(dragoman_dialects::form::Usage::default()));
    write(Event::Done);
    out
}

/// What rules make of a stream of the wire's, in the same wire's words.
fn judged(wire: Wire, judging: &Judging, stream: Vec<u8>) -> Vec<u8> {
    let thinking = Thinking {
        rules: Arc::new(untouched()),
        shown: true,
    };
    let codec = wire.codec();
    let sink = Sink::new(codec.stream_writer(&context()), thinking, None);
    let sink = sink.judged(Some(judging.stream()));
    let mut stages = Stream::new(codec.framing(), codec.stream_reader(), sink);
    let mut out = Rope::default();
    stages.push(stream.into(), &mut out).unwrap();
    stages.finish(&mut out).unwrap();
    out.into_vec()
}

fn collected(wire: Wire, stream: Vec<u8>) -> Collected {
    let codec = wire.codec();
    let mut reader = codec.stream_reader();
    let mut collected = Collected::default();
    let mut frames = Frames::new(codec.framing());
    let pushed = frames.push(stream.into(), |frame| {
        // An error event of some dialects is no event of an answer.
        let _ = reader.read(frame, &mut |event| collected.take(event));
        Ok::<_, Uncut>(())
    });
    pushed.unwrap();
    reader.end(&mut |event| collected.take(event));
    collected
}

fn text(reply: &Reply) -> String {
    let parts = reply.choices.iter().flat_map(|choice| &choice.parts);
    let texts = parts.filter_map(|part| match part {
        Part::Text { text, .. } => Some(text.as_str()),
        _ => None,
    });
    texts.collect()
}

#[test]
fn a_pattern_split_at_any_byte_is_replaced_in_every_dialect() {
    let judging = judging(&[rule(None, replace("sk-[a-z0-9]{6}", "[key]"))]);
    let whole = "The key is sk-abc123, not sk-abc.";
    for wire in WIRES {
        for at in 0..=whole.len() {
            let (one, other) = whole.split_at(at);
            let out = judged(wire, &judging, said(wire, &[one, other]));
            let shown = String::from_utf8_lossy(&out).into_owned();
            assert!(!shown.contains("abc123"), "{wire:?} {at}: {shown}");
            let collected = collected(wire, out);
            assert!(collected.is_done(), "{wire:?} {at}: {shown}");
            assert_eq!(
                text(&collected.reply()),
                "The key is [key], not sk-abc.",
                "{wire:?} {at}"
            );
        }
    }
}

#[test]
fn a_denied_stream_ends_with_an_error_and_no_success_in_every_dialect() {
    let judging = judging(&[rule(None, deny(Some("top secret")))]);
    let whole = "This is top secret indeed.";
    for wire in WIRES {
        for at in 0..=whole.len() {
            let (one, other) = whole.split_at(at);
            let out = judged(wire, &judging, said(wire, &[one, other]));
            let shown = String::from_utf8_lossy(&out).into_owned();
            assert!(
                shown.contains("refuses this reply"),
                "{wire:?} {at}: {shown}"
            );
            assert!(!shown.contains("[DONE]"), "{wire:?} {at}: {shown}");
            let collected = collected(wire, out);
            assert!(!collected.is_done(), "{wire:?} {at}: {shown}");
            let reply = text(&collected.reply());
            assert!("This is ".starts_with(&reply), "{wire:?} {at}: {reply}");
        }
    }
}

#[test]
fn reasoning_refusals_and_arguments_are_judged_too() {
    let events = |secret: &str| {
        let (choice, text) = (0, secret.to_owned().into());
        let json = format!("{{\"a\":\"{secret}\"}}").into();
        [
            vec![Event::Reasoning { choice, text }],
            vec![Event::Refusal {
                choice,
                text: secret.to_owned().into(),
            }],
            vec![
                Event::ToolStart {
                    choice,
                    call: 0,
                    id: "c".into(),
                    name: "f".into(),
                    signature: None,
                },
                Event::ToolArguments {
                    choice,
                    call: 0,
                    json,
                },
            ],
        ]
    };
    let deny = judging(&[rule(None, deny(Some("secret-[0-9]")))]);
    let replace = judging(&[rule(None, replace("secret-[0-9]", "*"))]);
    for (at, said) in events("secret-1").into_iter().enumerate() {
        let run = |judging: &Judging| {
            let mut judge = judging.stream();
            let mut out = Vec::new();
            let mut give = |event: Event<'_>| out.push(format!("{event:?}"));
            for event in said.clone() {
                judge.take(event, &mut give)?;
            }
            judge.take(Event::Done, &mut give)?;
            Ok::<_, Stopped>(out.concat())
        };
        assert!(run(&deny).is_err(), "{at}");
        // Arguments must stay what they are.
        let shown = run(&replace).unwrap();
        assert_eq!(shown.contains("secret-1"), at == 2, "{shown}");
    }
}

#[test]
fn of_parts_a_stream_shows_pictures_alone_and_texts_are_one_around_them() {
    let judging = judging(&[rule(None, deny(Some("nightjar")))]);
    let text = |text: &'static str| Event::Text {
        choice: 0,
        text: text.into(),
        logprobs: None,
    };
    let part = |part| Event::Part {
        choice: 0,
        part: Box::new(part),
    };
    let inline = |media_type: &str| Source::Inline {
        media_type: Some(media_type.into()),
        data: Base64::new("AA==".into()),
    };
    let picture = || Part::Image {
        source: inline("image/png"),
        detail: None,
        cache: None,
    };
    let run = |events: Vec<Event<'static>>| {
        let (mut judge, mut given) = (judging.stream(), 0);
        for event in events {
            judge.take(event, &mut |_| given += 1)?;
        }
        judge.take(Event::Done, &mut |_| given += 1)?;
        Ok::<_, Stopped>(given)
    };
    assert_eq!(run(vec![part(picture()), text("a jar")]), Ok(3));
    let denied = run(vec![text("night"), part(picture()), text("jar")]);
    assert!(matches!(denied, Err(Stopped::Denied(_))), "{denied:?}");
    let ran = Part::Other {
        kind: "codeExecutionResult".into(),
        value: json!({"output": "nightjar"}),
    };
    let sound = Part::Audio {
        source: inline("audio/wav"),
    };
    for other in [ran, sound, says("nightjar")] {
        let stopped = run(vec![text("a"), part(other)]);
        assert!(matches!(stopped, Err(Stopped::Unjudged(_))), "{stopped:?}");
    }
}

#[test]
fn choices_are_judged_apart() {
    let judging = judging(&[rule(None, deny(Some("ab")))]);
    let mut judge = judging.stream();
    for (choice, text) in [(0, "a"), (1, "b"), (0, "c"), (1, "a")] {
        let event = Event::Text {
            choice,
            text: text.into(),
            logprobs: None,
        };
        judge.take(event, &mut |_| {}).unwrap();
    }
    judge.take(Event::Done, &mut |_| {}).unwrap();
}

fn reply(parts: Vec<Part>) -> Reply {
    Reply {
        choices: vec![Choice {
            index: 0,
            parts,
            finish: Some(Finish::Stop),
            logprobs: Some(json!({"content": []})),
        }],
        ..Reply::default()
    }
}

fn says(text: &str) -> Part {
    Part::Text {
        text: text.into(),
        citations: None,
        cache: None,
    }
}

async fn whole(items: &[ResponseRuleItem], mut reply: Reply) -> Result<Reply, Stopped> {
    judging(items).whole(&mut reply).await?;
    Ok(reply)
}

#[tokio::test]
async fn rules_on_whole_replies_see_all_of_it_in_order() {
    let long = Some("response.content.size() > 5 && response.finish_reason == 'stop'");
    let set = ResponseActionItem::SetContent("response.content + '!'".into());
    let items = [
        rule(None, replace("l+", "L")),
        rule(long, set),
        rule(Some("response.content.contains('?')"), deny(None)),
    ];
    let judged = whole(&items, reply(vec![says("hel"), says("lo wor")])).await;
    let judged = judged.unwrap();
    assert_eq!(text(&judged), "heLo wor!");
    assert_eq!(judged.choices[0].logprobs, None);
    let judged = whole(&items, reply(vec![says("hello")])).await.unwrap();
    assert_eq!(text(&judged), "heLo");
    let denied = whole(&items, reply(vec![says("so?")])).await;
    assert!(matches!(denied, Err(Stopped::Denied(_))), "{denied:?}");
}

#[tokio::test]
async fn what_cannot_be_judged_does_not_pass() {
    let set = |value: &str| rule(None, ResponseActionItem::SetContent(value.into()));
    let failed = whole(&[set("response.none.more.size()")], reply(vec![says("x")])).await;
    assert!(matches!(failed, Err(Stopped::Failed(_))), "{failed:?}");
    let failed = whole(&[set("1")], reply(vec![says("x")])).await;
    assert!(matches!(failed, Err(Stopped::Failed(_))), "{failed:?}");
    let long = "x".repeat(super::LONGEST + 1);
    let stopped = whole(&[set("'y'")], reply(vec![says(&long)])).await;
    assert!(matches!(stopped, Err(Stopped::Unjudged(_))), "{stopped:?}");
    let other = Part::Other {
        kind: "search".into(),
        value: json!({"text": "secret"}),
    };
    let stopped = whole(&[rule(None, deny(Some("x")))], reply(vec![other])).await;
    assert!(matches!(stopped, Err(Stopped::Unjudged(_))), "{stopped:?}");
}

#[test]
fn what_the_request_decides_is_decided_before_the_reply() {
    let for_guests = |action| [rule(Some("user == null && request.n == 1"), action)];
    let found = begun(&for_guests(deny(None)), r#"{"n":1}"#)
        .unwrap()
        .unwrap();
    assert!(!found.holds_whole());
    assert!(found.refuses().is_some());
    assert!(
        begun(&for_guests(deny(None)), r#"{"n":2}"#)
            .unwrap()
            .is_none()
    );
    let failed = begun(&[rule(Some("request.n > 1"), deny(None))], r#"{"n":"x"}"#);
    assert_eq!(failed.unwrap_err().status, 500);
    let late = [rule(Some("response.content == ''"), deny(Some("x")))];
    assert!(begun(&late, "{}").unwrap().unwrap().holds_whole());
}
