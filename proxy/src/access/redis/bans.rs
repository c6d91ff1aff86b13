//! Bans that all proxies share: failures are counted in Redis, and whoever is banned there is looked up once a second.
//!
//! A ban that is lifted at one proxy is gone from Redis, and then from the others.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use dragoman_config::ObjectKey;
use redis::RedisError;

use super::link::Link;
use super::scripts::{PREFIX, Script, number};
use super::service::{Asking, Redis, evaluate};
use crate::access::address::of_ban;
use crate::access::bans::{Ban, Bans};

/// A ban that ends so much later than was known is another.
const AGAIN: Duration = Duration::from_millis(500);
/// The most bans that are shared: as many as a proxy keeps.
const MOST: u64 = 65_536;

/// An authentication that failed.
#[derive(Debug)]
pub(crate) struct Failure<'a> {
    pub(crate) policy: &'a ObjectKey,
    pub(crate) ban: &'a Ban,
    pub(crate) address: IpAddr,
}

impl Redis {
    /// Notes that authentication failed. A ban that begins with it is known to all proxies within a second.
    pub(crate) fn failed(&self, failure: &Failure<'_>) {
        let name = name(failure.policy, failure.address);
        let milliseconds = |of: Duration| u64::try_from(of.as_millis()).unwrap_or(u64::MAX);
        let ban = failure.ban;
        self.tell(Asking {
            script: Script::Fail,
            keys: vec![format!("{PREFIX}failures:{name}").into_bytes(), all()],
            args: vec![
                number(ban.failures() as u64),
                number(milliseconds(ban.window())),
                number(milliseconds(ban.duration())),
                name.into_bytes(),
                self.unique(),
            ],
        });
    }

    /// Notes that bans were lifted.
    pub(crate) fn lifted(&self, policies: &[impl AsRef<ObjectKey>], address: IpAddr) {
        for policy in policies {
            let name = name(policy.as_ref(), address);
            self.tell(Asking {
                script: Script::Settle,
                keys: vec![all()],
                args: vec![
                    b"c".to_vec(),
                    name.into_bytes(),
                    b"0".to_vec(),
                    b"0:0".to_vec(),
                ],
            });
        }
    }
}

fn all() -> Vec<u8> {
    format!("{PREFIX}bans").into_bytes()
}

/// A ban's name. No part of it has a space.
fn name(policy: &ObjectKey, address: IpAddr) -> String {
    format!("{} {} {}", policy.namespace, policy.name, of_ban(address))
}

fn read(name: &str) -> Option<(ObjectKey, IpAddr)> {
    let mut parts = name.split(' ');
    let policy = ObjectKey {
        namespace: parts.next()?.into(),
        name: parts.next()?.into(),
    };
    Some((policy, parts.next()?.parse().ok()?))
}

/// The bans that Redis told of, and until when they last.
#[derive(Debug, Default)]
pub(super) struct Known(HashMap<String, Instant>);

impl Known {
    /// Begins the bans that others found, and ends those that others lifted.
    pub(super) async fn pull(&mut self, link: &mut Link, bans: &Bans) -> Result<(), RedisError> {
        let asking = Asking {
            script: Script::Bans,
            keys: vec![all()],
            args: vec![number(MOST)],
        };
        let running: Vec<(String, u64)> = evaluate(link, &asking).await?;
        let now = Instant::now();
        let mut told = HashMap::with_capacity(running.len());
        for (name, left) in running {
            let left = Duration::from_millis(left);
            let until = now + left;
            // Clocks and the way here tell the same end a little differently each time.
            let is_new = self.0.get(&name).is_none_or(|known| until > *known + AGAIN);
            if is_new && let Some((policy, address)) = read(&name) {
                bans.begin(&policy, address, left, now);
            }
            told.insert(name, until);
        }
        for (name, until) in &self.0 {
            // What has run out ends by itself.
            if told.contains_key(name) || *until <= now + AGAIN {
                continue;
            }
            if let Some((policy, address)) = read(name) {
                bans.lift_of(&policy, address, now);
            }
        }
        self.0 = told;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bans_name_is_read_as_it_was_written() {
        let policy = ObjectKey {
            namespace: "team".into(),
            name: "gold".into(),
        };
        for address in ["10.1.2.3", "2001:db8::"] {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(
                read(&name(&policy, address)),
                Some((policy.clone(), address))
            );
        }
        assert_eq!(read("a b"), None);
        assert_eq!(read("a b c"), None);
    }
}
