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
use crate::state::backend::CREDENTIAL_HEADERS;
pub use credentials::Consumed;
use credentials::{Brought, Unreadable, brought};
use issuer::{Issuer, Judged, SERVICE_ACCOUNT, Verified};
use jwt::Unverified;
use key_set::KeySet;
pub use key_sets::KeySets;
use tokens::{Digest, Found, Tokens};
use verified::Kept;

/// Seconds after which a client is told to try again whose identity cannot be checked.
const RETRY_AFTER: u32 = 5;
/// Why a token cannot be judged whose issuer's keys are on their way.
const FETCHED: &str = "its issuer's keys are being fetched";

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
    /// A credential that nobody has: 401.
    Wrong {
        /// For the client, in words; it never says more than the client brought.
        why: &'static str,
        /// The headers whose credentials nobody has, each of which counts towards a ban. One whose time is over is no guess: somebody had it.
        guesses: Consumed,
    },
    /// It cannot be told: 503.
    Unchecked {
        /// For the log and the status, not for the client.
        why: String,
        /// Seconds after which it may be told.
        retry_after: u32,
        /// As those of [`Identity::Wrong`]: what stands beside a credential that cannot be checked.
        guesses: Consumed,
    },
}

/// What the credentials of a request came to.
#[derive(Default)]
struct Looked<'h> {
    /// Who is known by the first that is known.
    known: Option<(Arc<User>, Digest)>,
    consumed: Consumed,
    wrong: Option<&'static str>,
    guesses: Consumed,
    /// Those that were guessed: one that is sent in several headers is one guess.
    guessed: [&'h [u8]; CREDENTIAL_HEADERS.len()],
    doubt: Option<String>,
    /// Those that may be known, or were.
    unguessed: Consumed,
    wait: Option<Arc<KeySet>>,
}

impl<'h> Looked<'h> {
    fn guess(&mut self, header: usize, credential: &'h [u8], why: &'static str) {
        self.wrong = self.wrong.or(Some(why));
        if credential.is_empty() || !self.guessed.contains(&credential) {
            self.guesses.insert(header);
        }
        if let Some(slot) = self.guessed.get_mut(header) {
            *slot = credential;
        }
    }
}

