//! What is measured: nginx, and the proxy.

mod dragoman;
mod nginx;
mod policy;
mod process;

pub(crate) use dragoman::{Log, start as start_dragoman};
pub(crate) use nginx::start as start_nginx;

use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use crate::fault::Fault;
use crate::load;
use crate::measure::CpuPerRequest;
use crate::usage::{self, Memory};
use crate::wire::Way;
use process::Process;

/// How long a contender may take to answer its first request.
const START: Duration = Duration::from_secs(15);

/// CPU time, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cpu {
    /// Of all threads.
    pub(crate) all: u64,
    /// Of those that serve requests.
    pub(crate) serving: u64,
}

impl Cpu {
    /// What was used since.
    pub(crate) fn less(self, before: Self) -> Self {
        Self {
            all: self.all.saturating_sub(before.all),
            serving: self.serving.saturating_sub(before.serving),
        }
    }

    /// For each of so many requests.
    pub(crate) fn each(self, requests: u64) -> CpuPerRequest {
        let each = |nanoseconds: u64| nanoseconds as f64 / 1000.0 / requests as f64;
        CpuPerRequest {
            all_us: each(self.all),
            serving_us: each(self.serving),
        }
    }
}

/// What the names of the proxy's threads that serve begin with.
const SERVING: &str = "serve-";
/// Who has used less than so much CPU in so much time does nothing any more, in nanoseconds.
const IDLE: u64 = 3_000_000;
const QUIET: Duration = Duration::from_millis(300);

/// A running contender that has answered correctly; it ends when dropped.
pub(crate) struct Contender {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    process: Process,
    pids: Vec<u32>,
}

impl Contender {
    /// Waits until it answers as the upstream did, and finds its processes.
    async fn ready(
        name: &'static str,
        address: SocketAddr,
        ways: &[Way],
        process: Process,
    ) -> Result<Self, Fault> {
        let began = Instant::now();
        while let Err(fault) = load::probe(address, ways).await {
            if began.elapsed() > START || process.has_ended() {
                return Err(Fault::NotReady {
                    name,
                    seconds: began.elapsed().as_secs(),
                    last: fault.to_string(),
                    log: process.log(),
                });
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let mut pids = usage::children(process.pid())?;
        pids.push(process.pid());
        Ok(Self {
            address,
            process,
            pids,
        })
    }

    /// CPU time that it has used so far, in nanoseconds.
    pub(crate) fn cpu_nanoseconds(&self) -> Result<u64, Fault> {
        usage::cpu_nanoseconds(&self.pids)
    }

    /// CPU time that it has used, once it uses no more: what it does after its last reply is counted too.
    pub(crate) async fn settled_cpu(&self) -> Result<Cpu, Fault> {
        let mut last = self.cpu_nanoseconds()?;
        loop {
            tokio::time::sleep(QUIET).await;
            let all = self.cpu_nanoseconds()?;
            if all.saturating_sub(last) < IDLE {
                let serving = usage::cpu_nanoseconds_of(&self.pids, SERVING)?;
                return Ok(Cpu { all, serving });
            }
            last = all;
        }
    }

    /// Its memory now.
    pub(crate) fn memory(&self) -> Result<Memory, Fault> {
        usage::memory(&self.pids)
    }

    /// The end of its log.
    pub(crate) fn log(&self) -> String {
        self.process.log()
    }
}

/// A port of loopback that was free a moment ago.
fn free_address() -> Result<SocketAddr, Fault> {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .map_err(|e| Fault::machine("find a free port", e))
}
