//! JSON read and edited as bytes: no tree is built, what is not edited stays identical.
//!
//! - [`members`]: which members an object has, by name, as byte ranges; the whole text is validated on the way.
//! - [`elements`]: the elements of an array, as byte ranges.
//! - [`string`]: what a string literal says, and the literal for a text.
//! - [`edit`]: set and remove members of an object.
//! - [`splice`]: a body and its edits as segments that share the body's memory.
//! - [`merge`]: a model map's defaults, overrides and rename, applied to a body.
//! - [`lexer`]: the strict reader beneath all of them.

pub mod edit;
pub mod elements;
pub mod lexer;
pub mod malformed;
pub mod members;
pub mod merge;
pub mod splice;
pub mod string;

#[cfg(test)]
mod properties;

pub use edit::ObjectEdit;
pub use elements::elements;
pub use malformed::Malformed;
pub use members::{Members, Name, read, scan, scan_each};
pub use merge::Merge;
pub use splice::{Edit, splice};
