//! Rows on their way from a proxy to the logbook, and replies on their way back: `POST /v1/records` and `POST /v1/replies` over TLS, with a ticket.
//!
//! - [`ticket`]: who may write what; signed by the operator
//! - [`receive`]: the logbook's half, a handler that knows no server
//! - [`remote`]: the proxy's half, a [`Sink`](crate::writer::Sink) for the writer

pub mod receive;
pub mod remote;
mod wire;

pub use dragoman_ticket as ticket;
pub use wire::{CONTENT_TYPE, LONGEST_BODY, LONGEST_ROW, MOST_ROWS, RECORDS_PATH, REPLIES_PATH};
