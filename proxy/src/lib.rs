//! The data plane.

pub mod json;
