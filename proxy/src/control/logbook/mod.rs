//! `logbook`: what takes the rows of a cluster's proxies, and alone talks to the database.
//!
//! - [`LogbookArgs`]: its options
//! - `settings`: the files that may change while it runs: certificate, ticket keys, the database's address
//! - `serve`: connections, and their graceful end
//! - `answer`: which path is whose
//! - `pages`: what people see
//! - `kubernetes`: whose Kubernetes token it is
//! - `metrics`: how it goes

mod answer;
mod args;
mod kubernetes;
mod metrics;
mod pages;
mod run;
mod serve;
mod settings;
mod tls;

pub use args::LogbookArgs;
pub use run::{LogbookFault, logbook};
