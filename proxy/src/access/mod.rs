//! Who may call, from where, how much, saying what: AccessPolicies as a proxy runs them.
//!
//! - [`caller`]: who is calling
//! - [`limits`]: how much may be asked

pub mod caller;
pub mod limits;
