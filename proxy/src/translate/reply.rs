//! A whole reply, read in the upstream's dialect and written in the client's.

use std::borrow::Cow;
use std::sync::Arc;

use dragoman_dialects::ends;
use dragoman_dialects::form::untold::tellable;
use dragoman_dialects::form::{Choice, Encrypted, Estimate, Event, Finish, Part, Reply, Untold};
use dragoman_dialects::ollama::measure;
use dragoman_dialects::template::Stops;
use dragoman_dialects::{Codec, Context, Rope};
use jiff::Timestamp;

use super::sink::{Sink, Thinking};
use super::stream::Broken;
use crate::access::usage::Meter;
use crate::think::Stripper;

/// What is done to a whole reply on its way.
#[derive(Clone, Copy, Debug)]
pub struct Way<'a> {
    /// What is trimmed from its end.
    pub stops: Option<&'a Stops>,
    /// How its thinking is treated.
    pub thinking: &'a Thinking,
    /// The name that replaces the upstream's of the model.
    pub model: Option<&'a str>,
    /// What its usage is, with what it says, if the upstream says none.
    pub estimate: Option<Estimate>,
    /// Whether the client has the upstream's words for why answers end: where it has not, an answer that did not come to an end is an error.
    pub ends_alike: bool,
}

/// Reads a whole reply, and treats it as is said.
///
/// # Errors
/// [`Broken::Garbage`] if it is not what the upstream's dialect says, and [`Broken::Unended`].
pub fn read(upstream: &dyn Codec, body: &[u8], way: Way<'_>) -> Result<Reply, Broken> {
    let Way {
        stops,
        thinking,
        model,
        estimate,
        ends_alike,
    } = way;
    let mut reply = upstream.read_reply(body)?;
    if reply.usage.is_none_or(|usage| usage.lacks_input()) {
        reply.usage = estimate.map(|mut estimate| {
            estimate.reply(&reply);
            let said = reply.usage.map(|said| estimate.complete(said));
            said.unwrap_or_else(|| estimate.usage())
        });
    }
    if let Some(stops) = stops {
        stops.trim(&mut reply);
    }
    if !ends_alike {
        ends::check(&reply)?;
    }
    if let Some(model) = model {
        reply.model = Some(model.to_owned());
    }
    for choice in &mut reply.choices {
        strip(choice, thinking);
    }
    Ok(reply)
}

/// The same, written for the client; and whether its usage is estimated.
///
/// # Errors
/// As [`read`], and [`Broken::Untold`].
pub fn whole(
    (upstream, client): (&dyn Codec, &dyn Codec),
    body: &[u8],
    way: Way<'_>,
    context: &Context,
    meter: Option<&mut Meter>,
) -> Result<(Vec<u8>, bool), Broken> {
    let reply = read(upstream, body, way)?;
    if let Some(meter) = meter {
        count(&reply, meter);
    }
    let estimated = reply.usage.is_some_and(|usage| usage.estimated);
    Ok((written(reply, client, context)?, estimated))
}

/// A reply that was read, written for the client.
///
/// # Errors
/// [`Untold`], if the client cannot be told the whole of it.
pub fn written(mut reply: Reply, client: &dyn Codec, context: &Context) -> Result<Vec<u8>, Untold> {
    tellable(&reply, client)?;
    reply.usage = reply.usage.filter(|usage| !usage.lacks_input());
    // Only Ollama's replies tell times, and its own server measures them itself.
    measure::fill(&mut reply.usage, context.started, Timestamp::now());
    Ok(client.write_reply(&reply, context))
}

/// Tells a meter what a reply used, and how much text it has.
pub fn count(reply: &Reply, meter: &mut Meter) {
    if let Some(usage) = &reply.usage {
        meter.said(usage);
    }
    for part in reply.choices.iter().flat_map(|choice| &choice.parts) {
        match part {
            Part::Text { text, .. } | Part::Reasoning { text, .. } | Part::Refusal(text) => {
                meter.text(text.len() as u64);
            }
            Part::ToolCall(call) => meter.text(call.arguments.as_text().len() as u64),
            _ => {}
        }
    }
}

/// Streams a whole reply to a client that asked for a stream of an upstream that gave none.
///
/// # Errors
/// As [`whole`].
pub fn streamed(
    upstream: &dyn Codec,
    body: &[u8],
    (stops, ends_alike): (Option<&Stops>, bool),
    sink: Sink,
    meter: Option<&mut Meter>,
) -> Result<Vec<u8>, Broken> {
    let mut reply = upstream.read_reply(body)?;
    if let Some(meter) = meter {
        count(&reply, meter);
    }
    if let Some(stops) = stops {
        stops.trim(&mut reply);
    }
    if !ends_alike {
        ends::check(&reply)?;
    }
    told(reply, sink).map_err(Broken::from)
}

