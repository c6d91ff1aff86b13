//! OpenAI's dialects, as OpenAI documents them and as the servers that call themselves compatible speak them.
//!
//! - [`chat`]: chat completions.
//! - [`error`]: errors, the same for all of them.
//! - [`models`]: what is known of a model by its name.
//! - [`usage`]: the figures of chat and text completions.

pub mod chat;
pub mod error;
pub mod models;
pub mod usage;

pub use chat::Chat;
