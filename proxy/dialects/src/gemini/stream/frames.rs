//! How the pieces of a stream are told apart.
//!
//! Sources: [streaming](https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent), which asks for events by `alt=sse`;
//! [system parameters](https://cloud.google.com/apis/docs/system-parameters), by which `alt` is JSON where it is left out. A stream of JSON is one array,
//! whose elements come as they are known ([the reader](https://github.com/googleapis/python-api-core/blob/main/google/api_core/_rest_streaming_base.py) of Google's clients).
//!
//! An array that breaks off is closed after an element `{"error"}`, as Google closes it: `google-genai` looks for it in each piece, and Google's generated clients
//! refuse it as no reply. An array left open would tell neither what went wrong.

use crate::framing::sse;

/// How the pieces of a stream are told apart.
#[derive(Clone, Copy, Debug)]
pub enum Frames {
    /// Server-sent events.
    Events,
    /// One JSON array.
    Array {
        /// Whether it has an element.
        begun: bool,
    },
}

impl Frames {
    /// What stands before a piece.
    pub(super) fn begin(&mut self, out: &mut Vec<u8>) {
        match self {
            Self::Events => sse::begin(None, out),
            Self::Array { begun } => {
                let before: &[u8] = if *begun { b",\r\n" } else { b"[" };
                out.extend_from_slice(before);
                *begun = true;
            }
        }
    }

    /// What stands after a piece.
    pub(super) fn end(self, out: &mut Vec<u8>) {
        match self {
            Self::Events => sse::end(out),
            Self::Array { .. } => out.push(b'\n'),
        }
    }

    /// What stands after the last piece.
    pub(super) fn close(self, out: &mut Vec<u8>) {
        if let Self::Array { .. } = self {
            out.extend_from_slice(b"]\n");
        }
    }
}
