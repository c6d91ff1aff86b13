//! The rounds: each measures both contenders one right after the other, and the next begins with the other one.

mod sample;
mod side;

use std::io::Write as _;
use std::net::SocketAddr;

use crate::fault::Fault;
use crate::load::{self, PacedStreams};
use crate::options::{Measure, Options};
use crate::upstream::{Expectation, Upstream};
use crate::wire::Way;
#[cfg(test)]
pub(crate) use sample::Translated;
pub(crate) use sample::{CpuPerRequest, Round, Sample};
use side::{Kind, Side};

/// Streams that run while first tokens are waited for.
const STREAMS_BESIDE: u32 = 128;

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
        rounds.push(round(&mut sides, &direct, options, number % 2 == 0).await?);
    }
    Ok(rounds)
}

async fn round(
    sides: &mut [Side<'_>],
    direct: &Upstream,
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
        round.direct_p50_us = Some(load::median_latency(direct.address, effort.latencies).await?);
    }
    if options.wants(Measure::FirstToken) {
        for (way, figure) in Way::TRANSLATED.iter().zip(&mut round.direct_first_token_us) {
            let time = first_token(direct.address, way.relayed(), effort.first_tokens).await?;
            *figure = Some(time);
            direct.quiet().await?;
        }
    }
    for measure in [
        Measure::Latency,
        Measure::Plain,
        Measure::Policy,
        Measure::Log,
        Measure::Paced,
        Measure::Full,
        Measure::TranslatedPaced,
        Measure::TranslatedFull,
        Measure::FirstToken,
        Measure::Memory,
    ] {
        if options.wants(measure) {
            measure_all(sides, &order, measure, options).await?;
        }
    }
    let mut samples = sides.iter().map(|side| side.sample);
    round.nginx = samples.next().unwrap_or_default();
    round.dragoman = samples.next();
    Ok(round)
}

/// Of translated streams, one pair after the other, so that what is compared is taken close together.
async fn measure_all(
    sides: &mut [Side<'_>],
    order: &[usize],
    measure: Measure,
    options: &Options,
) -> Result<(), Fault> {
    let pairs = if measure.is_of_pairs() {
        Way::TRANSLATED.len()
    } else {
        1
    };
    for pair in 0..pairs {
        for &index in order {
            sides[index]
                .measure(measure, pair, options.effort())
                .await?;
        }
    }
    Ok(())
}

/// The time to the first token of so many streams, while [`STREAMS_BESIDE`] others run.
async fn first_token(address: SocketAddr, way: Way, streams: usize) -> Result<f64, Fault> {
    let _beside = PacedStreams::open(address, way, STREAMS_BESIDE).await?;
    load::median_first_token(address, way, streams).await
}
