//! The data plane.

pub mod access;
pub mod array;
pub mod aws;
pub mod chunk;
pub mod control;
pub mod json;
pub mod log;
pub mod messages;
pub mod ndjson;
pub mod serve;
pub mod sse;
pub mod state;
pub mod think;
pub mod trace;
pub mod translate;
pub mod upstream;
