//! Who may call, from where, how much, saying what: AccessPolicies as a proxy runs them.
//!
//! - [`address`]: from where, [`networks`]: and whether that is within what is admitted
//! - [`bans`]: addresses from which authentication failed again and again
//! - [`call`]: what a service is told of a request or a reply
//! - [`caller`]: who is calling, [`identity`]: and how that is found out
//! - [`facts`]: what rules may ask of a request
//! - [`limits`]: how much may be asked
//! - [`respond`]: a reply in the model's place
//! - [`response`]: rules on replies
//! - [`rules`]: rules on requests
//! - [`service`]: services that rules ask
//! - [`usage`]: what requests may take of models, and what they took

pub mod address;
pub mod bans;
mod call;
pub mod caller;
pub mod facts;
pub mod identity;
pub mod limits;
pub mod networks;
pub mod respond;
pub mod response;
pub mod rules;
pub mod service;
pub mod usage;
