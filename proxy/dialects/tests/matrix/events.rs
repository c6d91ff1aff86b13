//! Answers as streams, and streams as answers.

use std::borrow::Cow;

use dragoman_dialects::form::{Arguments, Choice, Encrypted, Event, Part, Reply, ToolCall};
use serde_json::json;

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
            events.extend(
                encrypted
                    .clone()
                    .map(|encrypted| Event::ReasoningEncrypted {
                        choice,
                        vendor: encrypted.vendor,
                        data: encrypted.data.into(),
                    }),
            );
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
        Part::Image { .. } => events.push(Event::Part {
            choice,
            part: Box::new(part.clone()),
        }),
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
        |text: &str, signature: Option<&str>, encrypted: Option<Encrypted>| Part::Reasoning {
            text: text.into(),
            signature: signature.map(str::to_owned),
            encrypted,
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
        Event::ReasoningEncrypted {
            choice,
            vendor,
            data,
        } => {
            let (vendor, data) = (*vendor, data.to_string());
            add(
                *choice,
                reasoning("", None, Some(Encrypted { vendor, data })),
            );
        }
        Event::Part { choice, part } => add(*choice, (**part).clone()),
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

/// The event with what it borrows.
pub(crate) fn owned(event: Event<'_>) -> Event<'static> {
    let own = |text: Cow<'_, str>| text.into_owned().into();
    match event {
        Event::Start {
            id,
            model,
            created,
            usage,
        } => Event::Start {
            id: id.map(own),
            model: model.map(own),
            created,
            usage,
        },
        Event::Text {
            choice,
            text,
            logprobs,
        } => Event::Text {
            choice,
            text: own(text),
            logprobs,
        },
        Event::Reasoning { choice, text } => Event::Reasoning {
            choice,
            text: own(text),
        },
        Event::ReasoningSignature { choice, signature } => Event::ReasoningSignature {
            choice,
            signature: own(signature),
        },
        Event::ReasoningEncrypted {
            choice,
            vendor,
            data,
        } => Event::ReasoningEncrypted {
            choice,
            vendor,
            data: own(data),
        },
        Event::Refusal { choice, text } => Event::Refusal {
            choice,
            text: own(text),
        },
        Event::ToolStart {
            choice,
            call,
            id,
            name,
            signature,
        } => Event::ToolStart {
            choice,
            call,
            id: own(id),
            name: own(name),
            signature: signature.map(own),
        },
        Event::ToolArguments { choice, call, json } => Event::ToolArguments {
            choice,
            call,
            json: own(json),
        },
        Event::Part { choice, part } => Event::Part { choice, part },
        Event::Finish { choice, reason } => Event::Finish { choice, reason },
        Event::Usage(usage) => Event::Usage(usage),
        Event::Ping => Event::Ping,
        Event::Failed(failure) => Event::Failed(failure),
        Event::Done => Event::Done,
    }
}
