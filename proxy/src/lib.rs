//! The data plane.

pub mod json;
pub mod sse;
pub mod upstream;
