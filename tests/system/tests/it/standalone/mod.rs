//! The release binary with files, as `dragoman-proxy run --config` and `check` have it.

mod manifests;
mod proxy;

mod credentials;
mod errors;
mod failover;
mod listing;
mod names;
mod raw;
mod other_paths;
mod routing;
mod sdk;
mod smuggling;
mod thinking;
