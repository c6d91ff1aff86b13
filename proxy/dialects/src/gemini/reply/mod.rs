//! Whole replies.
//!
//! Read: `STOP` with calls is the end of a reply that calls tools; a prompt that was blocked is a reply that a filter cut off. Left out: safety ratings, sources
//! (`citationMetadata`, `groundingMetadata`, `urlContextMetadata`), and signatures over text.
//!
//! Written: a refusal is text; reasoning that the client did not ask for is written only for its signature, and signatures only where they are base64, since
//! SDKs read them as bytes. Encrypted reasoning is left out, and so are sources. A reply without any part has one of empty text, which SDKs count as an answer.

pub mod read;
pub mod write;
