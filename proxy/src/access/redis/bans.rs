//! Bans that all proxies share: failures are counted in Redis, and every proxy asks once a second what changed.
//!
//! Nothing of it is ever too much: Redis keeps as many addresses and failures as a proxy does, and a proxy is told of changes alone, a bounded number at a time.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use dragoman_config::ObjectKey;
use redis::{RedisError, Value};

use super::link::Link;
use super::scripts::{PREFIX, Script, number};
use super::service::{Asking, Redis, Shared, evaluate};
use crate::access::address::of_ban;
use crate::access::bans::{Ban, Bans};

/// How many changes are asked for at once.
const MANY: usize = 512;
/// How often that is done in a row: the rest waits for the next second.
const TIMES: usize = 16;
/// So many milliseconds of changes are asked for again after Redis was away: another server may have taken over that knows less, or has another clock.
const AGAIN: u64 = 60_000;
/// The most lifted bans that are remembered while Redis is away.
const MOST_LIFTED: usize = 65_536;

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
        let milliseconds = |of: Duration| u64::try_from(of.as_millis()).unwrap_or(u64::MAX);
        let ban = failure.ban;
        self.tell(Asking {
            script: Script::Fail,
            keys: keys(),
            args: vec![
                number(ban.failures() as u64),
                number(milliseconds(ban.window())),
                number(milliseconds(ban.duration())),
                name(failure.policy, failure.address).into_bytes(),
            ],
        });
    }

    /// Notes that bans were lifted. While Redis is away that is remembered, and told once it is back.
    pub(crate) fn lifted(&self, policies: &[impl AsRef<ObjectKey>], address: IpAddr) {
        for policy in policies {
            let name = name(policy.as_ref(), address);
            let shared = &self.shared;
            {
                let mut lifted = shared.lifted.lock();
                if lifted.len() < MOST_LIFTED {
                    lifted.insert(name.clone());
                }
            }
            let then = std::sync::Arc::clone(shared);
            let asking = lifting(&name);
            let _ = shared.spawn(asking, move |_: Value| {
                then.lifted.lock().remove(&name);
            });
        }
    }
}

impl Shared {
    /// Tells what was lifted while Redis was away.
    pub(super) async fn lift(&self, link: &mut Link) -> Result<(), RedisError> {
        loop {
            let Some(name) = self.lifted.lock().first().cloned() else {
                return Ok(());
            };
            evaluate::<Value>(link, &lifting(&name)).await?;
            self.lifted.lock().remove(&name);
        }
    }
}

fn lifting(name: &str) -> Asking {
    Asking {
        script: Script::Lift,
        keys: keys(),
        args: vec![name.as_bytes().to_vec()],
    }
}

/// When bans end, in what order they changed, the failures that may become one, and when those are forgotten.
fn keys() -> Vec<Vec<u8>> {
    let keys = ["bans", "changes", "failures", "failing"];
    keys.map(|key| format!("{PREFIX}{key}").into_bytes())
        .to_vec()
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

/// What Redis told of bans.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The number of the last change.
    last: u64,
}

impl Known {
    /// Redis was away.
    pub(super) fn doubt(&mut self) {
        self.last = self.last.saturating_sub(AGAIN);
    }

    /// Begins the bans that others found, and ends those that others lifted.
    pub(super) async fn pull(&mut self, link: &mut Link, bans: &Bans) -> Result<(), RedisError> {
        for _ in 0..TIMES {
            let asking = Asking {
                script: Script::Bans,
                keys: keys(),
                args: vec![number(self.last), number(MANY as u64)],
            };
            let news: Vec<(String, u64, u64)> = evaluate(link, &asking).await?;
            let now = Instant::now();
            for (name, number, left) in &news {
                self.last = self.last.max(*number);
                match (read(name), *left) {
                    (Some((policy, address)), 0) => {
                        bans.lift_of(&policy, address, now);
                    }
                    (Some((policy, address)), left) => {
                        bans.begin(&policy, address, Duration::from_millis(left), now);
                    }
                    (None, _) => {}
                }
            }
            if news.len() < MANY {
                break;
            }
        }
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
