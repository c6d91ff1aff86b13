//! What a request may take of a model, and what it took.
//!
//! - [`estimate`]: before it is sent, by its body
//! - [`figures`]: what servers say of it, in any dialect
//! - [`finder`]: the members of a reply that say it, found as it passes
//! - [`later`]: whether a model is asked to work later, when nobody counts
//! - [`texts`]: how much text a reply has, where nothing says it
//! - [`price`]: tokens as money
//! - [`meter`]: a reservation, settled by what is seen of the reply

mod estimate;
mod figures;
mod finder;
mod later;
mod meter;
mod price;
mod texts;

pub use estimate::Estimate;
pub use finder::Finder;
pub use later::later;
pub use meter::Meter;
pub use price::cost;
pub(crate) use texts::text;
