//! Config from manifests, a directory or one file, for a proxy outside a cluster.
//!
//! - [`Files`]: what is below the directory, or the one file
//! - [`document`]: YAML and JSON as values, with lines
//! - [`objects`]: each object once, with its place
//! - [`Loader`]: files in, items or faults out
//! - [`Compiler`], [`child`]: the loader in a process of its own
//! - [`Standalone`]: loads, watches, loads again

pub mod child;
mod compile;
mod document;
mod fault;
mod files;
mod load;
mod objects;
mod reload;
mod watch;

pub use compile::{Compiler, Failure, Refusal};
pub use fault::Fault;
pub use files::Files;
pub use load::{Loaded, Loader, Unprepared};
pub use reload::{Standalone, StartFault};
