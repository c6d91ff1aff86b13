//! Chat completions in chunks.
//!
//! Read: ids, names and indices that servers leave out or say again and again; reasoning in `reasoning_content`, `reasoning` or Mistral's parts; usage in
//! any chunk, of which the last is taken; an end without `[DONE]` after every choice had its finish reason; an error in place of a chunk.
//!
//! Written: the role first, each event as a chunk of its own, usage in a chunk without choices, `[DONE]`. A call that came without arguments gets
//! `{}` when its choice ends. Left out: signatures and encrypted reasoning, and the reasoning itself if it was not asked for.

mod calls;
mod chunk;
mod reader;
mod writer;

pub use reader::Reader;
pub use writer::Writer;
