//! Responses in events.
//!
//! Read: reasoning from its summary or in full, whichever a server sends; items of tools that OpenAI runs are passed over.
//!
//! Written: every item with its `.added`, `.delta` and `.done` events, numbered by `sequence_number`, in the order of what is said. Calls stay open until the
//! choice ends, because servers may send pieces of several in turn. The last event repeats the whole response, as the dialect wants it: what was said is
//! kept until then, once, as text ([`crate::StreamWriter::kept`]). A failure is an `error` event and `response.failed`.

mod item;
mod reader;
mod writer;

pub use reader::Reader;
pub use writer::Writer;
