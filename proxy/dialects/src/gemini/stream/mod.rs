//! Streamed replies: server-sent events, or the elements of an array, each a whole reply with the next piece of each candidate. No event ends the stream but its end.
//!
//! Source: [streaming](https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent).
//!
//! Read: older models say `STOP` in every event, so that a candidate's end is believed when the stream ends; the last figures of usage are those of the answer.
//! Code that the server ran, images and sources have no event and are left out, and so are signatures over text.
//!
//! Read are events alone, for which every upstream is asked. Written: an event for each piece, or an element of an [array](frames) where the client did not ask for events; calls whole, as soon as they are; and a last event with the reasons of the end and the usage. Left out: signs of life, which
//! Google's Python SDK takes for answers, and encrypted reasoning. Signatures and reasoning are as in [whole replies](super::reply).

pub mod frames;
pub mod read;
pub mod write;

pub use read::Reader;
pub use write::Writer;
