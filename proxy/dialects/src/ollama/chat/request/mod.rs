//! Chat requests.
//!
//! - `read`: from a client.
//! - `write`: for an upstream.
//! - `calls`: ids of tool calls, which most clients leave out.

mod calls;
mod read;
mod write;

pub(super) use read::read;
pub(super) use write::write;
