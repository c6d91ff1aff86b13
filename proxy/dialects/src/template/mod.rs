//! Prompt templates: a conversation as the one text that upstreams without a notion of conversations take.
//!
//! - [`Template`]: one of the built-in ones, or a custom Jinja template as Hugging Face writes them.
//! - [`stop`]: trims the texts at which a reply ends, which such upstreams leave in it.
//! - `conversation`: messages as turns of text.
//! - `builtin`: the built-in templates.
//! - `jinja`, `python`: custom templates, and what Hugging Face's environment gives them.
//!
//! Rules for all of them:
//! - A prompt that was one from the start ([`Request::raw`]) stays as it stands.
//! - Texts of a message are joined with a line break, the model's own as they stand; documents of plain text are text; reasoning,
//!   names, and cache marks are left out; a user's images are markdown, as TGI takes them; other parts are refused.
//! - A last message of the model's is continued, not answered.
//! - A reply without a limit gets [`LIMIT`] tokens, since such upstreams stop after a few otherwise.
//! - The template's stops are added to the client's; where one ends a reply, that is the model's own end.

mod builtin;
mod conversation;
mod jinja;
mod python;
pub mod stop;

use jiff::Timestamp;

pub use crate::jinja::Faulty;
pub use builtin::BuiltIn;
pub use stop::Stops;

use crate::form::{Message, Refused, Request, Role, ToolChoice};

/// The most tokens of a reply where the client sets no limit.
pub const LIMIT: u64 = 512;

/// A prompt template.
#[derive(Clone, Debug)]
pub struct Template {
    kind: Kind,
    stops: Vec<String>,
}

#[derive(Clone, Debug)]
enum Kind {
    BuiltIn(BuiltIn),
    Custom(jinja::Jinja),
}

/// What a custom template is made of: the fields of Hugging Face's `tokenizer_config.json` that matter here.
#[derive(Clone, Debug, Default)]
pub struct Custom {
    /// The template itself (`chat_template`).
    pub source: String,
    /// What it may write as `bos_token`.
    pub bos_token: String,
    /// What it may write as `eos_token`; also a stop, if it is not empty.
    pub eos_token: String,
    /// Texts at which a reply ends, besides `eos_token`.
    pub stops: Vec<String>,
}

impl From<BuiltIn> for Template {
    fn from(kind: BuiltIn) -> Self {
        Self {
            kind: Kind::BuiltIn(kind),
            stops: kind.stops().iter().map(|stop| (*stop).to_owned()).collect(),
        }
    }
}

impl Template {
    /// Compiles a custom template.
    ///
    /// # Errors
    /// [`Faulty`] with the line, if it is no template.
    pub fn custom(custom: Custom) -> Result<Self, Faulty> {
        let mut stops = custom.stops.clone();
        if !custom.eos_token.is_empty() && !stops.contains(&custom.eos_token) {
            stops.push(custom.eos_token.clone());
        }
        stops.retain(|stop| !stop.is_empty());
        Ok(Self {
            kind: Kind::Custom(jinja::Jinja::compile(custom)?),
            stops,
        })
    }

    /// The texts at which a reply ends by this template.
    #[must_use]
    pub fn stops(&self) -> &[String] {
        &self.stops
    }

    /// What of a reply to `request` is to be trimmed, given the request as the client sent it.
    #[must_use]
    pub fn stops_of(&self, request: &Request) -> Stops {
        let own: &[String] = if request.raw { &[] } else { &self.stops };
        Stops::new(&request.stop, own)
    }

    /// Turns a conversation into one prompt. `now` is for templates that tell the model the date.
    ///
    /// # Errors
    /// [`Refused`] if a message holds what no text can say, or the template itself refuses the conversation.
    pub fn apply(&self, mut request: Request, now: Timestamp) -> Result<Request, Refused> {
        if request.raw {
            return Ok(request);
        }
        let turns = conversation::turns(&request.messages)?;
        let prompt = match &self.kind {
            Kind::BuiltIn(kind) => kind.render(&turns),
            Kind::Custom(jinja) => jinja.render(&turns, now)?,
        };
        let at = request
            .messages
            .first()
            .map_or("messages", |first| &first.at);
        request.messages = vec![Message::text(Role::User, prompt, at)];
        request.raw = true;
        request.max_tokens.get_or_insert(LIMIT);
        for stop in &self.stops {
            if !request.stop.contains(stop) {
                request.stop.push(stop.clone());
            }
        }
        // Tools that may not be called need no mention.
        if request.tool_choice == Some(ToolChoice::None) {
            request.tools.clear();
            request.tool_choice = None;
        }
        Ok(request)
    }
}