/// Streams a reply that was read.
///
/// # Errors
/// [`Untold`], if the client cannot be told the whole of it.
pub fn told(reply: Reply, mut sink: Sink) -> Result<Vec<u8>, Untold> {
    let mut out = Rope::default();
    let mut give = |event: Event<'_>| sink.take(event, &mut out);
    give(Event::Start {
        id: reply.id.map(Cow::Owned),
        model: reply.model.map(Cow::Owned),
        created: reply.created,
        usage: None,
    });
    for choice in reply.choices {
        events(choice, &mut give);
    }
    if let Some(usage) = reply.usage {
        give(Event::Usage(usage));
    }
    give(Event::Done);
    match sink.untold() {
        Some(untold) => Err(untold.clone()),
        None => Ok(out.into_vec()),
    }
}

fn events(of: Choice, give: &mut dyn FnMut(Event<'_>)) {
    let choice = of.index;
    let mut logprobs = of.logprobs;
    let mut calls = 0;
    for part in of.parts {
        match part {
            Part::Text { text, .. } => give(Event::Text {
                choice,
                text: text.into(),
                logprobs: logprobs.take(),
            }),
            Part::Reasoning {
                text,
                signature,
                encrypted,
                ..
            } => {
                if !text.is_empty() {
                    let text = text.into();
                    give(Event::Reasoning { choice, text });
                }
                if let Some(signature) = signature {
                    let signature = signature.into();
                    give(Event::ReasoningSignature { choice, signature });
                }
                if let Some(Encrypted { vendor, data }) = encrypted {
                    give(Event::ReasoningEncrypted {
                        choice,
                        vendor,
                        data: data.into(),
                    });
                }
            }
            Part::Refusal(text) => {
                let text = text.into();
                give(Event::Refusal { choice, text });
            }
            Part::ToolCall(call) => {
                give(Event::ToolStart {
                    choice,
                    call: calls,
                    id: call.id.into(),
                    name: call.name.into(),
                    signature: call.signature.map(Cow::Owned),
                });
                give(Event::ToolArguments {
                    choice,
                    call: calls,
                    json: call.arguments.as_text().into(),
                });
                calls += 1;
            }
            // The sink knows whether the client has a place for it.
            Part::Image { .. }
            | Part::Document { .. }
            | Part::Audio { .. }
            | Part::ToolResult(_)
            | Part::Other { .. } => {
                let part = Box::new(part);
                give(Event::Part { choice, part });
            }
        }
    }
    // Every dialect's streams say why, and what is whole has come to an end.
    let plain = if calls > 0 {
        Finish::ToolCalls
    } else {
        Finish::Stop
    };
    let reason = of.finish.unwrap_or(plain);
    give(Event::Finish { choice, reason });
}

/// Takes the thinking out of a choice's texts. A block may reach over several of them.
pub fn strip(choice: &mut Choice, thinking: &Thinking) {
    let rules = &thinking.rules;
    if !thinking.shown || rules.drops_fields() {
        choice
            .parts
            .retain(|part| !matches!(part, Part::Reasoning { .. }));
    }
    if rules.keeps_text() {
        return;
    }
    let mut stripper = Stripper::new(Arc::clone(rules));
    let mut reasoning = String::new();
    let mut removed = false;
    for part in &mut choice.parts {
        let Part::Text { text, .. } = part else {
            continue;
        };
        let mut pieces = stripper.push(text);
        pieces.append(stripper.finish());
        reasoning.push_str(&pieces.reasoning);
        removed |= pieces.removed;
        if pieces.visible != *text {
            *text = pieces.visible.into_owned();
        }
    }
    if removed {
        // They would spell out what was stripped.
        choice.logprobs = None;
    }
    let empty = |part: &Part| matches!(part, Part::Text { text, .. } if text.is_empty());
    if removed && choice.parts.len() > 1 {
        choice.parts.retain(|part| !empty(part));
    }
    if !reasoning.is_empty() && thinking.shown {
        let part = Part::Reasoning {
            text: reasoning,
            signature: None,
            encrypted: None,
            id: None,
        };
        choice.parts.insert(0, part);
    }
}
