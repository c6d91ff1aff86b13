//! Tokens guessed, where a server counts none and a client's dialect wants them: one for four bytes of text, rounded up.
//!
//! Source: [what tokens are](https://help.openai.com/en/articles/4936856-what-are-tokens-and-how-to-count-them): about four characters of English.
//! Counted are the texts, calls and results of the conversation and all that the model said, its reasoning included; not images, documents, sound or the
//! tools that it might have called.

use super::embedding::{EmbeddingInput, EmbeddingRequest};
use super::event::Event;
use super::message::Part;
use super::reply::Reply;
use super::request::Request;
use super::usage::Usage;

/// Bytes of a token.
const BYTES: u64 = 4;

/// Bytes that were said, of a request and of its reply.
///
/// ```
/// use dragoman_dialects::form::{Estimate, Event, Message, Request, Role};
/// let messages = vec![Message::text(Role::User, "hello there", "")];
/// let mut estimate = Estimate::of(&Request { messages, ..Request::default() });
/// estimate.event(&Event::Text { choice: 0, text: "hello".into(), logprobs: None });
/// let usage = estimate.usage();
/// assert_eq!((usage.input, usage.output, usage.estimated), (3, 2, true));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Estimate {
    input: u64,
    output: u64,
}

impl Estimate {
    /// Of a request that has no reply yet.
    #[must_use]
    pub fn of(request: &Request) -> Self {
        let parts = request.messages.iter().flat_map(|message| &message.parts);
        let suffix = request.suffix.as_ref().map_or(0, |text| length(text));
        Self {
            input: parts.map(said).sum::<u64>() + suffix,
            output: 0,
        }
    }

    /// Of a request for vectors. Tokens that the client counted itself are as many as they are.
    #[must_use]
    pub fn of_vectors(request: &EmbeddingRequest) -> Self {
        let each = |input: &EmbeddingInput| match input {
            EmbeddingInput::Text(text) => length(text),
            EmbeddingInput::Tokens(tokens) => BYTES.saturating_mul(tokens.len() as u64),
        };
        Self {
            input: request.inputs.iter().map(each).sum(),
            output: 0,
        }
    }

    /// Adds what a streamed reply says.
    pub fn event(&mut self, event: &Event<'_>) {
        self.output += match event {
            Event::Text { text, .. }
            | Event::Reasoning { text, .. }
            | Event::Refusal { text, .. }
            | Event::ToolArguments { json: text, .. }
            | Event::ToolStart { name: text, .. } => length(text),
            _ => 0,
        };
    }

    /// Adds what a whole reply says.
    pub fn reply(&mut self, reply: &Reply) {
        let parts = reply.choices.iter().flat_map(|choice| &choice.parts);
        self.output += parts.map(said).sum::<u64>();
    }

    /// The tokens.
    #[must_use]
    pub fn usage(&self) -> Usage {
        Usage {
            input: self.input.div_ceil(BYTES),
            output: self.output.div_ceil(BYTES),
            estimated: true,
            ..Usage::default()
        }
    }

    /// What a server says, with the prompt's tokens where it leaves them out.
    #[must_use]
    pub fn complete(&self, said: Usage) -> Usage {
        let input = match said.lacks_input() {
            true => self.usage().input,
            false => said.input,
        };
        Usage { input, ..said }
    }
}

fn said(part: &Part) -> u64 {
    match part {
        Part::Text { text, .. } | Part::Reasoning { text, .. } | Part::Refusal(text) => {
            length(text)
        }
        Part::ToolCall(call) => length(&call.name) + length(call.arguments.as_text()),
        Part::ToolResult(result) => result.parts.iter().map(said).sum(),
        Part::Image { .. } | Part::Document { .. } | Part::Audio { .. } | Part::Other { .. } => 0,
    }
}

fn length(text: &str) -> u64 {
    text.len() as u64
}
