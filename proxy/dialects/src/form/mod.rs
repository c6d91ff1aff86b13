//! The neutral form: one in-memory model of a conversation that every dialect is read into and written from.
//!
//! It holds what any dialect can say and no dialect's own words. A reader fills it and leaves in `extra` what it does not
//! know; a writer takes from it and refuses, naming the field, what its dialect cannot express.
//!
//! - [`request`]: what is asked: messages, tools, sampling, format, reasoning.
//! - [`message`]: messages and their parts: text, images, documents, audio, reasoning, tool calls and results.
//! - [`tool`]: tools, and which of them the model may or must call.
//! - [`reply`]: a whole answer: choices, finish reasons, usage.
//! - [`event`]: a streamed answer, event by event.
//! - [`untold`]: what of an answer a client's dialect has no place for.
//! - [`usage`]: the tokens that a request took; [`estimate`]: their number where no server says it.
//! - [`error`]: what went wrong upstream, and what a dialect cannot express.
//! - [`embedding`]: vectors: request and reply.
//! - [`field`]: names of what a request holds, for a refusal to name it in the client's own words.

pub mod embedding;
pub mod error;
pub mod estimate;
pub mod event;
pub mod field;
pub mod message;
pub mod reply;
pub mod request;
pub mod tool;
pub mod untold;
pub mod usage;

pub use embedding::{EmbeddingInput, EmbeddingReply, EmbeddingRequest, Vector};
pub use error::{ErrorKind, Failure, Garbage, Malformed, Refused};
pub use estimate::Estimate;
pub use event::Event;
pub use field::Field;
pub use message::{Base64, Encrypted, Message, Part, Role, Source, ToolResult, Vendor};
pub use reply::{Choice, Finish, Reply};
pub use request::{Effort, Format, Logprobs, Reasoning, Request, Sampling};
pub use tool::{Arguments, Tool, ToolCall, ToolChoice};
pub use untold::{Telling, Untold};
pub use usage::Usage;
