//! A stream without our secrets: an upstream may quote the key that it refuses in the middle of a stream, too, cut wherever it likes.

use bytes::{Bytes, BytesMut};

use super::dispatch::Asked;
use super::worker::Pinned;
use crate::state::secrets::Secrets;

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
    /// For a reply of the backend that the route knows by this name; none where that has no credential of ours.
    pub(crate) fn of(asked: &Asked, backend: &str) -> Option<Self> {
        let mut backends = asked.route().backends.iter();
        let masked = Self {
            state: Pinned::clone(&asked.state),
            route: asked.at,
            backend: backends.position(|entry| entry.name == backend)?,
            held: Bytes::new(),
        };
        let has_any = masked.secrets().is_some_and(|secrets| !secrets.are_none());
        has_any.then_some(masked)
    }

    fn secrets(&self) -> Option<&Secrets> {
        let entry = &self.state.routes[self.route].backends[self.backend];
        entry.backend.as_ref().ok().map(|backend| &backend.masks)
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
        let Some(secrets) = self.secrets() else {
            return joined;
        };
        let mut masked = secrets.mask(joined);
        let held = secrets.may_go_on(&masked);
        if held > 0 {
            self.held = masked.split_off(masked.len() - held);
        }
        masked
    }

    /// What was held back, when nothing follows.
    pub(crate) fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.held)
    }
}
