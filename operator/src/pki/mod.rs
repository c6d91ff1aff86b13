//! The push server's certificates: a CA of our own, rotated before it ends, and short-lived leaves below it.

mod authority;
mod identity;
mod keeper;
mod logbook;
mod store;

pub use authority::{Authority, BadAuthority};
pub use identity::Identity;
pub use keeper::{Fault, Keeper, LOGBOOK_SECRET, SECRET};
pub use store::{Authorities, BadStore};
