//! The data path: from a client's connection to the reply's last byte.
//!
//! - [`listen`], [`connection`], [`multiplexed`], [`exchanges`], [`tls`], [`wire`], [`worker`]: a thread per core, each with its own listener and connections
//! - [`https`]: the second listener, while there are certificates
//! - [`cors`]: what browsers are told of other origins
//! - [`dispatch`]: host and path → route → who answers
//! - [`admission`]: what policies make of a request
//! - [`path`], [`collections`], [`spelling`], [`query`]: what a path asks for, in one spelling
//! - [`call`], [`content`]: calls that name a model, bodies that do
//! - [`steps`], [`sent`], [`translation`]: who is asked, and what is sent on: the client's own, or a translation
//! - [`apis`]: which API a path is of, and whether the route speaks it
//! - [`conversation`]: the Conversation API's paths and prompts
//! - [`embeddings`], [`counting`]: calls for vectors and for counts of tokens, between dialects
//! - [`models`], [`upstream_list`]: which models there are
//! - [`listings`], [`page`], [`ollama`], [`tags`]: what each dialect's clients are told of them
//! - [`relay`], [`form`], [`methods`]: all other paths
//! - [`candidates`], [`attempt`]: which backends, in which order, how often
//! - [`intake`], [`headers`]: what goes upstream
//! - [`reply`], [`stream`], [`mirror`], [`masked`], [`reply_model`], [`rewritten`], [`body`]: what comes back
//! - [`replay`]: what came back before, from the log
//! - [`error`]: answers that are errors
//! - [`request_id`], [`tracked`]: what is known of each request

mod admission;
mod apis;
mod attempt;
pub(crate) mod body;
mod call;
mod candidates;
pub mod collections;
mod connection;
mod content;
mod conversation;
mod cors;
mod counting;
mod delivery;
mod dispatch;
mod embeddings;
pub mod error;
mod exchanges;
mod form;
mod headers;
mod https;
mod intake;
mod judged;
mod kept;
mod listen;
mod listings;
mod mapped;
mod masked;
mod metered;
mod methods;
mod mirror;
mod models;
mod multiplexed;
mod ollama;
mod page;
pub mod path;
mod paths;
mod pipe;
pub mod query;
mod relay;
mod replay;
mod reply;
mod reply_model;
pub mod request_id;
mod rewritten;
mod sent;
pub mod spelling;
mod steps;
mod stream;
mod tags;
mod tls;
mod tracked;
mod translated;
mod translation;
mod unreadable;
mod untranslated;
mod upstream_list;
mod wire;
mod worker;

pub(crate) use delivery::Delivery;
pub use https::Https;
pub use listen::{Running, start};
