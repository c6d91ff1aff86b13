//! Everything of the process that is not a request: its command line, config, readiness, log and end.
//!
//! - [`cli`]: what may be asked of it
//! - [`run`](run()) and [`check()`]: the two commands
//! - [`standalone`], [`push`]: config from files, config from the operator
//! - [`publish`]: config on its way to the data path
//! - [`admin`], [`readiness`]: what others ask about it
//! - [`logging`]: what it says of itself
//! - [`logbook`]: the command that takes the rows of a cluster's proxies
//! - [`stop`]: how it ends

pub mod admin;
mod check;
pub mod cli;
pub mod logbook;
pub mod logging;
pub mod publish;
pub mod push;
pub mod readiness;
mod run;
pub mod standalone;
mod stop;

pub use check::check;
pub use run::{RunFault, run};
