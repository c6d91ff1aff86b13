//! Places among the requests under way, as Redis knows them: each is a lease that is prolonged while the request lasts, so that those of a proxy that dies are free
//! again after [`LASTS`].

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use redis::RedisError;

use super::link::Link;
use super::scripts::{Script, number};
use super::service::{Asking, evaluate};

/// How long a lease lasts that is not prolonged, in milliseconds.
pub(crate) const LASTS: u64 = 30_000;
/// How often leases are prolonged.
const PERIOD: Duration = Duration::from_secs(10);
/// How many are prolonged at once.
const MANY: usize = 256;

/// The leases that are held.
#[derive(Debug, Default)]
pub(super) struct Leases {
    /// The keys of each, by its number.
    held: Mutex<BTreeMap<u64, Vec<Vec<u8>>>>,
    renewed: Mutex<Option<Instant>>,
}

impl Leases {
    pub(super) fn add(&self, number: u64, keys: Vec<Vec<u8>>) {
        self.held.lock().insert(number, keys);
    }

    pub(super) fn remove(&self, number: u64) {
        self.held.lock().remove(&number);
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.held.lock().len()
    }

    /// Prolongs all that are held, if it is time.
    pub(super) async fn renew(
        &self,
        link: &mut Link,
        name: impl Fn(u64) -> Vec<u8>,
    ) -> Result<(), RedisError> {
        let now = Instant::now();
        if self.renewed.lock().is_some_and(|then| now - then < PERIOD) {
            return Ok(());
        }
        let mut next = 0;
        loop {
            let mut asking = Asking {
                script: Script::Renew,
                keys: Vec::new(),
                args: vec![self::number(LASTS)],
            };
            // Looked up right before each is sent: one that was given up before is not prolonged after that.
            for (number, keys) in self.held.lock().range(next..).take(MANY) {
                next = number + 1;
                for key in keys {
                    asking.keys.push(key.clone());
                    asking.args.push(name(*number));
                }
            }
            if asking.keys.is_empty() {
                break;
            }
            evaluate::<i64>(link, &asking).await?;
        }
        *self.renewed.lock() = Some(now);
        Ok(())
    }
}
