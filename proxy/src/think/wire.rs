//! A reply read by whoever knows its wire format.

use std::sync::Arc;

use bytes::Bytes;
use dragoman_dialects::Wire;

use super::bedrock::{self, ConverseStream, InvokeStream, TextStream};
use super::gemini::{self, GeminiStream};
use super::messages::{self, MessagesStream};
use super::ollama::{self, OllamaStream};
use super::rules::Rules;
use super::stream::{OpenAiStream, Unreadable};
use super::tgi::{self, TgiStream};

/// The thinking taken out of one streamed reply, in any dialect that is passed on as it is.
#[derive(Debug)]
pub enum ReplyStream {
    /// OpenAI's chat completions and completions.
    OpenAi(Box<OpenAiStream>),
    /// Anthropic's messages.
    Messages(Box<MessagesStream>),
    /// Ollama's chat and generate.
    Ollama(Box<OllamaStream>),
    /// Gemini's.
    Gemini(Box<GeminiStream>),
    /// Bedrock's Converse.
    Converse(Box<ConverseStream>),
    /// Bedrock's `invoke` with Anthropic's bodies.
    Invoke(Box<InvokeStream>),
    /// Bedrock's `invoke` with the text of Claude 2.
    Text(Box<TextStream>),
    /// TGI's own.
    Tgi(Box<TgiStream>),
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
            Wire::Gemini => Self::Gemini(Box::new(GeminiStream::events(rules, shown))),
            Wire::BedrockConverse => Self::Converse(Box::new(ConverseStream::new(rules, shown))),
            Wire::BedrockInvoke => Self::Invoke(Box::new(InvokeStream::new(rules, shown))),
            Wire::BedrockText => Self::Text(Box::new(TextStream::new(rules))),
            Wire::Tgi => Self::Tgi(Box::new(TgiStream::new(rules))),
            _ => Self::OpenAi(Box::new(OpenAiStream::new(rules))),
        }
    }

    /// The same of a reply of Gemini's that is one array.
    #[must_use]
    pub fn array(rules: Arc<Rules>, shown: bool) -> Self {
        Self::Gemini(Box::new(GeminiStream::array(rules, shown)))
    }

    /// What ends the stream with this error, a JSON object, after all that was passed on; none where an error is what the dialect's always are.
    #[must_use]
    pub fn error(&self, error: &[u8]) -> Option<Bytes> {
        match self {
            Self::Gemini(stream) => stream.error(error),
            _ => None,
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
            Self::Gemini(stream) => stream.push(chunk, out),
            Self::Converse(stream) => stream.push(&chunk, out),
            Self::Invoke(stream) => stream.push(&chunk, out),
            Self::Text(stream) => stream.push(&chunk, out),
            Self::Tgi(stream) => Ok(stream.push(chunk, out)?),
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
            Self::Gemini(stream) => stream.finish(out),
            Self::Converse(stream) => {
                stream.finish(out);
                Ok(())
            }
            Self::Invoke(stream) => stream.finish(out),
            Self::Text(stream) => {
                stream.finish(out);
                Ok(())
            }
            Self::Tgi(stream) => {
                stream.finish(out);
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
            Self::Gemini(stream) => {
                stream.cut(out);
                Ok(())
            }
            Self::Converse(stream) => {
                stream.cut(out);
                Ok(())
            }
            Self::Invoke(stream) => stream.cut(out),
            Self::Text(stream) => {
                stream.cut(out);
                Ok(())
            }
            Self::Tgi(stream) => {
                stream.finish(out);
                Ok(())
            }
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
        | Wire::OllamaGenerate
        | Wire::BedrockConverse
        | Wire::BedrockInvoke
        | Wire::BedrockText
        | Wire::Gemini
        | Wire::Tgi => true,
        Wire::Responses | Wire::Conversation | Wire::ConversationChat => false,
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
        Wire::Messages | Wire::BedrockInvoke => messages::whole(rules, shown, &body),
        Wire::BedrockConverse => bedrock::whole_converse(rules, shown, &body),
        Wire::BedrockText => bedrock::whole_text(rules, &body),
        Wire::Gemini => gemini::whole(rules, shown, &body),
        Wire::OllamaChat | Wire::OllamaGenerate => ollama::whole(rules, &body),
        Wire::Tgi => tgi::whole(rules, &body),
        _ => super::reply::reply(rules, body),
    }
}
