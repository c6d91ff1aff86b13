//! A streamed reply, collected into a whole one: for rules that judge the whole of it.

use std::collections::BTreeMap;

use dragoman_dialects::form::{
    Arguments, Choice, Encrypted, Event, Failure, Finish, Part, Reply, Source, ToolCall, Usage,
};

use crate::think::Rules;

/// What a stream has said so far.
#[derive(Debug, Default)]
pub struct Collected {
    id: Option<String>,
    model: Option<String>,
    created: Option<i64>,
    choices: BTreeMap<u32, Parts>,
    usage: Option<Usage>,
    length: usize,
    media: usize,
    failed: Option<Failure>,
    done: bool,
}

#[derive(Debug, Default)]
struct Parts {
    parts: Vec<Part>,
    /// Where each call stands among the parts, and its arguments as text.
    calls: BTreeMap<u32, (usize, String)>,
    finish: Option<Finish>,
}

impl Collected {
    /// How many bytes it says.
    #[must_use]
    pub fn length(&self) -> usize {
        self.length
    }

    /// How many bytes of images and the like it holds.
    #[must_use]
    pub fn media(&self) -> usize {
        self.media
    }

    /// The upstream's own error, if that is how it ended.
    #[must_use]
    pub fn failed(&self) -> Option<&Failure> {
        self.failed.as_ref()
    }

    /// Whether it had its proper end.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// Takes the next event.
    pub fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start {
                id,
                model,
                created,
                usage,
            } => {
                self.id = id.map(Into::into);
                self.model = model.map(Into::into);
                self.created = created;
                self.usage = usage.or(self.usage.take());
            }
            Event::Text { choice, text, .. } => {
                self.length += text.len();
                self.choice(choice).text(&text);
            }
            Event::Reasoning { choice, text } => {
                self.length += text.len();
                self.choice(choice)
                    .reasoning(|said, _, _| said.push_str(&text));
            }
            Event::ReasoningSignature { choice, signature } => {
                self.choice(choice)
                    .reasoning(|_, sign, _| *sign = Some(signature.into()));
            }
            Event::ReasoningEncrypted {
                choice,
                vendor,
                data,
            } => {
                self.length += data.len();
                let data = data.into();
                self.choice(choice)
                    .reasoning(|_, _, kept| *kept = Some(Encrypted { vendor, data }));
            }
            Event::Refusal { choice, text } => {
                self.length += text.len();
                self.choice(choice).refusal(&text);
            }
            Event::ToolStart {
                choice,
                call,
                id,
                name,
                signature,
            } => {
                self.length += id.len() + name.len();
                let choice = self.choice(choice);
                choice
                    .calls
                    .insert(call, (choice.parts.len(), String::new()));
                choice.parts.push(Part::ToolCall(ToolCall {
                    id: id.into(),
                    name: name.into(),
                    arguments: Arguments::from_text(""),
                    signature: signature.map(Into::into),
                }));
            }
            Event::ToolArguments { choice, call, json } => {
                self.length += json.len();
                if let Some((_, text)) = self.choice(choice).calls.get_mut(&call) {
                    text.push_str(&json);
                }
            }
            Event::Part { choice, part } => {
                self.media += inline_bytes(&part);
                self.choice(choice).parts.push(*part);
            }
            Event::Finish { choice, reason } => self.choice(choice).finish = Some(reason),
            Event::Usage(usage) => self.usage = Some(usage),
            Event::Failed(failure) => self.failed = Some(failure),
            Event::Done => self.done = true,
            Event::Ping => {}
        }
    }

    /// The reply as a whole.
    #[must_use]
    pub fn reply(self) -> Reply {
        let choices = self.choices.into_iter().map(|(index, of)| Choice {
            index,
            finish: of.finish.clone(),
            parts: of.finished(),
            logprobs: None,
        });
        Reply {
            id: self.id,
            model: self.model,
            created: self.created,
            choices: choices.collect(),
            usage: self.usage,
            ..Reply::default()
        }
    }

    fn choice(&mut self, choice: u32) -> &mut Parts {
        self.choices.entry(choice).or_default()
    }
}

impl Parts {
    fn text(&mut self, more: &str) {
        match self.parts.last_mut() {
            Some(Part::Text { text, .. }) => text.push_str(more),
            _ => self.parts.push(Part::Text {
                text: more.to_owned(),
                citations: None,
                cache: None,
            }),
        }
    }

    fn refusal(&mut self, more: &str) {
        match self.parts.last_mut() {
            Some(Part::Refusal(text)) => text.push_str(more),
            _ => self.parts.push(Part::Refusal(more.to_owned())),
        }
    }

    /// The reasoning that is told just now. What was signed has ended.
    fn reasoning(
        &mut self,
        tell: impl FnOnce(&mut String, &mut Option<String>, &mut Option<Encrypted>),
    ) {
        if let Some(Part::Reasoning {
            text,
            signature: signature @ None,
            encrypted: encrypted @ None,
            ..
        }) = self.parts.last_mut()
        {
            return tell(text, signature, encrypted);
        }
        let (mut text, mut signature, mut encrypted) = (String::new(), None, None);
        tell(&mut text, &mut signature, &mut encrypted);
        self.parts.push(Part::Reasoning {
            text,
            signature,
            encrypted,
            id: None,
        });
    }

    fn finished(mut self) -> Vec<Part> {
        for (at, text) in self.calls.into_values() {
            if let Some(Part::ToolCall(call)) = self.parts.get_mut(at) {
                call.arguments = Arguments::from_text(text);
            }
        }
        self.parts
    }
}

fn inline_bytes(part: &Part) -> usize {
    match part {
        Part::Image { source, .. } | Part::Document { source, .. } | Part::Audio { source } => {
            match source {
                Source::Inline { data, .. } => data.as_str().len(),
                _ => 0,
            }
        }
        Part::Other { value, .. } => value.to_string().len(),
        _ => 0,
    }
}

/// Rules that leave all thinking where it is.
#[must_use]
pub fn untouched() -> Rules {
    Rules::new(crate::think::Text::Keep, Vec::new(), false, false)
}
