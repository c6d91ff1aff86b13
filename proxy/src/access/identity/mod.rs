//! Who is calling: what a policy's `authentication` makes of the credentials that a request brings.
//!
//! - `credentials`: what a request brings
//! - `tokens`: users who are known by tokens
//! - `issuer`: who signs JSON Web Tokens, with `jwt`, a token before it is believed, and `jwk`, the keys
//! - [`KeySets`]: keys that are fetched, with `key_set`, one issuer's, and `fetch`
//! - `verified`: tokens that were found to hold
//!
//! A credential that is a JSON Web Token of the cluster or of an issuer that the policy names is judged by that alone; any other is looked up among the tokens.
//! Several headers may hold credentials, since one of them may be for a backend of `passthrough`: each is tried, the first that is known names the caller, and all that are
//! known here are consumed. What cannot be told, because keys or a Secret cannot be had, is [`Identity::Unchecked`] and never wrong.

mod credentials;
mod fetch;
mod issuer;
mod jwk;
mod jwt;
mod key_set;
mod key_sets;
#[cfg(test)]
mod signing;
#[cfg(test)]
mod tests;
mod tokens;
mod verified;

use std::sync::Arc;
use std::time::Instant;

use dragoman_config::{AuthenticationItem, ObjectKey};
use http::HeaderMap;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::caller::User;
pub use credentials::Consumed;
use credentials::brought;
use issuer::{Issuer, Judged, SERVICE_ACCOUNT};
use jwt::Unverified;
use key_set::KeySet;
pub use key_sets::KeySets;
use tokens::{Digest, Found, Tokens};
use verified::Kept;

/// Seconds after which a client is told to try again whose identity cannot be checked.
const RETRY_AFTER: u32 = 5;

/// A policy's ways to say who is calling, ready to be asked.
#[derive(Debug)]
pub struct Authentication {
    tokens: Tokens,
    /// Why some tokens cannot be known at the moment.
    unknown_tokens: Option<String>,
    issuers: Vec<Issuer>,
    /// Why the cluster's tokens cannot be judged, where they should be.
    no_cluster: Option<String>,
    anonymous: bool,
    kept: Kept,
}

/// Who is calling, as far as one policy can tell.
#[derive(Debug, Clone, PartialEq)]
pub enum Identity {
    /// A user that it knows.
    Known {
        /// Who it is.
        user: Arc<User>,
        /// By what it is known: SHA-256 of the token, or of issuer and subject of a JSON Web Token, so that a new one is no new caller.
        key: [u8; 32],
        /// The headers whose credentials are known here. They go no further.
        consumed: Consumed,
    },
    /// Nobody in particular, which the policy admits.
    Anonymous,
    /// Nobody in particular, which it does not admit: 401.
    Missing,
    /// A credential that nobody has: 401. It counts towards a ban.
    Wrong {
        /// For the client, in words; it never says more than the client brought.
        why: &'static str,
    },
    /// It cannot be told: 503.
    Unchecked {
        /// For the log and the status, not for the client.
        why: String,
        /// Seconds after which it may be told.
        retry_after: u32,
    },
}

/// What one credential came to.
enum Verdict {
    User(Arc<User>, Digest),
    Wrong(&'static str),
    Wait(Arc<KeySet>),
    Unchecked(String),
}

impl Authentication {
    /// Prepares the `authentication` of `policy`. Keys that have a URL are fetched from now on.
    ///
    /// # Errors
    /// In words, when tokens or inline keys are none.
    pub fn new(
        policy: &ObjectKey,
        item: &AuthenticationItem,
        sets: &KeySets,
    ) -> Result<Self, String> {
        let issuers = item.jwt.iter().map(|item| Issuer::new(item, sets));
        let mut issuers: Vec<Issuer> = issuers.collect::<Result<_, _>>()?;
        let mut no_cluster = None;
        if let Some(accounts) = &item.service_accounts {
            let cluster = match &accounts.cluster {
                Some(cluster) => Issuer::cluster(cluster, &accounts.audience),
                None => Err("they are not known yet".into()),
            };
            match cluster {
                Ok(cluster) => issuers.push(cluster),
                // Those who have other credentials need not suffer for it.
                Err(why) => {
                    tracing::warn!(%policy, kind = "cluster_keys", "the keys of the cluster's ServiceAccounts: {why}");
                    no_cluster = Some(format!("the keys of the cluster's ServiceAccounts: {why}"));
                }
            }
        }
        Ok(Self {
            tokens: Tokens::new(&item.tokens)?,
            unknown_tokens: item.unknown_tokens.clone(),
            issuers,
            no_cluster,
            anonymous: item.anonymous,
            kept: Kept::default(),
        })
    }

