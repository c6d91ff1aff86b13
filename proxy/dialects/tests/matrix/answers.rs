//! Answers, and what is heard of them: the facts that a client can tell.

use std::collections::BTreeMap;

use dragoman_dialects::Context;
use dragoman_dialects::form::{
    Arguments, Choice, Event, Finish, Part, Reply, ToolCall, Usage, message,
};
use serde_json::{Map, Value, json};

/// What an answer says, by what the documentation calls it.
pub(crate) type Facts = BTreeMap<&'static str, String>;

/// Every fact there is, in the order of the table.
pub(crate) const FACTS: [&str; 21] = [
    "text",
    "a second answer",
    "tool calls",
    "ids of calls",
    "reasoning",
    "signed reasoning",
    "reasoning that only the vendor reads",
    "a refusal in words",
    "probabilities of tokens",
    "end: done",
    "end: limit",
    "end: tool calls",
    "end: stop text",
    "which stop text",
    "end: filter",
    "end: refusal",
    "tokens of the prompt",
    "tokens of the answer",
    "tokens read from the cache",
    "tokens written to the cache",
    "tokens of reasoning",
];

/// What a proxy knows of the request.
pub(crate) fn context() -> Context {
    Context {
        request_id: "019aa5c0-0000-7000-8000-000000000001".into(),
        model: "m".into(),
        started: "2026-11-21T07:00:00Z".parse().unwrap(),
        stream_usage: true,
        reasoning: true,
        echo: Map::new(),
    }
}

/// Answers that between them hold every fact, by name.
pub(crate) fn answers() -> Vec<(&'static str, Reply)> {
    let text = || Part::text("The cat is in the box.");
    let reasoning = |signature: Option<&str>| Part::Reasoning {
        text: "Boxes first, then beds.".into(),
        signature: signature.map(str::to_owned),
        encrypted: None,
        id: None,
    };
    let hidden = Part::Reasoning {
        text: String::new(),
        signature: None,
        encrypted: Some("Z0FBQUE=".into()),
        id: Some("rs_1".into()),
    };
    let calls = vec![
        reasoning(None),
        Part::text("Looking in both."),
        call("call_a", json!({"at": "box \"1\"", "deep": {"n": [1, 2]}})),
        call("call_b", json!({})),
    ];
    let mut two = answer(vec![text()], Finish::Stop);
    two.choices.push(Choice {
        index: 1,
        parts: vec![Part::text("Try the bed.")],
        finish: Some(Finish::Stop),
        logprobs: None,
    });
    let mut measured = answer(vec![text()], Finish::Stop);
    measured.choices[0].logprobs = Some(json!({
        "content": [{"token": "The", "logprob": -0.5, "bytes": [84, 104, 101], "top_logprobs": []}],
    }));
    let stop = Finish::StopSequence(Some("END".into()));
    let refusal = Part::Refusal("I may not say.".into());
    vec![
        ("text", answer(vec![text()], Finish::Stop)),
        ("calls", answer(calls, Finish::ToolCalls)),
        (
            "reasoning",
            answer(vec![reasoning(None), text()], Finish::Stop),
        ),
        (
            "signed reasoning",
            answer(vec![reasoning(Some("c2ln")), text()], Finish::Stop),
        ),
        (
            "hidden reasoning",
            answer(vec![hidden, text()], Finish::Stop),
        ),
        ("limit", answer(vec![text()], Finish::Length)),
        ("stop text", answer(vec![text()], stop)),
        ("filter", answer(vec![text()], Finish::ContentFilter)),
        ("refusal", answer(vec![refusal], Finish::Refusal)),
        ("two", two),
        ("probabilities", measured),
    ]
}

fn call(id: &str, arguments: Value) -> Part {
    Part::ToolCall(ToolCall {
        id: id.into(),
        name: "look".into(),
        arguments: Arguments::from_text(arguments.to_string()),
        signature: None,
    })
}

fn answer(parts: Vec<Part>, finish: Finish) -> Reply {
    let choice = Choice {
        index: 0,
        parts,
        finish: Some(finish),
        logprobs: None,
    };
    Reply {
        id: Some("answer_1".into()),
        model: Some("m".into()),
        created: Some(1_763_708_400),
        choices: vec![choice],
        usage: Some(Usage {
            input: 120,
            output: 34,
            cached_input: Some(60),
            cache_write: Some(20),
            reasoning: Some(11),
            ..Usage::default()
        }),
        extra: Map::new(),
    }
}

