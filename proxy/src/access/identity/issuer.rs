//! Who signs JSON Web Tokens, and what its tokens must say.

use std::sync::Arc;
use std::time::Instant;

use dragoman_config::{ClusterKeysItem, JwtItem, JwtKeysItem};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::super::caller::User;
use super::jwk::{Keys, Signed};
use super::jwt::{Times, Unverified};
use super::key_set::KeySet;
use super::key_sets::KeySets;
use super::tokens::Digest;

/// What the names of ServiceAccounts begin with.
pub(super) const SERVICE_ACCOUNT: &str = "system:serviceaccount:";

/// An issuer whose tokens are accepted.
#[derive(Debug)]
pub(super) struct Issuer {
    pub(super) name: String,
    audiences: Vec<String>,
    keys: Source,
    /// Whether its tokens are those of the cluster's ServiceAccounts.
    is_cluster: bool,
}

#[derive(Debug)]
enum Source {
    Told(Arc<Keys>),
    Fetched(Arc<KeySet>),
}

/// A token that its issuer signed, for one of the audiences. Whether its time has come, and is not over, is asked with each request.
#[derive(Debug, Clone)]
pub(super) struct Verified {
    pub(super) user: Arc<User>,
    /// SHA-256 of issuer and subject: a new token of the same subject is no new caller.
    pub(super) key: Digest,
    pub(super) times: Times,
    /// What verified it.
    pub(super) with: Arc<Keys>,
}

/// What became of a token.
#[derive(Debug)]
pub(super) enum Judged {
    Holds(Verified),
    Wrong(&'static str),
    /// Whoever signed it, it opens nothing at this time.
    Untimely(&'static str),
    /// It cannot be told, and the set is worth waiting for.
    Wait(Arc<KeySet>),
    /// It cannot be told.
    Unchecked(String),
}

impl Issuer {
    /// # Errors
    /// In words, when inline keys are none.
    pub(super) fn new(item: &JwtItem, sets: &KeySets) -> Result<Self, String> {
        let keys = match &item.keys {
            JwtKeysItem::Uri(url) => Source::Fetched(sets.get(url)),
            JwtKeysItem::Inline(text) => {
                let keys = Keys::read(text.as_bytes());
                let keys = keys.map_err(|fault| format!("jwks of {}: {fault}", item.issuer))?;
                if keys.is_empty() {
                    return Err(format!(
                        "jwks of {} holds no key that could verify a signature",
                        item.issuer
                    ));
                }
                Source::Told(Arc::new(keys))
            }
        };
        Ok(Self {
            name: item.issuer.clone(),
            audiences: item.audiences.clone(),
            keys,
            is_cluster: false,
        })
    }

    /// The cluster, for its ServiceAccounts' tokens of one audience.
    ///
    /// # Errors
    /// In words, when its keys are none.
    pub(super) fn cluster(item: &ClusterKeysItem, audience: &str) -> Result<Self, String> {
        let keys = Keys::read(item.jwks.as_bytes()).map_err(|fault| fault.to_string())?;
        Ok(Self {
            name: item.issuer.clone(),
            audiences: vec![audience.to_owned()],
            keys: Source::Told(Arc::new(keys)),
            is_cluster: true,
        })
    }

    /// The keys that it has now.
    pub(super) fn keys(&self, now: Instant) -> Option<Arc<Keys>> {
        match &self.keys {
            Source::Told(keys) => Some(Arc::clone(keys)),
            Source::Fetched(set) => set.keys(now),
        }
    }

    /// Judges a token of its own, of a request that came at `clock`, by the time `now`.
    pub(super) fn judge(
        &self,
        token: &Unverified<'_>,
        (clock, now): (Instant, Timestamp),
    ) -> Judged {
        // What costs nothing comes first.
        let Some(algorithm) = token.algorithm() else {
            return Judged::Wrong("the token is signed in a way that is not accepted");
        };
        if !token.is_for(&self.audiences) {
            return Judged::Wrong("the token is for another audience");
        }
        let Some(times) = token.times() else {
            return Judged::Wrong("the token does not say when it expires");
        };
        let Some(user) = self.user(token) else {
            return Judged::Wrong("the token does not say whose it is");
        };
        // Nothing is fetched or waited for that changes no answer. Who forges is told from who is late where the key is known.
        let unknown = || match times.refuse(now.as_second()) {
            Some(why) => Judged::Untimely(why),
            None => self.unknown(clock),
        };
        let Some(keys) = self.keys(clock) else {
            return unknown();
        };
        match keys.signed(algorithm, token.key(), token.message, &token.signature) {
            Signed::Yes => Judged::Holds(Verified {
                key: key(&self.name, token.text("sub").unwrap_or_default()),
                user: Arc::new(user),
                times,
                with: keys,
            }),
            Signed::No => Judged::Wrong("the token's signature is wrong"),
            Signed::UnknownKey => unknown(),
        }
    }

    /// No key fits.
    fn unknown(&self, clock: Instant) -> Judged {
        match &self.keys {
            Source::Fetched(set) if set.awaits_news(clock) => Judged::Wait(Arc::clone(set)),
            Source::Fetched(set) => match set.doubt(clock) {
                Some(why) => Judged::Unchecked(format!("the keys of {}: {why}", self.name)),
                None => {
                    Judged::Wrong("the token is signed with a key that its issuer does not have")
                }
            },
            Source::Told(_) => {
                Judged::Wrong("the token is signed with a key that its issuer does not have")
            }
        }
    }

    fn user(&self, token: &Unverified<'_>) -> Option<User> {
        let name = token.text("sub").filter(|name| !name.is_empty())?;
        let groups = if self.is_cluster {
            service_account_groups(name)?
        } else {
            token.groups()
        };
        let claims = Some(token.claims.clone());
        Some(User::new(name.to_owned(), groups, claims))
    }
}

/// The groups that Kubernetes gives a ServiceAccount.
///
/// Source: [its documentation](https://kubernetes.io/docs/reference/access-authn-authz/authentication/#service-account-tokens).
fn service_account_groups(name: &str) -> Option<Vec<String>> {
    let (namespace, name) = name.strip_prefix(SERVICE_ACCOUNT)?.split_once(':')?;
    let fine = !namespace.is_empty() && !name.is_empty() && !name.contains(':');
    fine.then(|| {
        vec![
            "system:serviceaccounts".to_owned(),
            format!("system:serviceaccounts:{namespace}"),
            "system:authenticated".to_owned(),
        ]
    })
}

fn key(issuer: &str, subject: &str) -> Digest {
    let mut hash = Sha256::new();
    for part in ["jwt", issuer, subject] {
        // Their lengths keep the parts apart.
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}
