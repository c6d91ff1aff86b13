//! Gemini's replies: whole, or streamed as events or as the elements of an array, each of which is a whole reply with the next piece.
//!
//! Source: [the response](https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse).
//!
//! - A piece in which nothing changes is passed on as the bytes that came.
//! - Otherwise only the texts of `candidates[].content.parts[]` are edited in place, each candidate's as one text that goes on from part to part and
//!   from piece to piece. Where thinking is extracted and the client asked for thoughts (`includeThoughts`), it becomes a part of its own, a `thought`, before the text's.
//! - Where the fields of thinking are dropped, the parts go that are thoughts.
//! - A piece that lost its text and tells nothing else is left out. It tells something else if a candidate has another part or another member that is not
//!   null, or the piece has, besides `usageMetadata`, which each piece repeats, `modelVersion`, `responseId` and `createTime`.
//! - Text that is held back goes before a part that is no text, else to a piece of our own at the stream's end or before an error: older models say that they
//!   have finished in each piece.
//! - Stripped text takes its piece's logprobs with it, because they spell it out.
//! - Calls are never looked at. What is no such piece passes; only one that was cut off is left out when it may be part of a block.
//!
//! Contents: [`piece`] one piece, or a whole reply; [`stream`] the pieces of a stream.

mod piece;
mod stream;
#[cfg(test)]
mod tests;

pub(super) use piece::whole;
pub use stream::GeminiStream;
