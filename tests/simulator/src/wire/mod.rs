//! How a reply is written: which bytes in which write, after which pause, and where it breaks.

mod body;
mod event_stream;
mod frame;
mod gzip;
mod steps;

pub(crate) use body::{Content, ReplyBody};
pub(crate) use frame::Frame;
pub(crate) use steps::{Event, Form, escaped, plain, stream};

/// The connection breaks here, as a behaviour asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the simulated connection breaks")]
pub(crate) struct Cut;