/// What an answer says.
pub(crate) fn facts(reply: &Reply) -> Facts {
    let mut facts = Facts::new();
    for choice in &reply.choices {
        let said = message::joined_text(&choice.parts);
        let name = if choice.index == 0 {
            "text"
        } else {
            "a second answer"
        };
        if !said.is_empty() {
            facts.insert(name, said);
        }
        for part in &choice.parts {
            heard(part, &mut facts);
        }
        if let (0, Some(finish)) = (choice.index, &choice.finish) {
            end(finish, &mut facts);
        }
        if let Some(logprobs) = &choice.logprobs {
            let token = |token: &Value| format!("{}{}", token["token"], token["logprob"]);
            let tokens = logprobs["content"].as_array();
            let tokens = tokens.into_iter().flatten().map(token);
            facts.insert("probabilities of tokens", tokens.collect());
        }
    }
    if let Some(usage) = &reply.usage {
        let mut put = |name, count: Option<u64>| {
            facts.extend(count.map(|count| (name, count.to_string())));
        };
        put("tokens read from the cache", usage.cached_input);
        put("tokens written to the cache", usage.cache_write);
        put("tokens of reasoning", usage.reasoning);
        put("tokens of the prompt", Some(usage.input));
        put("tokens of the answer", Some(usage.output));
    }
    facts
}

fn heard(part: &Part, facts: &mut Facts) {
    let mut add = |name, text: &str| facts.entry(name).or_default().push_str(text);
    match part {
        Part::Reasoning {
            text,
            signature,
            encrypted,
            ..
        } => {
            if !text.is_empty() {
                add("reasoning", text);
            }
            if let Some(signature) = signature {
                add("signed reasoning", signature);
            }
            if let Some(encrypted) = encrypted {
                add("reasoning that only the vendor reads", encrypted);
            }
        }
        Part::Refusal(text) => add("a refusal in words", text),
        Part::ToolCall(call) => {
            let arguments: Value = serde_json::from_str(call.arguments.as_text()).unwrap();
            add("tool calls", &format!("{}{arguments};", call.name));
            add("ids of calls", &format!("{};", call.id));
        }
        _ => {}
    }
}

fn end(finish: &Finish, facts: &mut Facts) {
    let name = match finish {
        Finish::Stop | Finish::Pause | Finish::Other(_) => "end: done",
        Finish::StopSequence(_) => "end: stop text",
        Finish::Length => "end: limit",
        Finish::ToolCalls => "end: tool calls",
        Finish::ContentFilter => "end: filter",
        Finish::Refusal => "end: refusal",
    };
    facts.insert(name, String::new());
    if let Finish::StopSequence(Some(text)) = finish {
        facts.insert("which stop text", text.clone());
    }
}

/// The answer as a stream: texts and arguments in pieces, one choice after the other.
pub(crate) fn events(reply: &Reply) -> Vec<Event<'static>> {
    let mut events = vec![Event::Start {
        id: reply.id.clone().map(Into::into),
        model: reply.model.clone().map(Into::into),
        created: reply.created,
        usage: None,
    }];
    for choice in &reply.choices {
        let mut calls = 0;
        for part in &choice.parts {
            pieces(choice, part, &mut calls, &mut events);
        }
        events.extend(choice.finish.clone().map(|reason| Event::Finish {
            choice: choice.index,
            reason,
        }));
    }
    events.extend(reply.usage.map(Event::Usage));
    events.push(Event::Done);
    events
}

fn pieces(of: &Choice, part: &Part, calls: &mut u32, events: &mut Vec<Event<'static>>) {
    let choice = of.index;
    match part {
        Part::Text { text, .. } => {
            // Probabilities come with the first piece.
            let mut logprobs = of.logprobs.clone();
            events.extend(cut(text).map(|text| Event::Text {
                choice,
                text: text.into(),
                logprobs: logprobs.take(),
            }));
        }
        Part::Reasoning {
            text,
            signature,
            encrypted,
            ..
        } => {
            let pieces = cut(text).filter(|text| !text.is_empty());
            events.extend(pieces.map(|text| Event::Reasoning {
                choice,
                text: text.into(),
            }));
            events.extend(
                signature
                    .clone()
                    .map(|signature| Event::ReasoningSignature {
                        choice,
                        signature: signature.into(),
                    }),
            );
            events.extend(encrypted.clone().map(|data| Event::ReasoningEncrypted {
                choice,
                data: data.into(),
            }));
        }
        Part::Refusal(text) => events.extend(cut(text).map(|text| Event::Refusal {
            choice,
            text: text.into(),
        })),
        Part::ToolCall(made) => {
            let call = *calls;
            *calls += 1;
            events.push(Event::ToolStart {
                choice,
                call,
                id: made.id.clone().into(),
                name: made.name.clone().into(),
                signature: None,
            });
            let json = cut(made.arguments.as_text());
            events.extend(json.map(|json| Event::ToolArguments {
                choice,
                call,
                json: json.into(),
            }));
        }
        _ => {}
    }
}

