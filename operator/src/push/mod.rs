//! Config push: who may connect, what a proxy is given, and how fast.
//!
//! The wire is [`dragoman_config::wire`]'s. A [`shelf::Shelf`] holds what the proxies of one LLMProxy run; each stream
//! remembers how far it is, and is given the difference.

mod answer;
mod body;
mod hello;
mod keyring;
mod pace;
mod server;
pub mod shelf;
mod stream;
mod token;

pub use keyring::{Keyring, Unverified};
pub use server::{Server, serve};
pub use stream::{Admitted, FromStream, Refused};
pub use token::{Claims, Keys, Rejection};
