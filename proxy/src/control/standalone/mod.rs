//! Config from a directory of manifests, for a proxy outside a cluster.
//!
//! - [`Files`]: what is below the directory
//! - [`document`]: YAML and JSON as values, with lines
//! - [`objects`]: each object once, with its place
//! - [`Loader`]: files in, items or faults out
//! - [`Standalone`]: loads, watches, loads again

mod document;
mod fault;
mod files;
mod load;
mod objects;
mod reload;
mod watch;

pub use fault::Fault;
pub use files::Files;
pub use load::{Loaded, Loader, Unprepared};
pub use reload::{Standalone, StartFault};
