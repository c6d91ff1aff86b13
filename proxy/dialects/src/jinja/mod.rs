//! Jinja within bounds: whoever writes a template may be anybody.
//!
//! The parser is minijinja's; what it parsed runs here, where every step and every byte that is built is paid for
//! (decision 13).
//! Expressions, filters and tests mean what they mean in minijinja, and methods what they mean in Python.
//!
//! - [`Program`]: a compiled template. Compiling evaluates nothing.
//! - [`Bounds`]: what a rendering may cost.
//! - `parse`, `compile`, `syntax`: from source to program.
//! - `run`, `evaluate`, `call`: statements, expressions, calls.
//! - `value`, `show`, `order`, `operators`: values, how they are written, compared and joined.
//! - `filters`, `lists`, `text`, `format`, `checks`, `methods`, `json`: what templates may call, a closed list.
//! - `meter`: the meter.

mod call;
mod checks;
mod compile;
mod evaluate;
mod fault;
mod filters;
mod format;
mod json;
mod lists;
mod meter;
mod methods;
mod operators;
mod order;
mod parse;
mod run;
mod show;
mod syntax;
mod text;
mod value;

pub use fault::{Failed, Faulty};
pub use meter::Bounds;
pub use parse::Blocks;
pub use run::Rendered;
pub use syntax::Program;
