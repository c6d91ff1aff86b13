//! Who may call, from where, how much, saying what: AccessPolicies as a proxy runs them.
//!
//! - [`caller`]: who is calling, [`identity`]: and how that is found out
//! - [`limits`]: how much may be asked
//! - [`address`]: from where, [`networks`]: and whether that is within what is admitted
//! - [`bans`]: addresses from which authentication failed again and again
//! - [`usage`]: what requests may take of models, and what they took

pub mod address;
pub mod bans;
pub mod caller;
pub mod identity;
pub mod limits;
pub mod networks;
pub mod usage;
