//! Tokens that were found to be signed: a signature costs more than all else of a request, and clients send the same token for an hour, or longer than it holds.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use parking_lot::Mutex;

use super::issuer::Verified;
use super::jwk::Keys;
use super::tokens::{Digest, FirstBytes};

const SHARDS: usize = 16;
/// The most tokens of a shard.
const MOST: usize = 256;

/// Tokens by their hashes, with the number of the issuer.
type Shard = HashMap<Digest, (usize, Verified), BuildHasherDefault<FirstBytes>>;

/// A policy's tokens that were signed.
#[derive(Debug, Default)]
pub(super) struct Kept([Mutex<Shard>; SHARDS]);

impl Kept {
    /// What was found, while its issuer (`keys`) has the keys that verified it.
    pub(super) fn get(
        &self,
        digest: &Digest,
        keys: impl FnOnce(usize) -> Option<Arc<Keys>>,
    ) -> Option<Verified> {
        let shard = self.shard(digest)?;
        let (issuer, verified) = shard.lock().get(digest).cloned()?;
        Arc::ptr_eq(&keys(issuer)?, &verified.with).then_some(verified)
    }

    pub(super) fn keep(&self, digest: Digest, issuer: usize, verified: Verified) {
        let Some(shard) = self.shard(&digest) else {
            return;
        };
        let mut shard = shard.lock();
        if shard.len() >= MOST && !shard.contains_key(&digest) {
            // Those that are in use come back with their next request.
            shard.clear();
        }
        shard.insert(digest, (issuer, verified));
    }

    fn shard(&self, digest: &Digest) -> Option<&Mutex<Shard>> {
        self.0.get(usize::from(*digest.last()?) % SHARDS)
    }
}
