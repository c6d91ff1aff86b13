//! The connection to Redis: kept by a thread of its own, asked by any.
//!
//! No request waits longer than a deadline ([`DEADLINE`]) for all its answers. Where Redis fails, or is late thrice in a row, it is away: it is asked nothing until the
//! thread has reached it again, which it tries once a second, so that no request is ever what tries it.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use dragoman_config::Secret;
use parking_lot::Mutex;
use redis::{FromRedisValue, RedisError, Value};
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot, watch};

use super::bans::Known;
use super::leases::Leases;
use super::link::Link;
use super::scripts::{PREFIX, Script};
use super::url::{self, Target};
use crate::access::bans::Bans;

/// The longest that a request waits for answers, all its waits together, less the millisecond by which timers are late.
pub(crate) const DEADLINE: Duration = Duration::from_millis(4);
/// How long a connection may take to be made, and an answer to come to those whom nobody waits for.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);
/// How long Redis is left alone after it failed, and how often it is looked after.
const PERIOD: Duration = Duration::from_secs(1);
/// So many late answers in a row mean that it is away.
pub(super) const LATE: u32 = 3;
/// The most questions under way; more are not asked.
const MOST: usize = 16 << 10;

/// What to ask: a script, its keys and arguments.
#[derive(Debug)]
pub(crate) struct Asking {
    pub(crate) script: Script,
    pub(crate) keys: Vec<Vec<u8>>,
    pub(crate) args: Vec<Vec<u8>>,
}

/// The Redis of this process, while it is configured. Dropped, its thread ends.
#[derive(Debug)]
pub(crate) struct Redis {
    pub(super) shared: Arc<Shared>,
    _stop: watch::Sender<()>,
}

pub(super) struct Shared {
    /// None while Redis is away.
    link: ArcSwapOption<Link>,
    why: Mutex<String>,
    runtime: Handle,
    deadline: Duration,
    trouble: Notify,
    late: AtomicU32,
    asked: AtomicUsize,
    /// Tells this process from all others, in names of leases.
    process: u64,
    numbers: AtomicU64,
    pub(super) leases: Leases,
    /// Bans that were lifted here, by name, until Redis knows of it.
    pub(super) lifted: Mutex<BTreeSet<String>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redis").finish_non_exhaustive()
    }
}

/// Redis does not answer, or not in time.
#[derive(Debug)]
pub(crate) struct Away;

