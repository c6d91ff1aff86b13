//! The release binary with files, as `dragoman-proxy run --config` and `check` have it.

mod manifests;
mod proxy;

mod credentials;
mod raw;
mod routing;
mod sdk;
