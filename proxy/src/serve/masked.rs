//! A stream without our secrets: an upstream may quote the key that it refuses in the middle of a stream, too, cut wherever it likes.

use bytes::{Bytes, BytesMut};

use super::dispatch::Asked;
use super::worker::Pinned;
use crate::state::secrets::Needles;

/// Masks a stream piece by piece.
pub(crate) struct Masked {
    /// The state that the request runs on, and where the backend is in it: nothing that threads share is counted for a stream.
    state: Pinned,
    route: usize,
    backend: usize,
    /// What may be the beginning of a secret.
    held: Bytes,
}

impl Masked {
    /// For a good reply of the backend that the route knows by this name; none where that has no credential of ours that is told from words.
    pub(crate) fn of(asked: &Asked, backend: &str) -> Option<Self> {
        let mut backends = asked.route().backends.iter();
        let masked = Self {
            state: Pinned::clone(&asked.state),
            route: asked.at,
            backend: backends.position(|entry| entry.name == backend)?,
            held: Bytes::new(),
        };
        masked.needles().is_some().then_some(masked)
    }

    fn needles(&self) -> Option<&Needles> {
        let entry = &self.state.routes[self.route].backends[self.backend];
        entry.backend.as_ref().ok()?.masks.in_streams()
    }

    /// What may go on of what has come; nothing, perhaps.
    pub(crate) fn push(&mut self, piece: Bytes) -> Bytes {
        let joined = if self.held.is_empty() {
            piece
        } else {
            let mut joined = BytesMut::from(&self.held[..]);
            joined.extend_from_slice(&piece);
            self.held = Bytes::new();
            joined.freeze()
        };
        let Some(needles) = self.needles() else {
            return joined;
        };
        let (masked, held) = needles.mask_piece(joined);
        self.held = held;
        masked
    }

    /// What was held back, when nothing follows: a whole secret, perhaps, that might have been the beginning of another.
    pub(crate) fn rest(&mut self) -> Bytes {
        let held = std::mem::take(&mut self.held);
        match self.needles() {
            Some(needles) => needles.mask(held),
            None => held,
        }
    }
}