impl Redis {
    /// Begins to connect; requests will wait as long as `deadline`. Bans that others found are noted in `bans`.
    ///
    /// # Errors
    /// Why it cannot, without the URL, which may hold a password.
    pub(crate) fn start(
        secret: &Secret,
        deadline: Duration,
        bans: Arc<Bans>,
    ) -> Result<Self, String> {
        let target = url::read(secret.expose()).map_err(|fault| fault.to_string())?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|fault| fault.to_string())?;
        let (stop, stopped) = watch::channel(());
        let shared = Arc::new(Shared::new(runtime.handle().clone(), deadline));
        let keeper = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("redis".into())
            .spawn(move || runtime.block_on(keeper.keep(target, stopped, &bans)))
            .map_err(|fault| fault.to_string())?;
        Ok(Self {
            shared,
            _stop: stop,
        })
    }

    /// One that is reached and never answers: whatever is asked waits in `runtime`, which nobody runs.
    #[cfg(test)]
    pub(super) fn hanging(runtime: &tokio::runtime::Runtime, deadline: Duration) -> Self {
        let shared = Shared::new(runtime.handle().clone(), deadline);
        shared.link.store(Some(Arc::new(Link::Nowhere)));
        Self {
            shared: Arc::new(shared),
            _stop: watch::Sender::new(()),
        }
    }

    /// Why Redis is away; none: it answers.
    pub(crate) fn away(&self) -> Option<String> {
        let gone = self.shared.link.load().is_none();
        gone.then(|| self.shared.why.lock().clone())
    }

    /// Asks, and waits a bounded time, less what was `waited` before, to which it adds. An answer that comes too late goes to `late`.
    ///
    /// # Errors
    /// [`Away`].
    pub(crate) async fn ask<T: FromRedisValue + Send + 'static>(
        &self,
        asking: Asking,
        waited: &Cell<Duration>,
        late: impl FnOnce(T) + Send + 'static,
    ) -> Result<T, Away> {
        let shared = &self.shared;
        let (sender, answer) = oneshot::channel();
        shared.spawn(asking, move |answer: T| {
            if let Err(answer) = sender.send(answer) {
                late(answer);
            }
        })?;
        let (before, began) = (waited.get(), tokio::time::Instant::now());
        let answer = tokio::time::timeout(shared.deadline.saturating_sub(before), answer).await;
        waited.set(before + began.elapsed());
        match answer {
            Ok(Ok(answer)) => {
                shared.late.store(0, Ordering::Relaxed);
                Ok(answer)
            }
            Ok(Err(_)) => Err(Away),
            // It had less time than others have.
            Err(_) if !before.is_zero() => Err(Away),
            Err(_) => {
                if shared.late.fetch_add(1, Ordering::Relaxed) + 1 >= LATE {
                    shared.fail("it is slow to answer");
                }
                Err(Away)
            }
        }
    }

    /// Tells something that nobody waits for.
    pub(crate) fn tell(&self, asking: Asking) {
        let _ = self.shared.spawn(asking, |_: Value| {});
    }

    /// A lease on places among the requests under way, which Redis knows by these keys, and its name.
    pub(crate) fn lease(&self, keys: Vec<Vec<u8>>) -> (u64, Vec<u8>) {
        let shared = &self.shared;
        let number = shared.numbers.fetch_add(1, Ordering::Relaxed);
        if !keys.is_empty() {
            shared.leases.add(number, keys);
        }
        (number, shared.name(number))
    }

    /// How many leases are prolonged.
    #[cfg(test)]
    pub(crate) fn leases(&self) -> usize {
        self.shared.leases.count()
    }

    /// Gives a lease up; its name.
    pub(crate) fn release(&self, number: u64) -> Vec<u8> {
        self.shared.leases.remove(number);
        self.shared.name(number)
    }
}

impl Shared {
    fn new(runtime: Handle, deadline: Duration) -> Self {
        Self {
            link: ArcSwapOption::empty(),
            why: Mutex::new("it was not reached yet".into()),
            runtime,
            deadline,
            trouble: Notify::new(),
            late: AtomicU32::new(0),
            asked: AtomicUsize::new(0),
            process: rand::random(),
            numbers: AtomicU64::new(0),
            leases: Leases::default(),
            lifted: Mutex::default(),
        }
    }

    pub(super) fn name(&self, number: u64) -> Vec<u8> {
        format!("{:016x}:{number}", self.process).into_bytes()
    }

