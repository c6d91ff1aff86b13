//! Who is calling.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use dragoman_config::ObjectKey;
use serde_json::{Map, Value, json};

use super::policy::Policy;

/// A user that a policy knows.
#[derive(Debug, Clone)]
pub struct User {
    /// Its name.
    pub name: String,
    /// Its groups.
    pub groups: Vec<String>,
    /// The claims of its token, where it came with a JSON Web Token.
    pub claims: Option<Map<String, Value>>,
    /// As rules see it, once one has asked.
    seen: OnceLock<Value>,
}

impl User {
    /// A user.
    #[must_use]
    pub fn new(name: String, groups: Vec<String>, claims: Option<Map<String, Value>>) -> Self {
        Self {
            name,
            groups,
            claims,
            seen: OnceLock::new(),
        }
    }

    /// As rules see it: `name`, `groups` and `claims`.
    #[must_use]
    pub fn seen(&self) -> &Value {
        let seen = || json!({"name": self.name, "groups": self.groups, "claims": self.claims});
        self.seen.get_or_init(seen)
    }
}

impl PartialEq for User {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.groups, &self.claims) == (&other.name, &other.groups, &other.claims)
    }
}

/// Who sends a request, and from where.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The client's address, as far as trusted proxies tell it. IPv4 is never mapped into IPv6 here.
    pub address: IpAddr,
    /// Who it is; absent: nobody in particular.
    pub user: Option<Arc<User>>,
    /// SHA-256 of the token that says so, or of issuer and subject of a JSON Web Token.
    pub key: Option<[u8; 32]>,
}

/// Who sends a request, as each policy knows it.
///
/// A policy that authenticates is judged by what it found itself: whoever else has a say in the request, such as a route's author towards a
/// backend's owner, cannot name the user to it. One that does not takes the first that was authenticated.
#[derive(Debug, Clone)]
pub struct Callers {
    /// The first that was authenticated here; nobody in particular where none was.
    pub first: Caller,
    /// Whom policies found that authenticate, where that is not the first.
    found: Vec<(ObjectKey, Caller)>,
    /// Who was authenticated before these policies were asked, where they name nobody.
    before: Option<Caller>,
}

impl Callers {
    /// Nobody in particular, from this address.
    #[must_use]
    pub fn nobody(address: IpAddr) -> Self {
        let first = Caller {
            address,
            user: None,
            key: None,
        };
        Self {
            first,
            found: Vec::new(),
            before: None,
        }
    }

    /// Whom `policy` is judged by.
    #[must_use]
    pub fn of(&self, policy: &Policy) -> &Caller {
        if policy.authentication.is_none() {
            return self.before.as_ref().unwrap_or(&self.first);
        }
        let found = self.found.iter().find(|(key, _)| *key == policy.key);
        found.map_or(&self.first, |(_, caller)| caller)
    }

    /// Notes whom `policy` found. `earlier` were asked before it.
    pub fn know(
        &mut self,
        policy: &Policy,
        user: Option<(Arc<User>, [u8; 32])>,
        earlier: &[Arc<Policy>],
    ) {
        let nobody = Caller {
            address: self.first.address,
            user: None,
            key: None,
        };
        match user {
            Some((user, key)) if self.first.user.is_none() => {
                let asking = earlier.iter().filter(|it| it.authentication.is_some());
                self.found
                    .extend(asking.map(|it| (it.key.clone(), nobody.clone())));
                self.first = Caller {
                    user: Some(user),
                    key: Some(key),
                    ..nobody
                };
            }
            Some((_, key)) if self.first.key == Some(key) => {}
            Some((user, key)) => {
                let caller = Caller {
                    user: Some(user),
                    key: Some(key),
                    ..nobody
                };
                self.found.push((policy.key.clone(), caller));
            }
            None if self.first.user.is_some() => self.found.push((policy.key.clone(), nobody)),
            None => {}
        }
    }

    /// The same after `before` was authenticated, whom policies that do not ask take where these name nobody.
    #[must_use]
    pub fn after(mut self, before: &Caller) -> Self {
        if self.first.user.is_none() {
            self.before = Some(before.clone());
        }
        self
    }
}

impl Caller {
    /// The user, as rules see it; null for nobody.
    #[must_use]
    pub fn seen(&self) -> &Value {
        const NOBODY: &Value = &Value::Null;
        self.user.as_ref().map_or(NOBODY, |user| user.seen())
    }
}
