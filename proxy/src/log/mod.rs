//! Every request on record: what the data path notes while a request lasts, and the thread that makes rows of it.
//!
//! The data path copies what passes, within bounds, and hands it over when the request is over. It reads nothing for the log, waits for nothing, and
//! touches nothing that threads share but once for many requests.
//!
//! - [`draft`]: what is noted of one request; [`kept`]: bodies, within bounds
//! - [`desk`]: a thread's finished requests, on their way; [`clerk`]: the thread that takes them
//! - [`row`]: a draft made a record; [`attributes`]: what expressions make of it; [`said`]: what its reply said; [`tokens`]: how many tokens where nobody told; [`mask`]: without secrets; [`metrics`]: what the rows come to; [`standing`]: whether they are stored
//! - [`live`]: requests that have not ended; [`replays`]: replies that are on record
//! - [`keeper`]: the thread on which that is, and where rows go; [`lock`]: a directory for one process

mod attributes;
mod clerk;
mod desk;
mod draft;
pub mod keeper;
mod kept;
mod live;
mod lock;
mod mask;
mod metrics;
mod replays;
mod row;
mod said;
mod standing;
mod tokens;

pub use clerk::{Clerk, Intake};
pub(crate) use desk::Desk;
pub(crate) use draft::{Draft, End, Notes, Tried};
pub use live::Threads;
pub(crate) use lock::lock;
pub(crate) use metrics::{operation, provider};
