//! The rounds: each measures both contenders one right after the other, and the next begins with the other one.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::contender::{Contender, start_dragoman, start_nginx};
use crate::fault::Fault;
use crate::load::{self, IdleStreams, PacedStreams};
use crate::options::{Effort, Measure, Options};
use crate::upstream::{Expectation, Upstream};

/// How long a contender is warmed before the first round.
const WARM_UP: Duration = Duration::from_millis(300);

/// What one round took of one contender; absent is what was not asked for.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Sample {
    /// CPU time per plain request, in microseconds.
    pub(crate) cpu_per_request_us: Option<f64>,
    /// Plain requests per second; bounded by the load's core as much as by the contender's.
    pub(crate) requests_per_second: Option<f64>,
    /// Median latency at one connection, in microseconds.
    pub(crate) p50_us: Option<f64>,
    /// CPU time per event of paced streams, in microseconds.
    pub(crate) cpu_per_paced_event_us: Option<f64>,
    /// CPU time per event of streams at full speed, in microseconds.
    pub(crate) cpu_per_full_event_us: Option<f64>,
    /// Resident memory per idle stream, in KiB.
    pub(crate) kib_per_idle_stream: Option<f64>,
    /// Resident memory after the start and one probe, in MiB.
    pub(crate) mib_at_rest: Option<f64>,
    /// What of it is anonymous, in MiB.
    pub(crate) anonymous_mib_at_rest: Option<f64>,
}

/// The figures of one round.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Round {
    /// Median latency at one connection without any contender between, in microseconds.
    pub(crate) direct_p50_us: Option<f64>,
    /// nginx's figures.
    pub(crate) nginx: Sample,
    /// The proxy's figures.
    pub(crate) dragoman: Option<Sample>,
}

/// How a contender is started.
enum Kind<'a> {
    Nginx(&'a Path),
    Dragoman(&'a Path),
}

/// One side of the comparison: the contender with its upstream.
struct Side<'a> {
    kind: Kind<'a>,
    core: usize,
    upstream: Upstream,
    contender: Contender,
    sample: Sample,
}

/// Measures all rounds.
pub(crate) async fn all(options: &Options) -> Result<Vec<Round>, Fault> {
    let mut sides = vec![Side::start(Kind::Nginx(&options.nginx), options.proxy_core).await?];
    if let Some(proxy) = &options.proxy {
        sides.push(Side::start(Kind::Dragoman(proxy), options.proxy_core).await?);
    }
    let direct = Upstream::start(Expectation::AsSent).await?;
    let mut rounds = Vec::new();
    for number in 1..=options.rounds() {
        // A terminal that has gone is no reason to stop.
        let _ = writeln!(std::io::stderr(), "round {number} of {}", options.rounds());
        rounds.push(round(&mut sides, direct.address, options, number % 2 == 0).await?);
    }
    Ok(rounds)
}

async fn round(
    sides: &mut [Side<'_>],
    direct: SocketAddr,
    options: &Options,
    backwards: bool,
) -> Result<Round, Fault> {
    let effort = options.effort();
    let mut round = Round::default();
    let mut order: Vec<usize> = (0..sides.len()).collect();
    if backwards {
        order.reverse();
    }
    for side in &mut *sides {
        side.sample = Sample::default();
    }
    if options.wants(Measure::Latency) {
        round.direct_p50_us = Some(load::median_latency(direct, effort.latencies).await?);
    }
    for measure in [
        Measure::Latency,
        Measure::Plain,
        Measure::Paced,
        Measure::Full,
        Measure::Memory,
    ] {
        if options.wants(measure) {
            for &index in &order {
                sides[index].measure(measure, effort).await?;
            }
        }
    }
    let mut samples = sides.iter().map(|side| side.sample);
    round.nginx = samples.next().unwrap_or_default();
    round.dragoman = samples.next();
    Ok(round)
}

impl<'a> Side<'a> {
    async fn start(kind: Kind<'a>, core: usize) -> Result<Self, Fault> {
        let upstream = Upstream::start(match kind {
            Kind::Nginx(_) => Expectation::AsSent,
            Kind::Dragoman(_) => Expectation::Rewritten,
        })
        .await?;
        let contender = kind.start(core, upstream.address).await?;
        load::plain_requests(contender.address, WARM_UP).await?;
        Ok(Self {
            kind,
            core,
            upstream,
            contender,
            sample: Sample::default(),
        })
    }

    async fn measure(&mut self, measure: Measure, effort: Effort) -> Result<(), Fault> {
        match measure {
            Measure::Plain => self.plain(effort.closed_loop).await,
            Measure::Latency => self.latency(effort.latencies).await,
            Measure::Paced => self.paced(effort.paced).await,
            Measure::Full => self.full(effort.closed_loop).await,
            Measure::Memory => self.memory(effort.idle_streams).await,
        }
    }

    async fn plain(&mut self, time: Duration) -> Result<(), Fault> {
        let before = self.contender.cpu_nanoseconds()?;
        let requests = load::plain_requests(self.contender.address, time).await?;
        self.sample.cpu_per_request_us = Some(self.cpu_since(before, requests)?);
        self.sample.requests_per_second = Some(requests as f64 / time.as_secs_f64());
        Ok(())
    }

    async fn latency(&mut self, requests: usize) -> Result<(), Fault> {
        self.sample.p50_us = Some(load::median_latency(self.contender.address, requests).await?);
        Ok(())
    }

    async fn paced(&mut self, time: Duration) -> Result<(), Fault> {
        let mut streams = PacedStreams::open(self.contender.address).await?;
        let before = self.contender.cpu_nanoseconds()?;
        let events = streams.watch(time).await?;
        self.sample.cpu_per_paced_event_us = Some(self.cpu_since(before, events)?);
        drop(streams);
        self.upstream.quiet().await
    }

    async fn full(&mut self, time: Duration) -> Result<(), Fault> {
        let before = self.contender.cpu_nanoseconds()?;
        let events = load::full_speed(self.contender.address, time).await?;
        self.sample.cpu_per_full_event_us = Some(self.cpu_since(before, events)?);
        Ok(())
    }

    /// On a contender just started: what a peak has taken does not come back, and would hide what streams take.
    async fn memory(&mut self, streams: usize) -> Result<(), Fault> {
        let fresh = self.kind.start(self.core, self.upstream.address).await?;
        let rest = fresh.memory()?;
        let open = IdleStreams::open(fresh.address, streams).await?;
        let taken = fresh.memory()?.resident.saturating_sub(rest.resident);
        self.sample.mib_at_rest = Some(rest.resident as f64 / 1024.0);
        self.sample.anonymous_mib_at_rest = Some(rest.anonymous as f64 / 1024.0);
        self.sample.kib_per_idle_stream = Some(taken as f64 / streams as f64);
        drop((open, fresh));
        self.upstream.quiet().await
    }

    /// Microseconds of CPU per unit since `before`.
    fn cpu_since(&self, before: u64, units: u64) -> Result<f64, Fault> {
        if units == 0 {
            return Err(Fault::WrongReply(format!(
                "nothing was answered; {}",
                self.contender.log()
            )));
        }
        let spent = self.contender.cpu_nanoseconds()?.saturating_sub(before);
        Ok(spent as f64 / 1000.0 / units as f64)
    }
}

impl Kind<'_> {
    async fn start(&self, core: usize, upstream: SocketAddr) -> Result<Contender, Fault> {
        match self {
            Self::Nginx(program) => start_nginx(program, core, upstream).await,
            Self::Dragoman(program) => start_dragoman(program, core, upstream).await,
        }
    }
}
