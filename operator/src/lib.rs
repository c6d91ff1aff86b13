//! The control plane: it watches resources, compiles them, and keeps proxies and statuses up to date.
//!
//! [`watch`] tells [`core`] what there is; [`core`] decides, alone and without talking to anybody; [`push`] brings proxies
//! what they run; [`status`] and [`children`] say what is written where. [`lease`] lets one replica of several act.

pub mod admin;
pub mod args;
pub mod children;
pub mod core;
#[cfg(test)]
mod fake_api;
pub mod index;
pub mod installation_owner;
pub mod lease;
pub mod metrics;
pub mod operator;
mod patience;
pub mod pki;
pub mod push;
pub mod schedule;
pub mod status;
pub mod watch;
