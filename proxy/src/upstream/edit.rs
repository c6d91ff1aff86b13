//! What changes the body of a reply on its way.

use bytes::Bytes;

use super::fault::Fault;

/// What changes a body on its way.
pub trait Edit {
    /// Takes the next piece and appends what goes on.
    ///
    /// # Errors
    /// [`Fault`]: nothing goes on any more.
    fn push(&mut self, chunk: Bytes, out: &mut Vec<u8>) -> Result<(), Fault>;

    /// Takes the end and appends what goes on.
    ///
    /// # Errors
    /// As [`Edit::push`].
    fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Fault>;
}
