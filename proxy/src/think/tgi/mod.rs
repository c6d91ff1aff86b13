//! TGI's own replies: whole, or streamed token by token.
//!
//! Source: `GenerateResponse` and `StreamResponse` of [TGI's OpenAPI document](https://huggingface.github.io/text-generation-inference/).
//!
//! - A reply, or event, in which nothing changes is passed on as the bytes that came.
//! - Edited is `generated_text`, of other answers in `best_of_sequences` too, and `token.text`. Tokens and their alternatives (`tokens`,
//!   `top_tokens`) of a text that lost something are left out, because they spell it out: the lists are empty. Counts, ids and probabilities are the
//!   server's always.
//! - There is no place for what is extracted, so that it is left out.
//! - An event that may be part of a tag waits until that is known, and then passes as it came or is left out. Only one that holds more than the
//!   tag, or a part of what was thought, is edited. What a special token says is no text.
//! - What is no such event passes. Only one that was cut off is left out when it may be part of a block.
//!
//! Contents: [`text`] one text among its tokens; [`whole`] whole replies; [`stream`] the events of a stream.

mod stream;
#[cfg(test)]
mod tests;
mod text;
mod whole;

pub use stream::TgiStream;
pub(super) use whole::whole;
