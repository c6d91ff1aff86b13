//! The data plane.

pub mod json;
pub mod serve;
pub mod sse;
pub mod think;
pub mod state;
pub mod upstream;
