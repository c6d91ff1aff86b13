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
            // One key is not one user: it may bring other groups, by another Secret or as a token for another audience.
            Some((user, key)) if self.first.is(&user, &key) => {}
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
    fn is(&self, user: &Arc<User>, key: &[u8; 32]) -> bool {
        let same = |own: &Arc<User>| Arc::ptr_eq(own, user) || own == user;
        self.key.as_ref() == Some(key) && self.user.as_ref().is_some_and(same)
    }

    /// The user, as rules see it; null for nobody.
    #[must_use]
    pub fn seen(&self) -> &Value {
        const NOBODY: &Value = &Value::Null;
        self.user.as_ref().map_or(NOBODY, |user| user.seen())
    }
}

#[cfg(test)]
mod tests {
    use dragoman_config::{AuthenticationItem, PolicyItem};

    use super::*;
    use crate::access::Memory;

    fn policy(name: &str) -> Arc<Policy> {
        let authentication = AuthenticationItem {
            tokens: Vec::new(),
            unknown_tokens: None,
            service_accounts: None,
            jwt: Vec::new(),
            anonymous: true,
        };
        let item = PolicyItem {
            authentication: Some(authentication),
            allow: None,
            deny: Vec::new(),
            ban: None,
            rules: Vec::new(),
            response_rules: Vec::new(),
            limits: Vec::new(),
            models: dragoman_crds::NameFilter::default(),
        };
        let key = ObjectKey::new("team", name);
        Arc::new(Policy::build(&key, &item, &Memory::default(), Arc::default()).unwrap())
    }

    fn user(name: &str, group: &str) -> Arc<User> {
        Arc::new(User::new(name.into(), vec![group.into()], None))
    }

    #[test]
    fn one_key_may_bring_each_policy_another_user() {
        let policies = ["gate", "same", "door"].map(policy);
        let [gate, same, door] = &policies;
        let mut callers = Callers::nobody(IpAddr::from([192, 0, 2, 1]));
        callers.know(gate, Some((user("ann", "admins"), [1; 32])), &[]);
        callers.know(same, Some((user("ann", "admins"), [1; 32])), &[]);
        assert!(callers.found.is_empty(), "the same user is known once");
        callers.know(door, Some((user("ann", "guests"), [1; 32])), &[]);
        let groups = |policy| callers.of(policy).user.as_ref().unwrap().groups.clone();
        assert_eq!(groups(gate), ["admins"]);
        assert_eq!(groups(same), ["admins"]);
        assert_eq!(groups(door), ["guests"]);
    }
}
