//! Who may call, from where, how much, saying what: AccessPolicies as a proxy runs them.
//!
//! - [`policy`]: a policy made ready, and those that apply to something
//! - [`address`]: from where, [`networks`]: and whether that is within what is admitted
//! - [`bans`]: addresses from which authentication failed again and again
//! - [`call`]: what a service is told of a request or a reply
//! - [`caller`]: who is calling, [`identity`]: and how that is found out
//! - [`facts`]: what rules may ask of a request
//! - [`limits`]: how much may be asked
//! - [`metrics`]: how often what was refused
//! - [`models`]: which models may be called
//! - [`redis`]: the Redis that counts for all proxies
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
pub mod metrics;
pub mod models;
pub mod networks;
pub mod policy;
mod redis;
pub mod respond;
pub mod response;
pub mod rules;
pub mod service;
pub mod usage;

use std::sync::Arc;

use bans::Bans;
use identity::KeySets;
use limits::Counters;

/// What is remembered of callers, by all threads, and outlasts config.
#[derive(Debug)]
pub struct Memory {
    /// What counts under limits.
    pub counters: Arc<Counters>,
    /// Addresses that are banned, or may be soon.
    pub bans: Arc<Bans>,
    /// The keys of issuers of JSON Web Tokens that are fetched.
    pub key_sets: Arc<KeySets>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            counters: Counters::new(),
            bans: Arc::default(),
            key_sets: Arc::default(),
        }
    }
}