    /// Who sends these headers. It waits only for keys that must be fetched, and for two seconds at most.
    pub async fn check(&self, headers: &HeaderMap, now: Timestamp) -> Identity {
        match self.judge(headers, now, false) {
            Ok(identity) => identity,
            Err(set) => {
                // What is rarely waited for is kept out of the future that every request has.
                Box::pin(set.news()).await;
                let again = self.judge(headers, now, true);
                again.unwrap_or_else(|_| unchecked("its issuer's keys are being fetched".into()))
            }
        }
    }

    /// As [`Authentication::check`], without waiting: the set that must be waited for, unless it was (`waited`).
    fn judge(
        &self,
        headers: &HeaderMap,
        now: Timestamp,
        waited: bool,
    ) -> Result<Identity, Arc<KeySet>> {
        let mut known = None;
        let mut consumed = Consumed::default();
        let (mut wrong, mut doubt, mut wait) = (None, None, None);
        for brought in brought(headers) {
            let brought = match brought {
                Ok(brought) => brought,
                Err(credentials::Unreadable::Twice) => {
                    let why = credentials::Unreadable::Twice.words();
                    return Ok(Identity::Wrong { why });
                }
                Err(why) => {
                    wrong = wrong.or(Some(why.words()));
                    continue;
                }
            };
            match self.verdict(brought.credential, now) {
                Verdict::User(user, key) => {
                    consumed.insert(brought.header);
                    known = known.or(Some((user, key)));
                }
                Verdict::Wrong(why) => wrong = wrong.or(Some(why)),
                Verdict::Unchecked(why) => doubt = doubt.or(Some(why)),
                Verdict::Wait(set) => wait = wait.or(Some(set)),
            }
        }
        if let Some((user, key)) = known {
            return Ok(Identity::Known {
                user,
                key,
                consumed,
            });
        }
        if let Some(set) = wait {
            if !waited {
                return Err(set);
            }
            doubt = doubt.or(Some("its issuer's keys are being fetched".into()));
        }
        Ok(match (doubt, wrong) {
            (Some(why), _) => unchecked(why),
            (None, Some(why)) => Identity::Wrong { why },
            (None, None) if self.anonymous => Identity::Anonymous,
            (None, None) => Identity::Missing,
        })
    }

    fn verdict(&self, credential: &[u8], now: Timestamp) -> Verdict {
        let digest: Digest = Sha256::digest(credential).into();
        if (!self.issuers.is_empty() || self.no_cluster.is_some())
            && let Some(verdict) = self.signed(credential, &digest, now)
        {
            return verdict;
        }
        match self.tokens.find(&digest, now) {
            Found::User(user) => Verdict::User(user, digest),
            Found::Expired => Verdict::Wrong("the API key has expired"),
            Found::Nobody => match &self.unknown_tokens {
                Some(why) => Verdict::Unchecked(why.clone()),
                None => Verdict::Wrong("the API key is not known"),
            },
        }
    }

    /// What a JSON Web Token of an issuer that is named here comes to; none: it is none.
    fn signed(&self, credential: &[u8], digest: &Digest, now: Timestamp) -> Option<Verdict> {
        let clock = Instant::now();
        let keys = |issuer: usize| self.issuers.get(issuer)?.keys(clock);
        if let Some(verified) = self.kept.get(digest, now, keys) {
            return Some(Verdict::User(verified.user, verified.key));
        }
        let token = Unverified::parse(credential)?;
        let name = token.text("iss")?;
        let mut verdict = None;
        for (at, issuer) in self.issuers.iter().enumerate() {
            if issuer.name != name {
                continue;
            }
            // The cluster may be named as an issuer like others too: the more hopeful of two verdicts counts.
            verdict = match (verdict, issuer.judge(&token, (clock, now))) {
                (_, Judged::Holds(verified)) => {
                    let known = Verdict::User(Arc::clone(&verified.user), verified.key);
                    self.kept.keep(*digest, at, verified);
                    return Some(known);
                }
                (None | Some(Verdict::Wrong(_)), judged) => match judged {
                    Judged::Wait(set) => Some(Verdict::Wait(set)),
                    Judged::Unchecked(why) => Some(Verdict::Unchecked(why)),
                    Judged::Wrong(why) => Some(Verdict::Wrong(why)),
                    Judged::Holds(_) => None,
                },
                (verdict, _) => verdict,
            };
        }
        if verdict.is_some() {
            return verdict;
        }
        let why = self.no_cluster.as_ref()?;
        let is_accounts = token.text("sub")?.starts_with(SERVICE_ACCOUNT);
        is_accounts.then(|| Verdict::Unchecked(why.clone()))
    }
}

fn unchecked(why: String) -> Identity {
    Identity::Unchecked {
        why,
        retry_after: RETRY_AFTER,
    }
}
