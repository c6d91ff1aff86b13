//! A reply read by whoever knows its wire format.

use std::sync::Arc;

use bytes::Bytes;
use dragoman_dialects::Wire;

use super::messages::{self, MessagesStream};
use super::ollama::{self, OllamaStream};
use super::rules::Rules;
use super::stream::{OpenAiStream, Unreadable};
use crate::messages::Messages;

/// The thinking taken out of one streamed reply, in any dialect that is passed on as it is.
#[derive(Debug)]
pub enum ReplyStream {
    /// OpenAI's chat completions and completions.
    OpenAi(Box<OpenAiStream>),
    /// Anthropic's messages.
    Messages(Box<MessagesStream>),
    /// Ollama's chat and generate.
    Ollama(Box<OllamaStream>),
    /// Bedrock's, whose messages pass whole, so that an exception can follow them.
    Bedrock(Messages),
}

impl ReplyStream {
    /// A stream at its start. `shown`: the client asked for thinking, which matters where that is a block among those of the text.
    #[must_use]
    pub fn new(wire: Wire, rules: Arc<Rules>, shown: bool) -> Self {
        match wire {
            Wire::Messages => Self::Messages(Box::new(MessagesStream::new(rules, shown))),
            Wire::OllamaChat | Wire::OllamaGenerate => {
                Self::Ollama(Box::new(OllamaStream::new(rules)))
            }
            Wire::BedrockConverse | Wire::BedrockInvoke | Wire::BedrockText => {
                Self::Bedrock(Messages::default())
            }
            _ => Self::OpenAi(Box::new(OpenAiStream::new(rules))),
        }
    }

    /// Takes the next chunk of the upstream's body and appends what goes to the client to `out`.
    ///
    /// # Errors
    /// [`Unreadable`]: the stream is to be ended with an error.
    pub fn push(&mut self, chunk: Bytes, out: &mut Vec<Bytes>) -> Result<(), Unreadable> {
        match self {
            Self::OpenAi(stream) => stream.push(chunk, out),
            Self::Messages(stream) => stream.push(chunk, out),
            Self::Ollama(stream) => Ok(stream.push(chunk, out)?),
            Self::Bedrock(messages) => Ok(messages.push(&chunk, out)?),
        }
    }

    /// Ends the stream: appends all that was held back, of an unfinished event too.
    ///
    /// # Errors
    /// As for [`ReplyStream::push`].
    pub fn finish(&mut self, out: &mut Vec<Bytes>) -> Result<(), Unreadable> {
        match self {
            Self::OpenAi(stream) => stream.finish(out),
            Self::Messages(stream) => stream.finish(out),
            Self::Ollama(stream) => {
                stream.finish(out);
                Ok(())
            }
            Self::Bedrock(messages) => {
                out.extend(Some(messages.rest()).filter(|rest| !rest.is_empty()));
                Ok(())
            }
        }
    }

    /// Ends a stream that broke off, so that an error can follow.
    ///
    /// # Errors
    /// As for [`ReplyStream::push`].
    pub fn cut(&mut self, out: &mut Vec<Bytes>) -> Result<(), Unreadable> {
        match self {
            Self::OpenAi(stream) => stream.finish(out),
            Self::Messages(stream) => {
                stream.cut(out);
                Ok(())
            }
            Self::Ollama(stream) => {
                stream.cut(out);
                Ok(())
            }
            // Nothing can follow half a message, and nobody can read it.
            Self::Bedrock(_) => Ok(()),
        }
    }
}

/// Whether replies of a form are edited in place. Others of the same dialect pass as they came, or go through the neutral form.
#[must_use]
pub fn edits(wire: Wire) -> bool {
    match wire {
        Wire::Chat
        | Wire::Completions
        | Wire::Messages
        | Wire::OllamaChat
        | Wire::OllamaGenerate => true,
        Wire::Responses
        | Wire::Conversation
        | Wire::ConversationChat
        | Wire::Tgi
        | Wire::BedrockConverse
        | Wire::BedrockInvoke
        | Wire::BedrockText
        | Wire::Gemini => false,
    }
}

/// A reply that is not streamed, as segments to be written one after another, which share its memory. A body that is no such
/// reply comes back as it is. `shown` as for [`ReplyStream::new`].
#[must_use]
pub fn whole(wire: Wire, rules: &Arc<Rules>, shown: bool, body: Bytes) -> Vec<Bytes> {
    if rules.spares(&body) {
        return vec![body];
    }
    match wire {
        Wire::Messages => messages::whole(rules, shown, &body),
        Wire::OllamaChat | Wire::OllamaGenerate => ollama::whole(rules, &body),
        _ => super::reply::reply(rules, body),
    }
}
