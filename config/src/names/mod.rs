//! The life of a model's name: what a call's name means, and what a listing shows.
//!
//! Call: the list's rules judge the client's name → the map's rules give a target and fallbacks → each backend's
//! prefix and filter decide whether it is a candidate for the bare name → its catalog renames for the upstream.
//! List: the reverse. The operator validates with this module what the proxy runs with it.

mod backend;
mod filter;
mod rules;

pub use backend::{BackendNames, Entry};
pub use filter::{BadFilter, Filter};
pub(crate) use rules::describe;
pub use rules::{BadMap, FailedCondition, Names, Refusal, Step};
