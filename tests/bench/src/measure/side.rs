//! One side of the comparison: a contender with its upstream.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use super::{Sample, first_token};
use crate::contender::{Contender, Log, start_dragoman, start_nginx};
use crate::fault::Fault;
use crate::load::{self, IdleStreams, PacedStreams};
use crate::options::{Effort, Measure};
use crate::upstream::{Expectation, Upstream};
use crate::wire::Way;

/// How long a contender is warmed before the first round.
const WARM_UP: Duration = Duration::from_millis(300);
/// Paced streams that run at the same time.
const STREAMS: u32 = 32;

/// Requests a second whose rows go into a log: far from what a core serves, so that no row waits on disk for the database.
const RATE: u32 = 2000;

/// How a contender is started.
pub(super) enum Kind<'a> {
    Nginx(&'a Path),
    Dragoman(&'a Path),
}

/// A contender with its upstream.
pub(super) struct Side<'a> {
    kind: Kind<'a>,
    core: usize,
    upstream: Upstream,
    contender: Contender,
    /// What was taken in this round.
    pub(super) sample: Sample,
}

impl<'a> Side<'a> {
    /// Starts both.
    pub(super) async fn start(kind: Kind<'a>, core: usize) -> Result<Self, Fault> {
        let upstream = Upstream::start(match kind {
            Kind::Nginx(_) => Expectation::AsSent,
            Kind::Dragoman(_) => Expectation::Rewritten,
        })
        .await?;
        let ways = Way::ALL.map(|way| kind.passes(way));
        let started = kind.start(core, upstream.address, &ways, Log::None);
        let contender = started.await?;
        for way in [Way::OPENAI, Way::GUARDED] {
            load::plain_requests(contender.address, kind.passes(way), WARM_UP).await?;
        }
        Ok(Self {
            kind,
            core,
            upstream,
            contender,
            sample: Sample::default(),
        })
    }

    /// Measures one thing; of translated streams those of the pair.
    pub(super) async fn measure(
        &mut self,
        measure: Measure,
        pair: usize,
        effort: Effort,
    ) -> Result<(), Fault> {
        match measure {
            Measure::Plain => {
                let (figure, rate) = self.plain(Way::OPENAI, effort.closed_loop).await?;
                self.sample.cpu_per_request_us = Some(figure);
                self.sample.requests_per_second = Some(rate);
                Ok(())
            }
            Measure::Policy => {
                let way = self.kind.passes(Way::GUARDED);
                let (figure, _) = self.plain(way, effort.closed_loop).await?;
                self.sample.cpu_per_guarded_request_us = Some(figure);
                Ok(())
            }
            Measure::Log => self.log(effort.closed_loop).await,
            Measure::Latency => self.latency(effort.latencies).await,
            Measure::Paced => {
                let figure = self.paced(Way::OPENAI, effort.paced).await?;
                self.sample.cpu_per_paced_event_us = Some(figure);
                Ok(())
            }
            Measure::Full => {
                let figure = self.full(Way::OPENAI, effort.closed_loop).await?;
                self.sample.cpu_per_full_event_us = Some(figure);
                Ok(())
            }
            Measure::TranslatedPaced => {
                let way = self.kind.passes(Way::TRANSLATED[pair]);
                let figure = self.paced(way, effort.translated_paced).await?;
                self.sample.translated[pair].cpu_per_paced_event_us = Some(figure);
                Ok(())
            }
            Measure::TranslatedFull => self.translated_full(pair, effort.translated_loop).await,
            Measure::FirstToken => {
                let way = self.kind.passes(Way::TRANSLATED[pair]);
                let time = first_token(self.contender.address, way, effort.first_tokens).await?;
                self.sample.translated[pair].first_token_us = Some(time);
                self.upstream.quiet().await
            }
            Measure::Memory => self.memory(effort.idle_streams).await,
        }
    }

