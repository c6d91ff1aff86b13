//! Whole responses.
//!
//! Read: the output as one alternative; items of tools that OpenAI runs as [`crate::form::Part::Other`]. A response that failed is the upstream's fault.
//!
//! Written: texts in a row as one message, calls as items, reasoning as a summary if it was asked for, with what only OpenAI can read of it; fields
//! of the request repeated. Ids of items are made of the request's. `store` is false, since nothing is. Left out: alternatives after the first,
//! signatures, and what another vendor encrypted.

mod read;
mod write;

pub(super) use read::Light;
pub use read::read;
pub use write::write;
pub(super) use write::{Ids, Status, frame};