    /// Asks on the thread of its own. Nothing comes of what fails.
    pub(super) fn spawn<T: FromRedisValue + Send + 'static>(
        self: &Arc<Self>,
        asking: Asking,
        then: impl FnOnce(T) + Send + 'static,
    ) -> Result<(), Away> {
        let link = self.link.load_full().ok_or(Away)?;
        if self.asked.fetch_add(1, Ordering::Relaxed) >= MOST {
            self.asked.fetch_sub(1, Ordering::Relaxed);
            return Err(Away);
        }
        let shared = Arc::clone(self);
        self.runtime.spawn(async move {
            match evaluate::<T>(&mut Link::clone(&link), &asking).await {
                Ok(answer) => then(answer),
                Err(fault) => shared.fail(&reason(&fault)),
            }
            shared.asked.fetch_sub(1, Ordering::Relaxed);
        });
        Ok(())
    }

    /// Redis is away.
    fn fail(&self, why: &str) {
        if self.link.swap(None).is_some() {
            why.clone_into(&mut self.why.lock());
            self.trouble.notify_one();
        }
    }

    async fn keep(
        self: Arc<Self>,
        mut target: Target,
        mut stopped: watch::Receiver<()>,
        bans: &Bans,
    ) {
        let keeping = async {
            let mut said = Said::default();
            let mut known = Known::default();
            loop {
                match self.reach(&mut target).await {
                    Ok(link) => {
                        self.serve(link, &mut known, bans, &mut said).await;
                        let why = self.why.lock().clone();
                        said.away(&why);
                    }
                    Err(why) => {
                        self.why.lock().clone_from(&why);
                        said.away(&why);
                    }
                }
                tokio::time::sleep(PERIOD).await;
            }
        };
        tokio::select! {
            () = keeping => {}
            // The sender never sends: it is gone.
            _ = stopped.changed() => {}
        }
    }

    /// Connects, and sees to it that the scripts are known and can write: one that is full, or a replica, answers and counts nothing.
    async fn reach(&self, target: &mut Target) -> Result<Link, String> {
        let reached = async {
            let mut link = Link::to(target).await?;
            for script in Script::ALL {
                script
                    .compiled()
                    .prepare_invoke()
                    .load_async(&mut link)
                    .await?;
            }
            let asking = Asking {
                script: Script::Check,
                keys: vec![format!("{PREFIX}check").into_bytes()],
                args: Vec::new(),
            };
            evaluate::<Value>(&mut link, &asking).await?;
            Ok(link)
        };
        match tokio::time::timeout(2 * PATIENCE, reached).await {
            Ok(reached) => reached.map_err(|fault| reason(&fault)),
            Err(_) => Err("it does not answer".into()),
        }
    }

    /// Looks after a connection until it fails.
    async fn serve(self: &Arc<Self>, link: Link, known: &mut Known, bans: &Bans, said: &mut Said) {
        known.doubt();
        self.late.store(0, Ordering::Relaxed);
        self.link.store(Some(Arc::new(link.clone())));
        loop {
            said.up();
            let mut link = link.clone();
            let looked = async {
                self.leases
                    .renew(&mut link, |number| self.name(number))
                    .await?;
                self.lift(&mut link).await?;
                known.pull(&mut link, bans).await
            };
            if let Err(fault) = looked.await {
                self.fail(&reason(&fault));
            }
            tokio::select! {
                () = self.trouble.notified() => return,
                () = tokio::time::sleep(PERIOD) => {}
            }
        }
    }
}

/// What the log was told of it. One that comes and goes is told now and then.
#[derive(Default)]
struct Said {
    /// Why it is away; none: it is not; nothing was told yet.
    last: Option<Option<String>>,
    up: Option<Instant>,
    away: Option<Instant>,
}

/// How long nothing more is told of the same kind.
const QUIET: Duration = Duration::from_secs(10);

impl Said {
    /// It counts, which is said once.
    fn up(&mut self) {
        if self.last != Some(None) && is_time(&mut self.up) {
            self.last = Some(None);
            tracing::info!("Redis counts for all proxies");
        }
    }

    /// It is away, which is said once for each reason.
    fn away(&mut self, why: &str) {
        let said = self.last.as_ref().and_then(Option::as_deref);
        if said != Some(why) && is_time(&mut self.away) {
            self.last = Some(Some(why.to_owned()));
            tracing::warn!(
                kind = "redis_away",
                "Redis is away, this proxy counts for itself: {why}"
            );
        }
    }
}

fn is_time(last: &mut Option<Instant>) -> bool {
    let now = Instant::now();
    let is_time = last.is_none_or(|last| now - last >= QUIET);
    if is_time {
        *last = Some(now);
    }
    is_time
}

/// Runs a script.
pub(super) async fn evaluate<T: FromRedisValue>(
    link: &mut Link,
    asking: &Asking,
) -> Result<T, RedisError> {
    let script = asking.script.compiled();
    let mut invocation = script.prepare_invoke();
    for key in &asking.keys {
        invocation.key(key);
    }
    for arg in &asking.args {
        invocation.arg(arg);
    }
    invocation.invoke_async(link).await
}

/// Why something failed, in words that hold no secret: a server's own words are not quoted.
fn reason(fault: &RedisError) -> String {
    match fault.code() {
        Some(code) => format!("{} ({code})", fault.category()),
        None if fault.is_timeout() => "it does not answer".into(),
        None if fault.is_connection_refusal() => "the connection is refused".into(),
        None => fault.category().to_owned(),
    }
}
