//! OpenAI's dialects, as OpenAI documents them and as the servers that call themselves compatible speak them.
//!
//! - [`chat`]: chat completions.
//! - [`completions`]: text completions, of a plain prompt.
//! - [`embeddings`]: vectors of texts and tokens.
//! - [`error`]: errors, the same for all of them.
//! - [`logprobs`]: what is said of tokens, in chat's form and in that of text completions.
//! - [`models`]: what is known of a model by its name.
//! - [`responses`]: the Responses API.
//! - [`usage`]: the figures of chat and text completions.

pub mod chat;
pub mod completions;
pub mod embeddings;
pub mod error;
pub mod logprobs;
pub mod models;
pub mod responses;
pub mod usage;

pub use chat::Chat;
pub use completions::Completions;
pub use embeddings::Embeddings;
pub use responses::Responses;