/// A text in two pieces.
fn cut(text: &str) -> impl Iterator<Item = String> {
    let (start, end) = text.split_at(text.floor_char_boundary(text.len() / 2));
    let pieces = [start.to_owned(), end.to_owned()];
    pieces.into_iter().filter(|piece| !piece.is_empty())
}

/// What a stream's events say together, as an answer.
///
/// # Panics
/// If they are not in the order that the form promises.
pub(crate) fn gathered(events: &[Event<'_>]) -> Reply {
    let mut reply = Reply::default();
    assert!(
        matches!(events.first(), Some(Event::Start { .. })),
        "{events:?}"
    );
    assert!(matches!(events.last(), Some(Event::Done)), "{events:?}");
    for (place, event) in events.iter().enumerate() {
        match event {
            Event::Start { usage, .. } => {
                assert_eq!(place, 0, "{events:?}");
                reply.usage = *usage;
            }
            Event::Usage(usage) => reply.usage = Some(*usage),
            Event::Done => assert_eq!(place, events.len() - 1, "{events:?}"),
            Event::Failed(failure) => panic!("{failure:?}"),
            Event::Ping => {}
            said => gather(said, &mut reply),
        }
    }
    reply
}

fn gather(event: &Event<'_>, reply: &mut Reply) {
    let mut add = |index: u32, part: Part| {
        let choice = chosen(reply, index);
        assert_eq!(choice.finish, None, "{event:?} after the end");
        choice.parts.push(part);
    };
    let reasoning =
        |text: &str, signature: Option<&str>, encrypted: Option<&str>| Part::Reasoning {
            text: text.into(),
            signature: signature.map(str::to_owned),
            encrypted: encrypted.map(str::to_owned),
            id: None,
        };
    match event {
        Event::Text {
            choice,
            text,
            logprobs,
        } => {
            add(*choice, Part::text(text.as_ref()));
            if let Some(logprobs) = logprobs {
                let tokens = logprobs["content"].as_array().cloned().unwrap_or_default();
                let place = &mut chosen(reply, *choice).logprobs;
                let all = place.get_or_insert_with(|| json!({"content": []}));
                all["content"].as_array_mut().unwrap().extend(tokens);
            }
        }
        Event::Reasoning { choice, text } => add(*choice, reasoning(text, None, None)),
        Event::ReasoningSignature { choice, signature } => {
            add(*choice, reasoning("", Some(signature), None));
        }
        Event::ReasoningEncrypted { choice, data } => add(*choice, reasoning("", None, Some(data))),
        Event::Refusal { choice, text } => add(*choice, Part::Refusal(text.to_string())),
        Event::ToolStart {
            choice, id, name, ..
        } => add(
            *choice,
            Part::ToolCall(ToolCall {
                id: id.to_string(),
                name: name.to_string(),
                arguments: Arguments::from_text("\u{0}"),
                signature: None,
            }),
        ),
        Event::ToolArguments { choice, call, json } => {
            let parts = &mut chosen(reply, *choice).parts;
            let calls = parts.iter_mut().filter_map(|part| match part {
                Part::ToolCall(call) => Some(call),
                _ => None,
            });
            let call = calls.into_iter().nth(*call as usize).unwrap();
            let so_far = call.arguments.as_text().trim_start_matches('\u{0}');
            call.arguments = Arguments::from_text(format!("{so_far}{json}"));
        }
        Event::Finish { choice, reason } => {
            let finish = &mut chosen(reply, *choice).finish;
            assert_eq!(*finish, None, "finished twice");
            *finish = Some(reason.clone());
        }
        _ => {}
    }
}

fn chosen(reply: &mut Reply, index: u32) -> &mut Choice {
    let known = reply
        .choices
        .iter()
        .position(|choice| choice.index == index);
    let place = known.unwrap_or_else(|| {
        reply.choices.push(Choice {
            index,
            parts: Vec::new(),
            finish: None,
            logprobs: None,
        });
        reply.choices.len() - 1
    });
    &mut reply.choices[place]
}
