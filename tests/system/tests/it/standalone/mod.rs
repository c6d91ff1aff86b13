//! The release binary with files, as `dragoman-proxy run --config` and `check` have it.

mod manifests;
mod oracle;
mod proxy;
mod raw;

mod apis;
mod check;
mod compiling;
mod conversation;
mod credentials;
mod errors;
mod failover;
mod faults;
mod identity;
mod lifecycle;
mod listing;
mod listings_of_dialects;
mod mappers;
mod maps;
mod names;
mod other_paths;
mod reload;
mod routing;
mod same_dialect;
mod sdk;
mod smuggling;
mod templates;
mod thinking;
mod translation;
mod upstreams;
mod usage;
mod vectors_and_counts;
mod vendors;
mod vendors_in_place;
