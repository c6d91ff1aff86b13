//! Config push: who may connect, what a proxy is given, and how fast.
//!
//! The wire is [`dragoman_config::wire`]'s. A [`shelf::Shelf`] holds what the proxies of one LLMProxy run; each stream
//! remembers how far it is, and is given the difference.

mod answer;
mod body;
mod hello;
mod keyring;
mod namespaces;
mod pace;
mod server;
pub mod shelf;
mod stream;
mod tickets;
mod token;

pub use keyring::{Keyring, Unverified};
pub use server::{Server, serve};
pub use stream::{Admitted, FromStream, Refused};
pub use token::{Claims, Keys, Rejection};

use bytes::Bytes;
use dragoman_config::wire::Down;

/// A line of the stream.
fn line_of(down: &Down) -> Bytes {
    let mut line = serde_json::to_vec(down).unwrap_or_default();
    line.push(b'\n');
    line.into()
}
