//! A streamed answer, event by event.
//!
//! Readers hide every quirk of servers: an event here is complete in itself and in a sound order. For each choice: any of
//! text, reasoning, refusal, other parts, tool calls (a [`Event::ToolStart`] before its [`Event::ToolArguments`]), then one [`Event::Finish`].
//! [`Event::Start`] comes first and once; [`Event::Usage`] at most once and after it, [`Event::Done`] last and once, or
//! [`Event::Failed`] in its place.

use std::borrow::Cow;

use serde_json::Value;

use super::error::Failure;
use super::message::{Part, Vendor};
use super::reply::Finish;
use super::usage::Usage;

/// The most choices of a streamed answer, which is OpenAI's own bound on `n`. More are the upstream's fault.
pub const CHOICES: usize = 128;

/// The most tool calls of a choice, and the most blocks of one that stand open. More are the upstream's fault.
pub const CALLS: usize = 1024;

/// One step of a streamed answer. Borrowed from what was received, so that text is copied once, into what is sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Event<'a> {
    /// The answer begins.
    Start {
        /// Its id at the server.
        id: Option<Cow<'a, str>>,
        /// The model that the server says answers.
        model: Option<Cow<'a, str>>,
        /// When, in seconds since the epoch.
        created: Option<i64>,
        /// Tokens of the prompt, where the server says so at the start (Anthropic).
        usage: Option<Usage>,
    },
    /// Some text.
    Text {
        /// Of which choice.
        choice: u32,
        /// The text, never empty unless `logprobs` are there.
        text: Cow<'a, str>,
        /// OpenAI's `logprobs` object for these tokens.
        logprobs: Option<Value>,
    },
    /// Some reasoning that may be read.
    Reasoning {
        /// Of which choice.
        choice: u32,
        /// The text.
        text: Cow<'a, str>,
    },
    /// The signature over the reasoning before it: the block ends.
    ReasoningSignature {
        /// Of which choice.
        choice: u32,
        /// The signature.
        signature: Cow<'a, str>,
    },
    /// Reasoning that only the vendor can read, whole.
    ReasoningEncrypted {
        /// Of which choice.
        choice: u32,
        /// Whose it is.
        vendor: Vendor,
        /// What the next turn brings back.
        data: Cow<'a, str>,
    },
    /// Some of the model's refusal to answer.
    Refusal {
        /// Of which choice.
        choice: u32,
        /// The text.
        text: Cow<'a, str>,
    },
    /// A tool call begins.
    ToolStart {
        /// Of which choice.
        choice: u32,
        /// Which call of the choice, from 0, in order of appearance.
        call: u32,
        /// Its id, never empty.
        id: Cow<'a, str>,
        /// The tool's name.
        name: Cow<'a, str>,
        /// Gemini's thought signature over the call.
        signature: Option<Cow<'a, str>>,
    },
    /// Some of a call's arguments: the next piece of their JSON text.
    ToolArguments {
        /// Of which choice.
        choice: u32,
        /// Which call of the choice.
        call: u32,
        /// The piece.
        json: Cow<'a, str>,
    },
    /// A part of another kind, whole: an image, or what only the upstream's own dialect can say.
    Part {
        /// Of which choice.
        choice: u32,
        /// It.
        part: Box<Part>,
    },
    /// A choice has ended.
    Finish {
        /// Which.
        choice: u32,
        /// Why.
        reason: Finish,
    },
    /// Tokens of the whole answer.
    Usage(Usage),
    /// The server is alive and has nothing to say yet.
    Ping,
    /// The server broke the answer off with an error of its own. Nothing follows.
    Failed(Failure),
    /// The answer is complete. Nothing follows.
    Done,
}
