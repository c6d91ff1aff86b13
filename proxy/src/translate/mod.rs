//! A call whose client and backend speak different dialects: the request, the reply, the stream and the error put into the other's words.
//!
//! The dialects themselves are a crate of their own, [`dragoman_dialects`]; this is what a route does on the way.
//!
//! - [`collect`]: a streamed reply as a whole one, for rules that judge the whole of it.
//! - [`frames`]: an upstream's stream cut into frames, however its dialect marks them.
//! - [`sink`]: events on their way to the client: thinking treated as the route says, then written.
//! - [`stream`]: a whole stream, chunk by chunk.
//! - [`reply`]: a whole reply, and one that is streamed to a client after all.

pub mod collect;
pub mod frames;
pub mod reply;
pub mod sink;
pub mod stream;

pub use collect::{Collected, untouched};
pub use sink::{Sink, Thinking, shows_reasoning, wants_usage};
pub use stream::{Broken, Stream};