/// What one credential came to.
enum Verdict {
    User(Arc<User>, Digest),
    Wrong(&'static str),
    /// As wrong, but nobody guessed it: its time is over, or has not come.
    Untimely(&'static str),
    Wait(Arc<KeySet>),
    Unchecked(String),
    /// It may be one of those that cannot be known at the moment.
    Unknown(String),
}

impl Verdict {
    /// Of a token that its issuer signed, at the time `now`.
    fn of(verified: &Verified, now: Timestamp) -> Self {
        match verified.times.refuse(now.as_second()) {
            None => Self::User(Arc::clone(&verified.user), verified.key),
            Some(why) => Self::Untimely(why),
        }
    }
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

    /// Who sends these headers, which `came` then, by both clocks. It waits only for keys that must be fetched, and for two seconds at most.
    pub async fn check(&self, headers: &HeaderMap, came: (Instant, Timestamp)) -> Identity {
        match self.judge(headers, came, false) {
            Ok(identity) => identity,
            Err(set) => {
                // What is rarely waited for is kept out of the future that every request has.
                Box::pin(set.news()).await;
                let again = self.judge(headers, came, true);
                again.unwrap_or_else(|_| unchecked(FETCHED.into(), Consumed::default()))
            }
        }
    }

    /// As [`Authentication::check`], without waiting: the set that must be waited for, unless it was (`waited`).
    fn judge(
        &self,
        headers: &HeaderMap,
        came: (Instant, Timestamp),
        waited: bool,
    ) -> Result<Identity, Arc<KeySet>> {
        let looked = match self.look(headers, came) {
            Ok(looked) => looked,
            Err(twice) => return Ok(twice),
        };
        if let Some((user, key)) = looked.known {
            return Ok(Identity::Known {
                user,
                key,
                consumed: looked.consumed,
            });
        }
        let mut doubt = looked.doubt;
        if let Some(set) = looked.wait {
            if !waited {
                return Err(set);
            }
            doubt = doubt.or(Some(FETCHED.into()));
        }
        let guesses = looked.guesses;
        Ok(match (doubt, looked.wrong) {
            (Some(why), _) => unchecked(why, guesses),
            (None, Some(why)) => Identity::Wrong { why, guesses },
            (None, None) if self.anonymous => Identity::Anonymous,
            (None, None) => Identity::Missing,
        })
    }

    /// The headers whose credentials are known here, may be, or were: whoever sends them guesses nothing, though another policy does not know them. `came`: when
    /// the request did, on both clocks.
    pub fn may_know(&self, headers: &HeaderMap, came: (Instant, Timestamp)) -> Consumed {
        let Ok(looked) = self.look(headers, came) else {
            return Consumed::default();
        };
        let mut all = looked.consumed;
        all.add(looked.unguessed);
        all
    }

    /// Looks at every credential; a header that stands there twice is refused, whatever the others say.
    fn look<'h>(
        &self,
        headers: &'h HeaderMap,
        came: (Instant, Timestamp),
    ) -> Result<Looked<'h>, Identity> {
        let mut looked = Looked::default();
        for Brought { header, credential } in brought(headers) {
            let credential = match credential {
                Ok(credential) => credential,
                Err(Unreadable::Twice) => {
                    let mut guesses = Consumed::default();
                    guesses.insert(header);
                    let why = Unreadable::Twice.words();
                    return Err(Identity::Wrong { why, guesses });
                }
                Err(why) => {
                    looked.guess(header, &[], why.words());
                    continue;
                }
            };
            match self.verdict(credential, came) {
                Verdict::User(user, key) => {
                    looked.consumed.insert(header);
                    looked.known = looked.known.or(Some((user, key)));
                }
                Verdict::Wrong(why) => looked.guess(header, credential, why),
                Verdict::Untimely(why) => {
                    looked.unguessed.insert(header);
                    looked.wrong = looked.wrong.or(Some(why));
                }
                Verdict::Unchecked(why) => {
                    looked.unguessed.insert(header);
                    looked.doubt = looked.doubt.or(Some(why));
                }
                // Not among what may be known: whoever names a Secret that is not there must not make any guess a harmless one.
                Verdict::Unknown(why) => looked.doubt = looked.doubt.or(Some(why)),
                Verdict::Wait(set) => {
                    looked.unguessed.insert(header);
                    looked.wait = looked.wait.or(Some(set));
                }
            }
        }
        Ok(looked)
    }

    fn verdict(&self, credential: &[u8], came: (Instant, Timestamp)) -> Verdict {
        let digest: Digest = Sha256::digest(credential).into();
        if (!self.issuers.is_empty() || self.no_cluster.is_some())
            && let Some(verdict) = self.signed(credential, &digest, came)
        {
            return verdict;
        }
        match self.tokens.find(&digest, came.1) {
            Found::User(user) => Verdict::User(user, digest),
            Found::Expired => Verdict::Untimely("the API key has expired"),
            Found::Nobody => match &self.unknown_tokens {
                Some(why) => Verdict::Unknown(why.clone()),
                None => Verdict::Wrong("the API key is not known"),
            },
        }
    }

    /// What a JSON Web Token of an issuer that is named here comes to; none: it is none.
    fn signed(
        &self,
        credential: &[u8],
        digest: &Digest,
        (clock, now): (Instant, Timestamp),
    ) -> Option<Verdict> {
        let keys = |issuer: usize| self.issuers.get(issuer)?.keys(clock);
        if let Some(verified) = self.kept.get(digest, keys) {
            return Some(Verdict::of(&verified, now));
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
                    let verdict = Verdict::of(&verified, now);
                    self.kept.keep(*digest, at, verified);
                    return Some(verdict);
                }
                (None | Some(Verdict::Wrong(_)), judged) => match judged {
                    Judged::Wait(set) => Some(Verdict::Wait(set)),
                    Judged::Unchecked(why) => Some(Verdict::Unchecked(why)),
                    Judged::Wrong(why) => Some(Verdict::Wrong(why)),
                    Judged::Untimely(why) => Some(Verdict::Untimely(why)),
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

fn unchecked(why: String, guesses: Consumed) -> Identity {
    Identity::Unchecked {
        why,
        retry_after: RETRY_AFTER,
        guesses,
    }
}
