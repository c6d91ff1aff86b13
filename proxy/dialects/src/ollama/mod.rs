//! Ollama's own API, both sides: chat, generate, and vectors in two forms.
//!
//! Source: [Ollama's API reference](https://docs.ollama.com/api) and its
//! [`api/types.go`](https://github.com/ollama/ollama/blob/main/api/types.go). Streams are NDJSON, times are RFC 3339 with
//! nanoseconds, durations are nanoseconds.
//!
//! - [`chat`]: the call `/api/chat`.
//! - [`generate`]: the call `/api/generate`.
//! - [`embed`]: the calls `/api/embed` and `/api/embeddings`, which it replaced.
//! - [`error`]: errors, the same for all of them.
//! - [`load`]: requests that only load or unload a model.
//! - [`measure`]: counts and durations.
//! - `options`, `images`: what requests have in common; `line`, `reply`, `stream`: what answers have in common.

pub mod chat;
pub mod embed;
pub mod error;
pub mod generate;
mod images;
mod line;
pub mod load;
pub mod measure;
pub mod options;
mod reply;
mod shape;
pub(crate) mod stream;

pub use chat::Chat;
pub use embed::{Embed, Embeddings};
pub use generate::Generate;
pub(crate) use options::read_options;

/// The page that shows what a chat request can say.
const API: &str = "https://docs.ollama.com/api/chat";
/// The page that shows what thinking can be asked for.
const THINKING: &str = "https://docs.ollama.com/capabilities/thinking";