    /// CPU per request in microseconds, and requests per second.
    async fn plain(&self, way: Way, time: Duration) -> Result<(f64, f64), Fault> {
        let before = self.contender.cpu_nanoseconds()?;
        let requests = load::plain_requests(self.contender.address, way, time).await?;
        let figure = self.cpu_since(before, requests)?;
        Ok((figure, requests as f64 / time.as_secs_f64()))
    }

    async fn latency(&mut self, requests: usize) -> Result<(), Fault> {
        self.sample.p50_us = Some(load::median_latency(self.contender.address, requests).await?);
        Ok(())
    }

    async fn paced(&mut self, way: Way, time: Duration) -> Result<f64, Fault> {
        let mut streams = PacedStreams::open(self.contender.address, way, STREAMS).await?;
        let before = self.contender.cpu_nanoseconds()?;
        let events = streams.watch(time).await?;
        let figure = self.cpu_since(before, events)?;
        drop(streams);
        self.upstream.quiet().await?;
        Ok(figure)
    }

    async fn full(&mut self, way: Way, time: Duration) -> Result<f64, Fault> {
        let before = self.contender.cpu_nanoseconds()?;
        let events = load::full_speed(self.contender.address, way, time).await?;
        self.cpu_since(before, events)
    }

    /// On contenders just started, one without a log and one that keeps it.
    async fn log(&mut self, time: Duration) -> Result<(), Fault> {
        if matches!(self.kind, Kind::Nginx(_)) {
            return Ok(());
        }
        let sample = &mut self.sample.logged;
        for (log, figure) in [
            (Log::None, &mut sample.without),
            (Log::Kept, &mut sample.with),
        ] {
            let ways = [Way::OPENAI];
            let started = self
                .kind
                .start(self.core, self.upstream.address, &ways, log);
            let fresh = started.await?;
            load::requests_at_a_rate(fresh.address, Way::OPENAI, RATE, WARM_UP).await?;
            let before = fresh.settled_cpu().await?;
            let requests = load::requests_at_a_rate(fresh.address, Way::OPENAI, RATE, time).await?;
            let after = fresh.settled_cpu().await?;
            if requests == 0 {
                let log = fresh.log();
                return Err(Fault::WrongReply(format!("nothing was answered; {log}")));
            }
            *figure = Some(after.less(before).each(requests));
        }
        self.upstream.quiet().await
    }

    /// The yardstick is the proxy's own path, so that nginx has no part in it.
    async fn translated_full(&mut self, pair: usize, time: Duration) -> Result<(), Fault> {
        if matches!(self.kind, Kind::Nginx(_)) {
            return Ok(());
        }
        let way = Way::TRANSLATED[pair];
        let untranslated = self.full(way.relayed(), time).await?;
        let translated = self.full(way, time).await?;
        let figures = &mut self.sample.translated[pair];
        figures.cpu_per_untranslated_event_us = Some(untranslated);
        figures.cpu_per_full_event_us = Some(translated);
        Ok(())
    }

    /// On a contender just started: what a peak has taken does not come back, and would hide what streams take.
    async fn memory(&mut self, streams: usize) -> Result<(), Fault> {
        let ways = [Way::OPENAI];
        let started = self
            .kind
            .start(self.core, self.upstream.address, &ways, Log::None);
        let fresh = started.await?;
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
    /// The way as the contender goes it: nginx passes the upstream's bytes on, and asks no policy.
    fn passes(&self, way: Way) -> Way {
        match self {
            Self::Nginx(_) => way.relayed(),
            Self::Dragoman(_) => way,
        }
    }

    async fn start(
        &self,
        core: usize,
        upstream: SocketAddr,
        ways: &[Way],
        log: Log,
    ) -> Result<Contender, Fault> {
        match self {
            Self::Nginx(program) => start_nginx(program, core, upstream, ways).await,
            Self::Dragoman(program) => start_dragoman(program, core, upstream, ways, log).await,
        }
    }
}
