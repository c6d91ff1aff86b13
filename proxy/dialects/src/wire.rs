//! The table of dialects. A new one is a folder, a line here and its tests.

use crate::codec::Codec;
use crate::openai;

/// A wire format: a dialect's form of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wire {
    /// OpenAI's chat completions.
    Chat,
}

impl Wire {
    /// Its readers and writers.
    #[must_use]
    pub fn codec(self) -> &'static dyn Codec {
        match self {
            Self::Chat => &openai::Chat,
        }
    }
}
