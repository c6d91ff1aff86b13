//! The release binary with files, as `dragoman-proxy run --config` and `check` have it.

mod sdk;
