//! The conversation, to be written. Rules of ours:
//!
//! - System prompts, wherever they stand, go to `systemInstruction`; a conversation of nothing else is the user's.
//! - Neighbouring messages of one role are one content; what functions gave is a content of its own, since it must follow its calls at once.
//! - What a function gave must be an object: a JSON object is one, other text is `output`, and an error's text is `error`.
//! - Left out: empty texts, reasoning of earlier turns, speakers' names, cache marks, sources, documents' names, an image's `detail`.
//! - Gemini 3 insists on a signature over the first call of each message. Calls of other models' and calls of clients that cannot bring it back have none:
//!   for those stands [the word](https://ai.google.dev/gemini-api/docs/thought-signatures#faqs) that Google has for it.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Serialize;

use super::PAGE;
use crate::form::{Field, Message, Part, Refused, Role, ToolCall, ToolResult};
use crate::gemini::out::{self, Given, Out, Response};
use crate::gemini::parts::own;

/// What stands for a signature that nobody has.
const UNSIGNED: &str = "skip_thought_signature_validator";

/// A content.
#[derive(Clone, Debug, Serialize)]
pub struct Content<'a> {
    role: &'static str,
    parts: Vec<Out<'a>>,
    #[serde(skip)]
    of: Role,
}

/// `systemInstruction`.
#[derive(Clone, Debug, Serialize)]
pub struct System<'a> {
    parts: Vec<Out<'a>>,
}

/// The conversation.
#[derive(Debug)]
pub struct Conversation<'a> {
    /// The system prompt.
    pub system: Option<System<'a>>,
    /// The turns.
    pub contents: Vec<Content<'a>>,
}

/// Writes a conversation. `signed`: whether the model insists on signatures.
///
/// # Errors
/// [`Refused`] for what the dialect cannot say, naming the place.
pub fn write(messages: &[Message], signed: bool) -> Result<Conversation<'_>, Refused> {
    let mut turns = Turns {
        system: Vec::new(),
        contents: Vec::new(),
        names: HashMap::new(),
        signed,
    };
    for message in messages {
        turns.push(message)?;
    }
    let Turns {
        mut system,
        mut contents,
        ..
    } = turns;
    if contents.is_empty() && !system.is_empty() {
        contents.push(Content {
            role: "user",
            parts: std::mem::take(&mut system),
            of: Role::User,
        });
    }
    if contents.is_empty() {
        let message = "Gemini needs a message that holds something; send one.";
        return Err(Refused::new(Field::At("messages".into()), message, PAGE));
    }
    Ok(Conversation {
        system: (!system.is_empty()).then_some(System { parts: system }),
        contents,
    })
}

struct Turns<'a> {
    system: Vec<Out<'a>>,
    contents: Vec<Content<'a>>,
    /// The function of each call.
    names: HashMap<&'a str, &'a str>,
    signed: bool,
}

fn refused(at: &str, message: impl Into<String>) -> Refused {
    Refused::new(Field::At(at.to_owned()), message, PAGE)
}

impl<'a> Turns<'a> {
    fn push(&mut self, message: &'a Message) -> Result<(), Refused> {
        let mut parts = Vec::with_capacity(message.parts.len());
        let mut unsigned = self.signed;
        for part in &message.parts {
            let written = match part {
                Part::ToolCall(call) => {
                    let signature = call.signature.as_deref();
                    let signature = signature.or(unsigned.then_some(UNSIGNED));
                    unsigned = false;
                    self.names.insert(&call.id, &call.name);
                    Some(function_call(call, signature, &message.at)?)
                }
                Part::ToolResult(result) => Some(self.result(result, &message.at)?),
                part => plain(part, &message.at)?,
            };
            parts.extend(written);
        }
        let (role, of) = match message.role {
            Role::System | Role::Developer => {
                let other = message
                    .parts
                    .iter()
                    .find(|part| !matches!(part, Part::Text { .. }));
                if let Some(other) = other {
                    let fault = format!(
                        "A system prompt cannot hold {}; put it into a user's message.",
                        other.described()
                    );
                    return Err(refused(&message.at, fault));
                }
                self.system.extend(parts);
                return Ok(());
            }
            Role::User => ("user", Role::User),
            Role::Tool => ("user", Role::Tool),
            Role::Assistant => ("model", Role::Assistant),
        };
        match self.contents.last_mut() {
            _ if parts.is_empty() => {}
            Some(last) if last.of == of => last.parts.extend(parts),
            _ => self.contents.push(Content { role, parts, of }),
        }
        Ok(())
    }

    fn result(&self, result: &'a ToolResult, at: &str) -> Result<Out<'a>, Refused> {
        let known = self.names.get(result.call.as_str()).copied();
        let Some(name) = known.or(result.name.as_deref()) else {
            let message = format!(
                "Gemini wants to know which function gave this, and no call before it has the id {:?}; send the call too.",
                result.call
            );
            return Err(refused(at, message));
        };
        let mut texts = result.parts.iter().filter_map(|part| match part {
            Part::Text { text, .. } | Part::Refusal(text) => Some(text.as_str()),
            _ => None,
        });
        let first = Cow::Borrowed(texts.next().unwrap_or_default());
        let text = texts.fold(first, |all, text| Cow::Owned(format!("{all}\n{text}")));
        let mut parts = Vec::new();
        for part in &result.parts {
            match part {
                Part::Text { .. } | Part::Refusal(_) => {}
                part => parts.extend(plain(part, at)?.map(|out| (part, out))),
            }
        }
        if let Some((part, _)) = parts
            .iter()
            .find(|(_, out)| matches!(out, Out::File { .. }))
        {
            let message = format!(
                "Gemini takes {} from a function as bytes alone; send them instead of a URL.",
                part.described()
            );
            return Err(refused(at, message));
        }
        Ok(Out::Response {
            function_response: Box::new(Response {
                id: &result.call,
                name,
                response: Given::of(text, result.is_error),
                parts: parts.into_iter().map(|(_, out)| out).collect(),
            }),
        })
    }
}

fn function_call<'a>(
    call: &'a ToolCall,
    signature: Option<&'a str>,
    at: &str,
) -> Result<Out<'a>, Refused> {
    out::call(call, signature).ok_or_else(|| {
        let message = format!(
            "The arguments of the call {:?} are not a JSON object, and Gemini takes nothing else; mend them.",
            call.name
        );
        refused(at, message)
    })
}

fn plain<'a>(part: &'a Part, at: &str) -> Result<Option<Out<'a>>, Refused> {
    let media = |what: &str, source| {
        let written = out::media(source);
        written.map_err(|cure| refused(at, format!("Gemini cannot read this {what}; {cure}")))
    };
    Ok(Some(match part {
        Part::Text { text, .. } | Part::Refusal(text) if text.is_empty() => return Ok(None),
        Part::Text { text, .. } | Part::Refusal(text) => Out::Text { text },
        Part::Reasoning { .. } => return Ok(None),
        Part::Image { source, .. } => media("image", source)?,
        Part::Audio { source } => media("sound", source)?,
        Part::Document { source, .. } => media("document", source)?,
        Part::Other { kind, value } => match own(kind, value) {
            Some(part) => Out::Own(part),
            None => {
                let message = format!(
                    "Gemini has no part of type {kind:?}; remove it, or call a model whose backend speaks your dialect."
                );
                return Err(refused(at, message));
            }
        },
        Part::ToolCall(_) | Part::ToolResult(_) => {
            let message = format!("Gemini cannot hold {} here; remove it.", part.described());
            return Err(refused(at, message));
        }
    }))
}
