//! The data path: from a client's connection to the reply's last byte.
//!
//! - [`listen`], [`connection`], [`exchanges`], [`wire`], [`worker`]: a thread per core, each with its own listener and connections
//! - [`dispatch`]: host and path → route → who answers
//! - [`path`]: what a path asks for, in one spelling
//! - [`call`]: calls that name a model
//! - [`models`]: which models there are
//! - [`relay`], [`form`], [`methods`]: all other paths
//! - [`candidates`], [`attempt`]: which backends, in which order, how often
//! - [`intake`], [`headers`]: what goes upstream
//! - [`reply`], [`stream`], [`mirror`], [`masked`], [`reply_model`], [`body`]: what comes back
//! - [`error`]: answers that are errors
//! - [`request_id`], [`tracked`]: what is known of each request

mod attempt;
mod body;
mod call;
mod candidates;
mod connection;
mod dispatch;
pub mod error;
mod exchanges;
mod form;
mod headers;
mod intake;
mod listen;
mod masked;
mod methods;
mod mirror;
mod models;
pub mod path;
mod relay;
mod reply;
mod reply_model;
pub mod request_id;
mod stream;
mod tracked;
mod translated;
mod wire;
mod worker;

pub use listen::{Running, start};
