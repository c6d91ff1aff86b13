//! Every client's dialect meets every upstream's: what is translated, what is refused, and by which rule something is left out.
//! `docs/dialects.md` is written from what these tests find.
//!
//! - `wires`: the dialects, and their requests in `requests/<wire>.json`: a plain one, and for each feature what it adds.
//! - `form`: when two requests mean the same.
//! - `rules`: what a translation may change, each with the sentence that the documentation has for it.
//! - `requests`: each request written for each upstream, and read again as the upstream reads it.
//! - `answers`, `facts`, `events`, `frames`: answers, and what is heard of them.
//! - `replies`, `streams`, `errors`, `ends`: the way back.
//! - `cells`: golden files, one for each client's dialect and each upstream's.
//! - `unknown`: members that no reader knows.
//! - `vectors`: embeddings.
//! - `document`: `docs/dialects.md`.
//! - `loops`: tool calls over two turns.
//! - `properties`: what holds for any request and any answer.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests may fail loudly, their fixtures too"
)]

mod answers;
mod cells;
mod document;
mod ends;
mod errors;
mod events;
mod facts;
mod form;
mod frames;
mod loops;
mod properties;
mod replies;
mod requests;
mod rules;
mod streams;
mod unknown;
mod vectors;
mod wires;
