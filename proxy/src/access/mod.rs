//! Who may call, from where, how much, saying what: AccessPolicies as a proxy runs them.
//!
//! - [`caller`]: who is calling

pub mod caller;
