//! What the fuzz targets share.
//!
//! - [`wires`]: every wire format, and how its requests, replies and streams are read and written here.
//! - [`order`]: what the documentation of events promises of their order.
//! - [`requests`]: what holds for every request.
//! - [`http1`]: what holds for every reply off the wire.
//! - [`forms`]: what holds for every form, and forms as a loose server reads them.
//! - [`reply_models`]: what holds for every reply that is to name another model.
//! - [`usage`]: what holds for every reply that is searched for how many tokens it took.
//! - [`mapped`]: what holds for every stream that a Mapper changes.
//! - [`members`]: objects with all their members, as serde reads them.
//! - [`access`]: the place of what policies add to streams.
//! - [`splits`]: an input's first bytes as choices, and the rest cut into chunks.
//! - [`mutation`]: a request with some of its values replaced by any other.
//! - [`transcript`]: messages of AWS's, made of what stands for them in the golden files.
//!
//! The proxy's own parsers are compiled here once more, by their files: they need nothing else of the proxy, whose build with
//! everything that coverage takes would be many minutes.

pub mod access;
#[path = "../../src/array.rs"]
pub mod array;
#[path = "../../src/chunk.rs"]
pub mod chunk;
#[path = "../../src/serve/form/mod.rs"]
mod form;
pub mod forms;
pub mod http1;
#[path = "../../src/json/mod.rs"]
pub mod json;
pub mod mapped;
pub mod members;
#[path = "../../src/messages.rs"]
pub mod messages;
pub mod mutation;
#[path = "../../src/ndjson.rs"]
pub mod ndjson;
pub mod order;
#[path = "../../src/serve/query.rs"]
pub mod query;
#[path = "../../src/serve/reply_model.rs"]
mod reply_model;
pub mod reply_models;
pub mod requests;
#[path = "../../src/serve/spelling.rs"]
pub mod spelling;
pub mod splits;
#[path = "../../src/sse/mod.rs"]
pub mod sse;
#[path = "../../src/think/mod.rs"]
pub mod think;
pub mod transcript;
#[path = "../../src/translate/mod.rs"]
pub mod translate;
pub mod upstream;
pub mod usage;
pub mod wires;
